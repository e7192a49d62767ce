"""A file to set up."""

from pathlib import Path

from converter.errors import DependencyError
from converter.util.folders import cache_folder
from converter.util.setups import Setup, Tool
from converter.util.stages import Stages


def _look(folder: Path) -> Tool:
    if not (folder / "toy").is_file():
        raise DependencyError(f"{folder}: no toy in it")
    return Tool(folder, "a toy", {"pieces": 1})


def _build(folder: Path, stages: Stages) -> tuple[Tool, bool]:
    with stages("carve"):
        folder.mkdir(parents=True)
        (folder / "toy").write_bytes(b"toy")
    return _look(folder), True


def _remove(folder: Path) -> bool:
    (folder / "toy").unlink()
    folder.rmdir()
    return True


SETUP = Setup("toy", "is played with", lambda: cache_folder() / "toy", _look, _build, _remove)
