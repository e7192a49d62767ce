"""Ranges that tensors are rounded to 256 steps in: what tensors hold as histograms, and the range that loses least."""

from dataclasses import dataclass

import numpy as np

BINS = 4096
TRIED = 128  # ends of a range on each side
STEPS = 255


@dataclass(frozen=True)
class Range:
    """How a tensor is rounded: to ``scale`` · (0 … 255 − ``zero``).

    Attributes:
        scale: of a step, as float32 has it.
        zero: the step that stands for 0.
    """

    scale: float
    zero: int

    @classmethod
    def between(cls, low: float, high: float) -> "Range":
        """The one that reaches from low to high; 0 is in it."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = float(np.nextafter(np.float32((high - low) / STEPS), np.float32(0)))  # so that no end is beyond theirs
        if not scale > 0 or not np.isfinite(np.float32(1 / scale)):
            return cls(1.0, 0)
        return cls(scale, int(np.clip(np.rint(-low / scale), 0, STEPS)))

    @property
    def ends(self) -> tuple[np.float32, np.float32]:
        """The least and the largest number in it, as a runtime computes them."""
        scale = np.float32(self.scale)
        return np.float32(-self.zero) * scale, np.float32(STEPS - self.zero) * scale

    def rounded(self, array: np.ndarray) -> np.ndarray:
        """The array, float32, after rounding."""
        scale = np.float32(self.scale)
        steps = np.clip(np.rint(array / scale) + np.float32(self.zero), 0, STEPS)
        return np.asarray((steps - np.float32(self.zero)) * scale, np.float32)


@dataclass(frozen=True, eq=False)
class Histogram:
    """How often a tensor holds what.

    Attributes:
        low, high: the least and the largest number.
        counts: of numbers in equal bins between them, (4096,); added to.
    """

    low: float
    high: float
    counts: np.ndarray

    @classmethod
    def between(cls, low: float, high: float) -> "Histogram":
        """An empty one."""
        return cls(low, high, np.zeros(BINS, np.int64))

    def add(self, array: np.ndarray) -> None:
        """Count an array's numbers."""
        width = (self.high - self.low) / BINS
        if width > 0:
            places = ((array.reshape(-1) - np.float32(self.low)) * np.float32(1 / width)).astype(np.int32)
            self.counts[:] += np.bincount(np.clip(places, 0, BINS - 1), minlength=BINS)


def best_range(histogram: Histogram) -> Range:
    """The range with the least mean square of what is lost: steps inside, and what is cut off outside."""
    low, high = histogram.low, histogram.high
    if not high > low:
        return Range.between(low, high)
    centres = low + (np.arange(BINS) + 0.5) * (high - low) / BINS
    counts = histogram.counts.astype(np.float64)
    sums = [np.concatenate([[0.0], np.cumsum(each)]) for each in (counts, counts * centres, counts * centres**2)]
    tops, bottoms = _tried(max(high, 0.0)), _tried(min(low, 0.0))
    above, below = ([_bin(end, histogram) for end in ends] for ends in (tops, bottoms))
    lost_above = np.array([_square(sums, place, BINS, end) for place, end in zip(above, tops, strict=True)])
    lost_below = np.array([_square(sums, 0, place, end) for place, end in zip(below, bottoms, strict=True)])
    inside = sums[0][above][np.newaxis] - sums[0][below][:, np.newaxis]
    steps = (tops[np.newaxis] - bottoms[:, np.newaxis]) / STEPS
    loss = lost_below[:, np.newaxis] + lost_above[np.newaxis] + steps**2 / 12 * np.maximum(inside, 0)
    bottom, top = np.unravel_index(int(loss.argmin()), loss.shape)
    return Range.between(float(bottoms[bottom]), float(tops[top]))


def _tried(end: float) -> np.ndarray:
    """Ends of ranges between 0 and the end of what a tensor holds."""
    return np.linspace(end, end / TRIED, TRIED) if end else np.zeros(1)


def _bin(value: float, histogram: Histogram) -> int:
    """Which bin begins at a number, or nearest to it."""
    share = (value - histogram.low) / (histogram.high - histogram.low)
    return int(np.clip(np.rint(share * BINS), 0, BINS))


def _square(sums: list[np.ndarray], start: int, stop: int, value: float) -> float:
    """The sum of the squares of what is lost in some bins where all in them becomes one value."""
    count, total, squares = (float(each[stop] - each[start]) for each in sums)
    return max(squares - 2 * value * total + value * value * count, 0.0)
