"""Numbers from the files a device wrote: .npy, raw binary, text."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converter.util.paths import read_bytes, why_no_file

RAW = (".bin", ".raw")
TEXT = (".txt", ".csv", ".dat")
EXTENSIONS = (".npy", *RAW, *TEXT)
# What a number takes at most as text, with its separator; a file beyond that is not read at all.
_LONGEST_NUMBER = 64


class DumpError(ValueError):
    """A file that cannot be read as the tensor it is named after; the message says why."""


@dataclass(frozen=True)
class Numbers:
    """What a file holds.

    Attributes:
        values: flat float32, in the file's order.
        shape: as the file says it (.npy), or None.
        stored: how: "float32", "float16", "text", ...
    """

    values: np.ndarray
    shape: tuple[int, ...] | None
    stored: str


def read_numbers(path: Path, counts: Sequence[int], pixels: bool) -> Numbers:
    """Read a file that should hold one of ``counts`` numbers, the likeliest first.

    Args:
        pixels: whether raw bytes may be meant, one number each.

    Raises:
        DumpError: when it cannot be read. Another count is an error only where it leaves open how numbers are stored.
    """
    try:
        if reason := why_no_file(path):
            raise DumpError(reason)
        size = path.stat().st_size
        if size == 0:
            raise DumpError("is empty")
        if size > _LONGEST_NUMBER * max(counts) * 4 + 4096:
            raise DumpError(f"has {size} bytes, far too many for {counts[0]} numbers")
        if path.suffix.lower() == ".npy":
            return _npy(path)
        data = read_bytes(path)
    except OSError as error:
        raise DumpError(f"cannot be read: {error.strerror}") from None
    return _raw(data, counts, pixels) if path.suffix.lower() in RAW else _text(data)


def _npy(path: Path) -> Numbers:
    try:
        array = np.load(path, allow_pickle=False)
        shape = array.shape
    except OSError as error:
        raise DumpError(f"cannot be read: {error.strerror or 'not a .npy file'}") from None
    except Exception as error:  # numpy raises many types on a damaged header
        raise DumpError(f"is no .npy of numbers: {str(error).partition(chr(10))[0]}") from None
    if array.dtype.kind not in "fiub":
        raise DumpError(f"holds {array.dtype}, expected numbers such as float32")
    return Numbers(_float32(array.ravel()), shape, str(array.dtype))


def _raw(data: bytes, counts: Sequence[int], pixels: bool) -> Numbers:
    kinds = [("<f4", "float32"), ("<f2", "float16")] + ([("u1", "uint8")] if pixels else [])
    for dtype, stored in kinds:
        for count in counts:
            if len(data) == count * np.dtype(dtype).itemsize:
                return Numbers(_float32(np.frombuffer(data, dtype)), None, stored)
    expected = f"expected {counts[0] * 4} (float32) or {counts[0] * 2} (float16)"
    raise DumpError(f"has {len(data)} bytes, {expected}{multiple(len(data) / 4, counts[0])}")


def _text(data: bytes) -> Numbers:
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DumpError("is not text; name raw numbers .bin") from None
    numbers = []
    for index, line in enumerate(lines, 1):
        if line.lstrip().startswith("#"):
            continue
        for word in line.replace(",", " ").replace(";", " ").split():
            try:
                numbers.append(float(word))
            except ValueError:
                raise DumpError(f"line {index}: {word[:20]!r} is no number") from None
    if not numbers:
        raise DumpError("holds no number")
    return Numbers(_float32(np.array(numbers)), None, "text")


def _float32(array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def multiple(count: float, expected: int) -> str:
    """What a count that is off may mean, to be put behind a message."""
    for small, large, meaning in (
        (expected, count, "as many, as a batch or several outputs in one file would have"),
        (count, expected, "of it, as a part of the channels or a smaller crop would have"),
    ):
        if small and large > small and math.isclose(large / small, round(large / small)):
            share = f"{large / small:.0f} times" if small == expected else f"one {large / small:.0f}th"
            return f": {share} {meaning}"
    return ""
