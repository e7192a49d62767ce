"""What is known of the parts of a long run: lines of JSON, each whole on the disk before the next begins."""

import contextlib
import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from converter.errors import ConversionError, UsageError
from converter.folder.listing import GENERATOR, SCHEMA_VERSION
from converter.util.paths import read_bytes
from converter.util.version import version

LARGEST = 1 << 30  # bytes
Record = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """Whose journal it is.

    Attributes:
        command: that writes it.
        part: the key that names a part of its run in a line.
        is_result: (what a line says) -> whether it can be one of the command's.
        elsewhere: what to do where another run has it, in a phrase.
    """

    command: str
    part: str
    is_result: Callable[[Record], bool]
    elsewhere: str

    @property
    def start(self) -> bytes:
        """How a file of it begins."""
        return json.dumps({"generator": GENERATOR, "command": self.command}).removesuffix("}").encode()


class Journal:
    """What a run has found out, by part; what one line says of a part, a later one adds to.

    Args:
        path: of the file; made where it is not there.
        kind: of it.

    Raises:
        UsageError: when another run has it, or it is no file of ours.
        ConversionError: when it cannot be written.
    """

    def __init__(self, path: Path, kind: Kind) -> None:
        self.path, self.kind = path, kind
        self.records: dict[str, Record] = {}
        try:
            flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | flags, 0o644)
        except OSError as error:
            raise ConversionError(f"cannot write {path}: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise UsageError(f"{path}: another {kind.command} works in this folder; {kind.elsewhere}") from None
        try:
            self._read()
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def _read(self) -> None:
        self.records, whole = read_records(self.path, self.kind)
        os.ftruncate(self._file, whole)  # what a run that was killed had begun to write
        if not whole:
            command = self.kind.command
            self._append({"generator": GENERATOR, "command": command, "version": version(), "schema": SCHEMA_VERSION})

    def add(self, key: str, record: Record) -> None:
        """Append what is known of a part now.

        Raises:
            ConversionError: when the disk is full; the file then ends with the line before.
        """
        self._append({self.kind.part: key, **record})
        self.records.setdefault(key, {}).update(record)

    def _append(self, line: Record) -> None:
        data = f"{json.dumps(line, allow_nan=False)}\n".encode()
        size = os.fstat(self._file).st_size
        try:
            written = os.write(self._file, data)
            if written < len(data):
                raise OSError(28, "No space left on device")
            os.fsync(self._file)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, size)
            raise ConversionError(
                f"cannot write {self.path}: {error.strerror}; what is finished is kept: free some space and start again"
            ) from None


def read_records(path: Path, kind: Kind) -> tuple[dict[str, Record], int]:
    """What a journal says of every part, and how many bytes of it are whole lines.

    Raises:
        UsageError: for a file that the command did not write; naming the first line that is not one of its.
    """
    try:
        data = read_bytes(path, LARGEST)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; expected results of {kind.command}") from None
    whole = data.rfind(b"\n") + 1
    records: dict[str, Record] = {}
    lines = data[:whole].split(b"\n")[:-1] if whole else [data] if data else []
    for number, line in enumerate(lines, 1):
        entry = _entry(line)
        ours = _begins(line, bool(whole), kind) if number == 1 else entry is not None and _is_result(entry, kind)
        if not ours:
            raise UsageError(
                f"{path}, line {number}: is no result of {kind.command}; move the file away, or pass -o DIR"
            )
        if number > 1 and entry is not None:
            records.setdefault(entry.pop(kind.part), {}).update(entry)
    return records, whole


def _entry(line: bytes) -> Record | None:
    """The keys and values of a line; None where it has none."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _begins(line: bytes, whole: bool, kind: Kind) -> bool:
    """Whether a first line, of which the end may be missing, is ours."""
    return line.startswith(kind.start) or (not whole and kind.start.startswith(line))


def _is_result(entry: Record, kind: Kind) -> bool:
    return isinstance(entry.get(kind.part), str) and kind.is_result(entry)
