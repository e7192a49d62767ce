"""What a check or a format needs beyond Python packages: looked at, built and removed by ``lt-setup``.

Each is the ``SETUP`` of a ``setup.py`` in the package that needs it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from converter.util.stages import Stages


@dataclass(frozen=True)
class Tool:
    """Something that is set up.

    Attributes:
        folder: that it lies in.
        summary: its versions, in one line.
        figures: more of it, for JSON.
    """

    folder: Path
    summary: str
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Setup:
    """Something that can be set up.

    Attributes:
        name: as on the command line.
        purpose: what it is for, in a phrase.
        folder: the default one.
        look: at a folder; raises DependencyError where it cannot be used.
        build: (folder, told of each step) -> it, and whether it was built now; raises UsageError and DependencyError.
        elsewhere: whether there may be one although the folder is not there.
        remove: a folder that ``build`` made; false where nothing is there. Raises UsageError for any other folder.
    """

    name: str
    purpose: str
    folder: Callable[[], Path]
    look: Callable[[Path], Tool]
    build: Callable[[Path, Stages], tuple[Tool, bool]]
    remove: Callable[[Path], bool]
    elsewhere: bool = False
