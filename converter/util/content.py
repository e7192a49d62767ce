"""Files as they were read, once: what is hashed, what is run and what is published are the same bytes."""

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from converter.errors import ConversionError
from converter.util.paths import read_bytes

LARGEST = 2**31 - 1  # bytes; ONNX has the same limit
SEALED = hasattr(os, "memfd_create") and hasattr(fcntl, "F_ADD_SEALS") and Path("/proc/self/fd").is_dir()


@dataclass(frozen=True)
class Content:
    """A file as it was read.

    Attributes:
        path: where it was.
        data: all of it.
        sha256: of that, hexadecimal.
    """

    path: Path
    data: bytes = field(repr=False)
    sha256: str

    @classmethod
    def holding(cls, path: Path, data: bytes) -> "Content":
        return cls(path, data, hashlib.sha256(data).hexdigest())

    @property
    def name(self) -> str:
        return self.path.name

    @contextmanager
    def on_disk(self) -> Iterator[Path]:
        """A path that these bytes are read from, for a library that opens files itself; nobody can change them.

        Raises:
            ConversionError: when there is no memory, or no place, for a copy.
        """
        try:
            with contextlib.ExitStack() as stack:
                yield Path(stack.enter_context(_sealed(self.data) if SEALED else _copied(self.data)))
        except OSError as error:
            raise ConversionError(f"cannot keep a copy of {self.path}: {error.strerror}") from None


File = Path | Content


def content_of(file: File) -> Content:
    """A file that was read already, or that is read now.

    Raises:
        ConversionError: when it is no file, cannot be read, or is larger than any model.
    """
    if isinstance(file, Content):
        return file
    try:
        return Content.holding(file, read_bytes(file, LARGEST))
    except OSError as error:
        raise ConversionError(f"cannot read {file}: {error.strerror}") from None


class Contents:
    """Files, each of which is read once, however often it is asked for."""

    def __init__(self) -> None:
        self._read: dict[Path, Content] = {}

    def of(self, paths: Iterable[Path]) -> tuple[Content, ...]:
        """Raises:
        ConversionError: as :func:`content_of`.
        """
        return tuple(self._one(path) for path in paths)

    def where_there(self, paths: Iterable[Path]) -> tuple[File, ...]:
        """Likewise; a file that cannot be read stays a path, for whoever loads it to say why."""
        files: list[File] = []
        for path in paths:
            try:
                files.append(self._one(path))
            except ConversionError:
                files.append(path)
        return tuple(files)

    def keep(self, path: Path, data: bytes) -> None:
        """What was written to a file, so that nothing else that may be there is taken for it."""
        self._read[path] = Content.holding(path, data)

    def _one(self, path: Path) -> Content:
        if path not in self._read:
            self._read[path] = content_of(path)
        return self._read[path]


@contextmanager
def _sealed(data: bytes) -> Iterator[str]:
    descriptor = os.memfd_create("model", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)


@contextmanager
def _copied(data: bytes) -> Iterator[str]:
    """Where the system has no files in memory: a file that only this user can open."""
    with tempfile.NamedTemporaryFile(prefix="lt-model-") as copy:
        copy.write(data)
        copy.flush()
        yield copy.name
