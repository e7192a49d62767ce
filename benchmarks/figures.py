"""Medians, spreads, and ratios pair by pair."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.measure import Run
from converter.bench.statistics import Figures, figures

ENOUGH_PAIRS = 5


@dataclass(frozen=True)
class Comparison:
    """A quantity of flow A and of flow B, run alternately.

    Attributes:
        a, b: each flow's own figures, in the quantity's unit.
        ratios: B / A of the runs that belong together, in order.
        ratio: their figures.
    """

    a: Figures
    b: Figures
    ratios: tuple[float, ...]
    ratio: Figures

    @property
    def doubtful(self) -> bool:
        """Whether some pairs say that B needs less than A, and some that it does not."""
        return self.ratio.low <= 1 <= self.ratio.high

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "doubtful": self.doubtful}


def compare(a: Sequence[float], b: Sequence[float]) -> Comparison:
    """Runs of A and of B; those at the same place were run one after the other.

    Raises:
        ValueError: when there are none, or not equally many of both.
    """
    ratios = tuple(second / first for first, second in zip(a, b, strict=True))
    return Comparison(figures(a), figures(b), ratios, figures(ratios))


def compare_runs(a: Sequence[Run], b: Sequence[Run]) -> dict[str, Comparison]:
    """``seconds``, ``cpu_seconds`` and ``peak_bytes`` of the runs of both flows."""
    return {
        quantity: compare([getattr(run, quantity) for run in a], [getattr(run, quantity) for run in b])
        for quantity in ("seconds", "cpu_seconds", "peak_bytes")
    }


def warnings_about(wall: Comparison) -> list[str]:
    """What a reader of the wall times has to know before believing in an order."""
    warnings = []
    if wall.doubtful:
        warnings.append(
            f"the ratios of the pairs lie on both sides of 1 ({wall.ratio.low:.2f} to {wall.ratio.high:.2f}): "
            "which flow is faster is in doubt; run more pairs on a quieter machine"
        )
    if len(wall.ratios) < ENOUGH_PAIRS:
        warnings.append(f"only {len(wall.ratios)} of {ENOUGH_PAIRS} pairs or more: a hint, not a measurement")
    return warnings
