"""In which order a device may have written a tensor's numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from converter.checks.dumps.causes import MISREAD, PACKED, PADDED, TRANSPOSED, Cause

_PACKS = (4, 8)
_ALIGNMENTS = (4, 8)


@dataclass(frozen=True, eq=False)
class Layout:
    """An order of numbers.

    Attributes:
        name: for the report.
        order: positions in the file so that ``values[order]`` is NCHW.
        cause: what is wrong with it; None where it is as good as NCHW.
    """

    name: str
    order: np.ndarray
    cause: Cause | None


@lru_cache(maxsize=64)
def layouts(shape: tuple[int, ...]) -> tuple[Layout, ...]:
    """Every order that can be told apart on this shape, the usual ones first."""
    size = int(np.prod(shape))
    index = np.arange(size)
    candidates = [Layout("NCHW", index, None)]
    if len(shape) == 4 and shape[0] == 1:
        _, channels, height, width = shape
        last = index.reshape(height, width, channels).transpose(2, 0, 1).ravel()
        first = index.reshape(channels, height, width).transpose(1, 2, 0).ravel()
        candidates += [
            Layout("NHWC", last, None),
            Layout("NCWH", index.reshape(channels, width, height).transpose(0, 2, 1).ravel(), TRANSPOSED),
            Layout("NWHC", index.reshape(width, height, channels).transpose(2, 1, 0).ravel(), TRANSPOSED),
            Layout("NCHW read as NHWC", np.argsort(last), MISREAD),
            Layout("NHWC read as NCHW", np.argsort(first)[last], MISREAD),
        ]
        for pack in _PACKS:
            if channels % pack == 0 and channels > pack:
                candidates.append(Layout(f"packed by {pack}", _unpacked(channels, height, width, pack), PACKED))
    different: dict[bytes, Layout] = {}
    for layout in candidates:
        different.setdefault(layout.order.tobytes(), layout)
    return tuple(different.values())


def right_layouts(shape: Sequence[int]) -> tuple[Layout, ...]:
    """NCHW and NHWC."""
    return tuple(layout for layout in layouts(tuple(shape)) if layout.cause is None)


def _unpacked(channels: int, height: int, width: int, pack: int) -> np.ndarray:
    """Positions of the numbers of a packed tensor whose last pack may be filled up."""
    packs = -(-channels // pack)
    index = np.arange(packs * pack * height * width).reshape(packs, height, width, pack)
    return index.transpose(0, 3, 1, 2).ravel()[: channels * height * width]


def padded_orders(shape: Sequence[int]) -> dict[int, tuple[np.ndarray, Cause]]:
    """Counts of numbers that are more than the tensor has: positions of the real ones, and why.

    ncnn begins every channel at a multiple of 16 bytes; runtimes with packed channels fill the last pack.
    """
    if len(shape) != 4 or shape[0] != 1:
        return {}
    _, channels, height, width = shape
    area = height * width
    padded: dict[int, tuple[np.ndarray, Cause]] = {}
    for alignment in _ALIGNMENTS:
        step = -(-area // alignment) * alignment
        positions = (np.arange(channels)[:, None] * step + np.arange(area)).ravel()
        if step != area:
            padded.setdefault(channels * step, (positions, PADDED))
            if channels > 1:
                padded.setdefault((channels - 1) * step + area, (positions, PADDED))
    for pack in _PACKS:
        if channels % pack:
            filled = -(-channels // pack) * pack
            padded.setdefault(filled * area, (_unpacked(channels, height, width, pack), PACKED))
    return padded


def contradicts(declared: Sequence[int] | None, shape: Sequence[int], layout: Layout) -> bool:
    """Whether the shape a file gives itself is that of the other one of NCHW and NHWC."""
    if declared is None or len(shape) != 4 or layout.name not in ("NCHW", "NHWC"):
        return False
    _, channels, height, width = shape
    sizes = {"NCHW": (channels, height, width), "NHWC": (height, width, channels)}
    told = tuple(declared)[1:] if len(declared) == 4 and declared[0] == 1 else tuple(declared)
    other = sizes["NHWC" if layout.name == "NCHW" else "NCHW"]
    return sizes["NCHW"] != sizes["NHWC"] and told == other and 1 not in sizes["NCHW"]
