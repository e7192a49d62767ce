"""What lies at a path that somebody named. No option of ours takes a pipe, a device or a socket, and none is opened."""

import errno
import os
import stat
from io import BufferedReader, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Data = TypeVar("Data", int, bytes)

BLOCK = 1 << 20  # bytes
NOT_THERE = (errno.ENOENT, errno.ENOTDIR)
_OTHER_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def why_unusable(path: Path) -> str | None:
    """Why neither a file nor a folder is or can come to be at a path, in a phrase; None where one is or can.

    A link is followed; a link to nothing counts as nothing.
    """
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
    except OSError as error:
        return None if error.errno in NOT_THERE else reason(error)
    except ValueError as error:
        return f"no path ({error})"
    return f"is {_OTHER_KINDS[kind]}, expected a file or a folder" if kind in _OTHER_KINDS else None


def why_no_file(path: Path) -> str | None:
    """Why a file cannot be read at a path, in a phrase; None where it can be opened."""
    if problem := why_unusable(path):
        return problem.replace("a file or a folder", "a file")
    if not os.path.exists(path):
        return "a link to nothing" if os.path.islink(path) else "no such file"
    if os.path.isdir(path):
        return "is a folder"
    return None if os.access(path, os.R_OK) else "permission denied"


def why_no_folder(path: Path) -> str | None:
    """Why a folder's files cannot be listed and read, in a phrase; None where they can."""
    if problem := why_unusable(path):
        return problem.replace("a file or a folder", "a folder")
    if not os.path.exists(path):
        return "a link to nothing" if os.path.islink(path) else "no such folder"
    if not os.path.isdir(path):
        return "is a file"
    return None if os.access(path, os.R_OK | os.X_OK) else "permission denied"


class _Ready(FileIO):
    """A file whose bytes are there; for one that has none for now, as in ``/proc``, Python says None."""

    def readinto(self, buffer: "WriteableBuffer") -> int:
        count: int | None = super().readinto(buffer)
        return _there(count)

    def readall(self) -> bytes:
        return _there(super().readall())


def _there(data: Data | None) -> Data:
    if data is None:
        raise OSError(errno.EAGAIN, "has nothing to be read for now, expected a file")
    return data


def open_file(path: Path) -> BufferedReader:
    """A file, to read from; what is none is not waited for.

    Raises:
        OSError: whose ``strerror`` says why it cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except ValueError as error:
        raise OSError(errno.EINVAL, f"no path ({error})", str(path)) from None
    try:
        kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
        if kind == stat.S_IFDIR:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if kind in _OTHER_KINDS:
            raise OSError(errno.EINVAL, f"is {_OTHER_KINDS[kind]}, expected a file", str(path))
        return BufferedReader(_Ready(descriptor))
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: Path, most: int | None = None) -> bytes:
    """What a file holds.

    Args:
        most: bytes; of a longer file nothing is kept.

    Raises:
        OSError: as :func:`open_file`, and for a file that is longer.
    """
    with open_file(path) as reader:
        if most is None:
            return reader.read()
        size = os.fstat(reader.fileno()).st_size
        data = reader.read(size + 1) if size <= most else b""  # not of most: its buffer is made at once
        while size < len(data) <= most and (more := reader.read(BLOCK)):  # it grows, or has no size, as in /proc
            data += more
    if max(size, len(data)) > most:
        raise OSError(errno.EFBIG, f"has {max(size, len(data))} bytes, expected at most {most}", str(path))
    return data


def reason(error: OSError | RuntimeError) -> str:
    """Why a path cannot be used, in a phrase."""
    if isinstance(error, RuntimeError) or error.errno == errno.ELOOP:
        return "a link that leads to itself"
    return (error.strerror or type(error).__name__).lower()
