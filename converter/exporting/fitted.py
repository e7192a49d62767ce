"""Models that were fitted to clips, which an export proves and publishes in place of those that it converts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.folder.manifest import Int8Entry


@dataclass(frozen=True)
class Fitted:
    """What takes the place of converted models.

    Attributes:
        write: (a folder with the converted models) -> further files to publish: writes the fitted ones over them.
        about: what computes in int8, for the manifest.
        clips: the figures on clips, likewise.
    """

    write: Callable[[Path], Sequence[Path]]
    about: Int8Entry
    clips: tuple[dict[str, Any], ...]
