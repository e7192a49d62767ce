"""How errors are spread: decades of |difference| as a share of the reference's range."""

from collections.abc import Iterator
from typing import Any

import numpy as np

SMALLEST, LARGEST = -10, 1


class ErrorHistograms:
    """Counts per format, graph, way of feeding and output, over all inputs.

    A value in bin i has ``10**(SMALLEST + i) <= |difference| / range < 10**(SMALLEST + i + 1)``; the first bin
    holds everything below, the last everything above.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, ...], np.ndarray] = {}

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

    def as_list(self) -> list[dict[str, Any]]:
        return list(self._rows())

    def _rows(self) -> Iterator[dict[str, Any]]:
        for (format, graph, how, name), counts in self._counts.items():
            yield {
                "format": format,
                "graph": graph,
                "how": how,
                "output": name,
                "first_decade": SMALLEST,
                "counts": counts.tolist(),
            }
