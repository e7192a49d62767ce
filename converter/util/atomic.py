"""Files and folders that are written whole or not at all, and whether they can be written."""

import contextlib
import ctypes
import errno
import hashlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from converter.errors import ConversionError
from converter.util.paths import open_file, reason, why_unusable
from converter.util.process import AWAY

ATTEMPTS = 10
MARK_WITHIN = 4096  # bytes
LONGEST_SUFFIX = 20  # bytes of a draft's name
# Waits for our end: its input closes then, whatever ended us.
_JANITOR = 'trap "" HUP INT TERM; read -r _; rm -rf -- "$1"'
_unfinished: set[Path] = set()


def write(path: Path, data: bytes) -> None:
    """Write a file of a working folder; a full disk is a failed conversion.

    Raises:
        ConversionError: naming the file and the reason.
    """
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConversionError(f"cannot write {path}: {error.strerror}; free some space or set TMPDIR") from None


def make_folder(path: Path) -> Path:
    """A folder with its parents; one that is there already is taken.

    Raises:
        ConversionError: naming the folder and the reason.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConversionError(f"cannot make {path}: {error.strerror}; free some space or set TMPDIR") from None
    return path


def sha256(path: Path) -> str:
    """Hexadecimal digest of a file."""
    with open_file(path) as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()


def obstacle(target: Path, parents: bool = False) -> str | None:
    """Why no file or folder can be written at a path; None when one can.

    Args:
        parents: the folders above it are going to be made.
    """
    if problem := why_unusable(target):
        return problem
    folder = existing_parent(target) if parents else target.parent
    if not os.path.lexists(folder):
        return f"no folder {folder}; make it first"
    if not os.path.isdir(folder):
        return f"{folder} is not a folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"no permission to write to {folder}"
    probe = folder / f".lt-export-{secrets.token_hex(4)}"
    try:  # of /proc and the like, whatever the permissions say
        os.mkdir(probe)
    except OSError as error:
        return f"nothing can be made in {folder} ({reason(error)})"
    finally:  # also where a signal ends the run just now
        with contextlib.suppress(OSError):
            os.rmdir(probe)
    return None


def existing_parent(target: Path) -> Path:
    """The nearest folder above a path that is there."""
    return next(path for path in Path(os.path.abspath(target)).parents if os.path.lexists(path))


def obstacle_to_file(path: Path, mark: bytes, parents: bool = False) -> str | None:
    """Why a file that was asked for is not written at a path; None where it is.

    What is there already is replaced only where an earlier run of ours wrote it, or where it is empty.

    Args:
        mark: what the beginning or the end of such a file holds.
        parents: as :func:`obstacle`.
    """
    if problem := why_unusable(path):
        return problem.replace("a file or a folder", "a file to write")
    place = Path(os.path.realpath(path))  # a link is followed, so that it stays one
    if os.path.isdir(place):
        return "is a folder, expected a file to write"
    if os.path.lexists(place) and not marked(place, mark):
        return "is a file that no run of this program wrote; nothing was touched: move it away or choose another name"
    return obstacle(place, parents)


def marked(path: Path, mark: bytes) -> bool:
    """Whether a file is empty, or has a mark near its beginning or its end."""
    try:
        with open_file(path) as reader:
            start = reader.read(MARK_WITHIN)
            reader.seek(max(0, os.fstat(reader.fileno()).st_size - MARK_WITHIN))
            return not start or mark in start or mark in reader.read(MARK_WITHIN)
    except OSError:
        return False


def missing_parents(target: Path) -> list[Path]:
    """The folders above a path that are not there, the deepest first."""
    return [path for path in Path(os.path.abspath(target)).parents if not os.path.lexists(path)]


def remove_empty(folders: list[Path]) -> None:
    """Remove folders that were made for a result, where nothing came to be in them."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


@contextmanager
def _removed_behind_us(draft: Path) -> Iterator[None]:
    """A small shell removes the draft where this process dies without a word; none where there can be none."""
    shell = None
    if os.name == "posix":
        with contextlib.suppress(OSError):
            shell = subprocess.Popen(
                ["/bin/sh", "-c", _JANITOR, "sh", str(draft)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=AWAY,
                process_group=0,
            )
    try:
        yield
    finally:
        if shell is not None:
            shell.kill()
            shell.communicate()


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A path beside the target, for the block to write a file or a folder to; it takes the target's place at the end.

    When the block fails or writes nothing, what was there stays. A link is followed, so that it stays one.

    Raises:
        OSError: when the two cannot be exchanged.
    """
    place = target.resolve()
    suffix = place.suffix if len(os.fsencode(place.suffix)) <= LONGEST_SUFFIX else ""
    draft = place.with_name(f".{shortened(place.stem)}.{secrets.token_hex(4)}{suffix}")
    with _removed_behind_us(draft), unfinished(draft):
        try:
            yield draft
            if draft.exists():
                put_in_place(draft, place)
        finally:
            with contextlib.suppress(OSError):
                remove(draft)


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """What is at a path while the block runs is nothing that anybody wants, should the process have to end there."""
    _unfinished.add(path)
    try:
        yield path
    finally:
        _unfinished.discard(path)


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """A temporary folder, gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix=prefix) as folder, unfinished(Path(folder)) as path:
        yield path


@contextmanager
def guarded_scratch(prefix: str) -> Iterator[Path]:
    """Likewise, and gone when this process dies without a word."""
    with scratch(prefix) as folder, _removed_behind_us(folder):
        yield folder


def remove_unfinished() -> None:
    """Remove what is unfinished, for a process that ends in the middle of it."""
    for path in list(_unfinished):
        with contextlib.suppress(OSError):
            remove(path)


def remove(path: Path) -> None:
    """Remove a file, or a folder with what is in it, as far as it is there and can be removed."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def put_in_place(draft: Path, place: Path, check: Callable[[], None] = lambda: None) -> None:
    """Put a file or a folder where another may be; an old folder ends up in the draft's place.

    Args:
        draft: in the same folder as ``place``.
        check: raises when what is there must not be replaced; called before every attempt.

    Raises:
        OSError: when that fails; what was there is as before.
    """
    for _ in range(ATTEMPTS):
        check()
        try:
            os.replace(draft, place)  # a folder: onto nothing or an empty folder
            return
        except OSError:
            if not (draft.is_dir() and place.is_dir()):
                raise
        if exchange(draft, place):
            return
    raise OSError(errno.EBUSY, "other runs keep replacing it")


def exchange(new: Path, old: Path) -> bool:
    """Exchange two folders in one step; where the system cannot, in two, undone when the second fails.

    Returns:
        false when somebody has moved the old one meanwhile.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        at_working_folder, swap = -100, 2
        if hasattr(libc, "renameat2"):
            if libc.renameat2(at_working_folder, os.fsencode(new), at_working_folder, os.fsencode(old), swap) == 0:
                return True
            if ctypes.get_errno() == errno.ENOENT:
                return False
    aside = aside_of(new)
    os.rename(old, aside)
    try:
        os.rename(new, old)
    except OSError:
        os.rename(aside, old)
        raise
    os.rename(aside, new)
    return True


def shortened(name: str, most: int = 100) -> str:
    """The beginning of a file name, of so many bytes, so that there is room for more behind it."""
    return os.fsencode(name)[:most].decode(errors="ignore")


def aside_of(draft: Path) -> Path:
    """Where an old folder is for a moment where the system cannot exchange two in one step."""
    return draft.with_name(f"{draft.name}.old")
