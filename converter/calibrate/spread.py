"""Which frames of a clip to calibrate on: spread over time, sizes of the target and scores."""

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np

Item = TypeVar("Item")
PARTS = 3  # of sizes and of scores


class Thinned(Generic[Item]):
    """At most so many of what comes, evenly over time, however much it is.

    Args:
        most: 2 or more.
    """

    def __init__(self, most: int) -> None:
        self.items: list[Item] = []
        self._most, self._every = most, 1

    def wants(self, index: int) -> bool:
        """Whether the item of this number, from 0, is to be offered."""
        return index % self._every == 0

    def add(self, item: Item) -> None:
        self.items.append(item)
        if len(self.items) > self._most:
            del self.items[1::2]
            self._every *= 2


def spread(sizes: Sequence[float], scores: Sequence[float], count: int, seed: int) -> list[int]:
    """Places of so many of a clip's frames, in order: one of every stretch of time, that whose size and score are
    rarest among those chosen before.

    Args:
        sizes, scores: of every frame, in order of time.
        count: 1 or more; all where there are not more.
        seed: decides between frames that are as rare.
    """
    frames = len(sizes)
    if frames <= count:
        return list(range(frames))
    generator = np.random.default_rng(seed)
    of_size, of_score = (_parts(values) for values in (sizes, scores))
    bounds = np.linspace(0, frames, count + 1).round().astype(int)
    by_size, by_score = Counter[int](), Counter[int]()
    chosen: list[int] = []
    for first, behind in itertools.pairwise(bounds):
        order = generator.permutation(np.arange(first, behind)).tolist()
        best = min(order, key=lambda place: by_size[of_size[place]] + by_score[of_score[place]])
        by_size[of_size[best]] += 1
        by_score[of_score[best]] += 1
        chosen.append(best)
    return chosen


def _parts(values: Sequence[float]) -> list[int]:
    """Which third of all values each is in; one part where all are the same."""
    array = np.asarray(values, np.float64)
    bounds = np.quantile(array, np.linspace(0, 1, PARTS + 1)[1:-1])
    return np.searchsorted(bounds, array, side="left").tolist()  # type: ignore[no-any-return]
