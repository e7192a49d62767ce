"""How errors are spread: decades of |difference| as a share of the reference's range."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

SMALLEST, LARGEST = -10, 1


class ErrorHistograms:
    """Counts per format, graph, way of feeding and output, over all inputs.

    A value in bin i has ``10**(SMALLEST + i) <= |difference| / range < 10**(SMALLEST + i + 1)``; the first bin
    holds everything below, the last everything above.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str, str], np.ndarray] = {}

    def observe(self, check: Any, name: str, candidate: np.ndarray, reference: np.ndarray) -> None:
        """Take in one output; one of another shape is left out, and a value that is not finite is above."""
        spread = float(np.ptp(reference)) or 1.0
        if candidate.shape != reference.shape or not candidate.size:
            return
        with np.errstate(divide="ignore", invalid="ignore"):
            decades = np.floor(np.log10(np.abs(candidate.astype(np.float64) - reference) / spread))
        bins = np.nan_to_num(decades, nan=LARGEST, posinf=LARGEST, neginf=SMALLEST).clip(SMALLEST, LARGEST - 1)
        counts = np.bincount((bins - SMALLEST).astype(int).ravel(), minlength=LARGEST - SMALLEST)
        key = (check.format, check.graph, check.how, name)
        self._counts[key] = self._counts.get(key, 0) + counts

    def rows(self) -> tuple["Histogram", ...]:
        return tuple(Histogram(*key, SMALLEST, tuple(counts.tolist())) for key, counts in self._counts.items())


@dataclass(frozen=True)
class Histogram:
    """How the errors of one output are spread; ``counts`` begin with the decade ``first_decade`` of |Δ| / range."""

    format: str
    graph: str
    how: str
    output: str
    first_decade: int
    counts: tuple[int, ...]

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "counts": list(self.counts)}
