"""Taking an ARM root away: only one that was built here, with nothing else in it."""

import os
import re
import shutil
from pathlib import Path

from converter.checks.arm.root import RECORD, read_record
from converter.errors import ConversionError, DependencyError, UsageError

UNTOUCHED = "nothing was touched"


def remove_root(folder: Path) -> bool:
    """Remove a root that ``lt-setup arm`` built, damaged or not, and what killed builds left beside it.

    Returns:
        whether there was one.

    Raises:
        UsageError: for a folder that is none, or that holds something else too.
        ConversionError: when it cannot be removed.
    """
    folder = Path(os.path.abspath(folder))
    present = os.path.lexists(folder)
    try:
        if present:
            _refuse_foreign(folder)
            aside = part_of(folder)  # so that what an interruption leaves is not taken for a root
            folder.rename(aside)
            shutil.rmtree(aside)
        if folder.parent.is_dir():
            remove_parts(folder)
    except OSError as error:
        raise ConversionError(f"cannot remove ARM root {folder}: {error.strerror}") from None
    return present


def part_of(folder: Path) -> Path:
    """The folder beside a root that this process builds or removes it in."""
    return folder.with_name(f".{folder.name}.{os.getpid()}.part")


def remove_parts(folder: Path) -> None:
    """Remove what killed processes left of building or removing a root."""
    for name in os.listdir(folder.parent):
        left = re.fullmatch(rf"\.{re.escape(folder.name)}\.(\d+)\.part(\.old)?", name)
        if left and not _alive(int(left[1])):
            shutil.rmtree(folder.with_name(name), ignore_errors=True)


def _refuse_foreign(folder: Path) -> None:
    """Raises UsageError unless everything in a folder is what its record says was put there."""
    if folder.is_symlink() or not folder.is_dir():
        raise UsageError(f"ARM root {folder}: expected a folder that lt-setup arm built; {UNTOUCHED}")
    try:
        record = read_record(folder)
    except FileNotFoundError:
        raise UsageError(f"ARM root {folder} was not built by lt-setup arm (no {RECORD} in it); {UNTOUCHED}") from None
    except DependencyError as error:
        raise UsageError(f"{error}; {UNTOUCHED}") from None
    ours = {RECORD, *(name for name, _, _ in record.files), *(name for name, _ in record.links)}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name not in ours and (path.is_symlink() or not path.is_dir()):
            raise UsageError(f"ARM root {folder} holds {name!r}, which lt-setup arm did not put there; {UNTOUCHED}")


def _alive(process: int) -> bool:
    """Whether another process has this id."""
    try:
        os.kill(process, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return process != os.getpid()
