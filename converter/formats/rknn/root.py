"""The folder with the toolkit's own Python: found, and looked at before it is used."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from converter.errors import DependencyError
from converter.util.folders import cache_folder
from converter.util.paths import why_no_folder
from converter.util.unpacked import Kind, Record

RECORD, ENVIRONMENT = "rknn-root.json", "venv"


class RknnRecord(Record):
    """``rknn-root.json``.

    Attributes:
        python: as "3.11.7".
        versions: distribution to version, of what was installed.
    """

    kind: Literal["rknn root"] = "rknn root"
    schema_version: Literal[1] = 1
    python: str
    versions: dict[str, str]


@dataclass(frozen=True)
class RknnRoot:
    """A folder with a virtual environment that has the toolkit.

    Attributes:
        folder: it.
        record: what setting it up wrote; None while that is under way.
    """

    folder: Path
    record: RknnRecord | None = None

    @property
    def python(self) -> Path:
        return self.folder / ENVIRONMENT / "bin" / "python"

    @property
    def toolkit(self) -> str:
        """Its version."""
        return self.record.versions["rknn-toolkit2"] if self.record else ""

    def command(self, script: Path, *arguments: str) -> list[str]:
        """Runs a script of ours in the toolkit's Python."""
        return [str(self.python), "-s", str(script), *arguments]

    def environment(self, work: Path) -> dict[str, str]:
        """Nothing of ours, and always the same: what a process is started with decides where its memory lies, and the
        toolkit writes memory that it has not set into its files. ``MALLOC_PERTURB_`` makes that zeros.

        Args:
            work: for temporary files; its name is of one length.
        """
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(work),
            "TMPDIR": str(work),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "MALLOC_PERTURB_": "255",
            "OMP_NUM_THREADS": "1",
            "ORT_DISABLE_TELEMETRY": "1",
        }


def default_folder() -> Path:
    """``LT_RKNN_ROOT``, or a folder in the user's cache."""
    named = os.environ.get("LT_RKNN_ROOT")
    return Path(named) if named else cache_folder() / "rknn"


ROOT = Kind(
    *("RKNN root", "lt-setup rknn", RECORD, RknnRecord, default_folder),
    own=frozenset({ENVIRONMENT, RECORD}),
)


def rknn_root(folder: Path | None = None) -> RknnRoot:
    """A root that can be used, the default one unless another is named; its files are not looked at.

    Raises:
        DependencyError: when it is missing, half-built or damaged, with what to do.
    """
    folder = Path(os.path.abspath(folder or default_folder()))
    try:
        root = RknnRoot(folder, ROOT.read(folder))
    except FileNotFoundError:
        half = "is half-built: " if (folder / ENVIRONMENT).is_dir() else ""
        reason = why_no_folder(folder) or f"{half}no {RECORD} in it"
        raise DependencyError(f"RKNN root {folder}: {reason}; {ROOT.rebuild(folder, 'builds it')}") from None
    if not os.access(root.python, os.X_OK):
        raise ROOT.damaged(folder, f"no program {root.python}")
    return root
