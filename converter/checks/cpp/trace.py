"""What a C++ tracker writes of its steps: a line "frame stage name type count", then the numbers."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from converter.errors import VerificationError

LONGEST_LINE = 200
TYPES: dict[str, np.dtype[Any]] = {"uint8": np.dtype("u1"), "float32": np.dtype("<f4"), "float64": np.dtype("<f8")}
Steps = dict[tuple[str, str], np.ndarray]  # (stage, name) to numbers


def read_trace(path: Path) -> Iterator[tuple[int, Steps]]:
    """Frame by frame what was written.

    Raises:
        VerificationError: for a file that is none.
    """
    frame, steps = 0, Steps()
    with path.open("rb") as reader:
        while line := reader.readline(LONGEST_LINE):
            index, stage, name, array = _entry(line, reader)
            if index != frame and steps:
                yield frame, steps
                steps = Steps()
            frame = index
            steps[stage, name] = array
    if steps:
        yield frame, steps


def _entry(line: bytes, reader: IO[bytes]) -> tuple[int, str, str, np.ndarray]:
    words = line.decode(errors="replace").split()
    try:
        index, stage, name, kind, count = words
        size = int(count) * TYPES[kind].itemsize
        content = reader.read(size)
        if len(content) == size:
            return int(index), stage, name, np.frombuffer(content, TYPES[kind])
    except (ValueError, KeyError):
        pass
    raise VerificationError(f"the C++ tracker's trace has {line[:60]!r}, expected frame, stage, name, type and count")
