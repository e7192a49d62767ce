"""Medians, spreads, and whether an order can be believed."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

import numpy as np

LEVEL = 0.05  # an order that chance alone would give more often is doubtful
FEWEST_ROUNDS = 6  # with fewer, even one that is the same in every round is


@dataclass(frozen=True)
class Figures:
    """Some numbers in short, in their own unit.

    Attributes:
        median, low, high: the latter two are the smallest and the largest.
        p10, p90: a tenth lies below the one and above the other, interpolated between neighbours.
        count: of the numbers.
    """

    median: float
    p10: float
    p90: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Order:
    """Two candidates, by their medians of every round.

    Attributes:
        ratio: slower / faster, round by round.
        won: rounds in which the one with the smaller median was faster, of those in which they differed.
        lost: the others of those.
        chance: how often equally fast candidates would differ in as many rounds, 0 to 1 (two-sided sign test).
    """

    ratio: Figures
    won: int
    lost: int
    chance: float

    @property
    def doubtful(self) -> bool:
        return self.chance > LEVEL or self.won <= self.lost


def figures(values: Sequence[float]) -> Figures:
    """Raises:
    ValueError: when there are no values.
    """
    middle = median(values)
    p10, p90 = map(float, np.percentile(values, (10, 90)))
    return Figures(middle, p10, p90, low=min(values), high=max(values), count=len(values))


def sign_test(won: int, lost: int) -> float:
    """How often a fair coin, thrown ``won + lost`` times, would fall as unevenly as this or more so; 1 for no throw."""
    throws = won + lost
    tail = sum(comb(throws, fewer) for fewer in range(min(won, lost) + 1))
    return min(1.0, 2 * tail / (1 << throws))


def order_of(faster: Sequence[float], slower: Sequence[float]) -> Order:
    """How sure an order is; numbers at the same place are of the same round.

    Raises:
        ValueError: when there are none, or not equally many.
    """
    pairs = list(zip(faster, slower, strict=True))
    won = sum(first < second for first, second in pairs)
    lost = sum(first > second for first, second in pairs)
    return Order(figures([second / first for first, second in pairs]), won, lost, sign_test(won, lost))
