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
LARGEST_NUMBER, LONGEST_MESSAGE = 2.0**62, 1000  # characters
COMMAND = "lt-matrix"
OUTCOMES = ("verified", "failed", "unfinished")
FIGURES = ("latency", "init_latency", "bytes", "error", "parameters", "multiply_adds", "seconds", "exit_code")
_START = json.dumps({"generator": GENERATOR, "command": COMMAND}).removesuffix("}").encode()
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
            flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | flags, 0o644)
        except OSError as error:
            raise ConversionError(f"cannot write {path}: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise UsageError(f"{path}: another lt-matrix works in this folder; wait for it, or pass --shard") from None
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
    lines = data[:whole].split(b"\n")[:-1] if whole else [data] if data else []
    for number, line in enumerate(lines, 1):
        entry = _entry(line)
        ours = _begins(line, bool(whole)) if number == 1 else entry is not None and _is_result(entry)
        if not ours:
            raise UsageError(f"{path}, line {number}: is no result of lt-matrix; move the file away, or pass -o DIR")
        if number > 1 and entry is not None:
            records.setdefault(entry.pop("cell"), {}).update(entry)
    return records, whole


def _entry(line: bytes) -> Record | None:
    """The keys and values of a line; None where it has none."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _begins(line: bytes, whole: bool) -> bool:
    """Whether a first line, of which the end may be missing, is ours."""
    return line.startswith(_START) or (not whole and _START.startswith(line))


def _is_result(entry: Record) -> bool:
    """Whether what a line says of a cell can be one of ours: its words and figures are, as far as it has them."""
    return (
        isinstance(entry.get("cell"), str)
        and entry.get("outcome", OUTCOMES[0]) in OUTCOMES
        and isinstance(message := entry.get("message", ""), str)
        and len(message) <= LONGEST_MESSAGE
        and all(_is_figure(entry[name]) for name in FIGURES if entry.get(name) is not None)
    )


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LARGEST_NUMBER
