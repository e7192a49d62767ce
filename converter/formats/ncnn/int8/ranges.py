"""How far int8 reaches: the range with the least error for inputs and for weights."""

import numpy as np

from converter.formats.ncnn.int8.arithmetic import LEVELS

BINS = 4096
NARROWEST = 2.0**-100  # width of a bin to begin with; it doubles until all numbers fit in
SHARES = np.linspace(0.05, 1, 191)  # of the largest input, as the end of the range
WEIGHT_SHARES = np.linspace(0.4, 1, 61)  # of the largest weight
DEAD = 2.0**-20  # of a layer's largest weight: a channel with less counts as one with as much


class Histogram:
    """Of absolute values, as they come; the same arrays in the same order give the same ranges.

    Its bins double in width when a number is beyond them.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(BINS)
        self._width = 0.0
        self.largest = 0.0

    def add(self, channels: np.ndarray, weights: np.ndarray) -> None:
        """Count numbers in; zeros are left out, for they are exact with every range.

        Args:
            channels: (channels, numbers) float32, finite.
            weights: (channels,), how much the square of an error counts in each.
        """
        sizes = np.abs(channels)
        largest = float(sizes.max(initial=0))
        if not largest:
            return
        self.largest = max(self.largest, largest)
        self._reach(largest)
        places = np.minimum((sizes * np.float32(1 / self._width)).astype(np.int64), BINS - 1)
        counted = np.where(sizes > 0, weights[:, np.newaxis], 0)
        self._counts += np.bincount(places.ravel(), counted.ravel(), BINS)

    def _reach(self, largest: float) -> None:
        if not self._width:
            self._width = float(2.0 ** np.ceil(np.log2(max(largest, NARROWEST)))) / BINS
        while largest > self._width * BINS:
            self._counts = np.concatenate([self._counts.reshape(-1, 2).sum(1), np.zeros(BINS // 2)])
            self._width *= 2

    def range(self) -> float:
        """Where int8 should end so that the sum of squares of all errors is least; 0 where all numbers are zero."""
        if not self.largest:
            return 0.0
        filled = np.nonzero(self._counts)[0]
        centres, counts = (filled + 0.5) * self._width, self._counts[filled]
        ends = self.largest * SHARES[:, np.newaxis]
        steps = ends / LEVELS
        nearest = np.minimum(np.floor(centres / steps + 0.5), LEVELS) * steps
        errors = ((centres - nearest) ** 2 * counts).sum(1)
        return float(ends[np.argmin(errors), 0])


def input_scale(reach: float) -> np.float32:
    """What an input is multiplied by; 1 where it is always zero."""
    return np.float32(LEVELS / reach) if reach else np.float32(1)


def weight_scales(weights: np.ndarray, importance: np.ndarray, levels: int) -> np.ndarray:
    """What the weights of each channel are multiplied by, (channels,) float32, so that their error counts least.

    A channel of zeros has 1; one of next to nothing is not blown up to the whole range.

    Args:
        weights: (channels, weights of one) float32.
        importance: of the same shape, how much the square of an error counts.
        levels: the largest whole number that a weight may become.
    """
    largest = np.abs(weights).max(1).astype(np.float64)
    reach = np.maximum(largest, DEAD * largest.max(initial=0))
    reach[reach == 0] = levels
    best, least = reach, np.full(len(weights), np.inf)
    wide = weights.astype(np.float64)
    for share in WEIGHT_SHARES[::-1]:
        steps = (share * reach / levels)[:, np.newaxis]
        nearest = np.clip(np.rint(wide / steps), -levels, levels) * steps
        errors = ((wide - nearest) ** 2 * importance).sum(1)
        best, least = np.where(errors < least, share * reach, best), np.minimum(errors, least)
    return np.asarray((levels / best).astype(np.float32))
