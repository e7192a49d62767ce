"""What is known of every cell: lines of JSON that are appended, each whole on the disk before the next begins."""

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import Any, Self

from converter.errors import ConversionError, UsageError
from converter.folder.listing import GENERATOR, SCHEMA_VERSION
from converter.util.paths import read_bytes
from converter.util.version import version

LARGEST = 1 << 30  # bytes
COMMAND = "lt-matrix"
Record = dict[str, Any]


class Journal:
    """The results of one run's cells, by key; what one line says of a cell, a later one adds to.

    Args:
        path: of the file; made where it is not there.

    Raises:
        UsageError: when another run has it, or it is no file of ours.
        ConversionError: when it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: dict[str, Record] = {}
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ConversionError(f"cannot write {path}: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise UsageError(f"{path}: another lt-matrix works in this folder; wait for it, or pass --shard") from None
        self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def _read(self) -> None:
        self.records, whole = read_records(self.path)
        os.ftruncate(self._file, whole)  # what a run that was killed had begun to write
        if not whole:
            self._append({"generator": GENERATOR, "command": COMMAND, "version": version(), "schema": SCHEMA_VERSION})

    def add(self, key: str, record: Record) -> None:
        """Append what is known of a cell now.

        Raises:
            ConversionError: when the disk is full; the file then ends with the line before.
        """
        self._append({"cell": key, **record})
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


def read_records(path: Path) -> tuple[dict[str, Record], int]:
    """What a file of results says of every cell, and how many bytes of it are whole lines.

    Raises:
        UsageError: for a file that lt-matrix did not write; naming the first line that is not one of its.
    """
    try:
        data = read_bytes(path, LARGEST)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; expected results of lt-matrix") from None
    whole = data.rfind(b"\n") + 1
    records: dict[str, Record] = {}
    for number, line in enumerate(data[:whole].splitlines(), 1):
        try:
            entry = json.loads(line)
            ours = entry.get("command") == COMMAND if number == 1 else isinstance(entry.get("cell"), str)
        except (ValueError, AttributeError, RecursionError):
            ours = False
        if not ours:
            raise UsageError(f"{path}, line {number}: is no result of lt-matrix; move the file away, or pass -o DIR")
        if number > 1:
            records.setdefault(entry.pop("cell"), {}).update(entry)
    return records, whole
