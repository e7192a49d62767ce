"""Comparing arrays: numpy in, figures and a verdict out."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from converter.spec.network import TIE
from converter.spec.tensors import Tolerance

FAR_OFF = 10  # times what is allowed


@dataclass(frozen=True, kw_only=True)
class OutputReport:
    """One output against its reference; true when it passes.

    Attributes:
        name: of the output.
        problem: why nothing could be computed (another shape, NaN), or None.
        max_abs, mean_abs: of the difference.
        range: max - min of the reference.
        relative: max_abs / range.
        cosine: of the two arrays as vectors.
        atol, rtol: the tolerance used.
        allowed: what it allows, atol + rtol * range.
        needed_rtol: the smallest rtol that would have passed beside this atol.
    """

    name: str
    problem: str | None
    max_abs: float | None = None
    mean_abs: float | None = None
    range: float | None = None
    relative: float | None = None
    cosine: float | None = None
    atol: float
    rtol: float
    allowed: float | None = None
    needed_rtol: float | None = None

    def __bool__(self) -> bool:
        return self.max_abs is not None and self.allowed is not None and self.max_abs <= self.allowed

    @property
    def far_off(self) -> bool:
        """Whether the difference is so far beyond what is allowed that no tolerance is in question."""
        return self.max_abs is not None and bool(self.allowed) and self.max_abs > FAR_OFF * float(self.allowed or 0)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "passed": bool(self)}


@dataclass(frozen=True)
class Decision:
    """The best-scoring cell of both sides, (row, column); true when they agree or tie.

    Where a tensor has several maps it is the first of them that disagrees, or the first.
    """

    output: str
    reference: tuple[int, ...]
    candidate: tuple[int, ...]
    same: bool
    tie: bool

    def __bool__(self) -> bool:
        return self.same or self.tie

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "passed": bool(self)}


def compare(name: str, candidate: np.ndarray, reference: np.ndarray, tolerance: Tolerance) -> OutputReport:
    """Compare an output with its reference, in float64.

    A shape that differs, an empty array and a value that is not finite are failures, not exceptions.
    """
    problem = None
    if candidate.shape != reference.shape:
        problem = f"shape {candidate.shape}, expected {reference.shape}"
    elif not reference.size:
        problem = "nothing to compare"
    elif not np.isfinite(reference).all():
        problem = "the reference holds NaN or infinity"
    elif bad := int(np.count_nonzero(~np.isfinite(candidate))):
        problem = f"{bad} of {candidate.size} values are NaN or infinite"
    if problem:
        return OutputReport(name=name, problem=problem, atol=tolerance.atol, rtol=tolerance.rtol)
    a, b = candidate.astype(np.float64).ravel(), reference.astype(np.float64).ravel()
    difference = np.abs(a - b)
    max_abs, spread = float(difference.max()), float(np.ptp(b))
    needed = _share(max(0.0, max_abs - tolerance.atol), spread)
    while needed is not None and tolerance.atol + needed * spread < max_abs:
        needed = math.nextafter(needed, math.inf)
    return OutputReport(
        name=name,
        problem=None,
        max_abs=max_abs,
        mean_abs=float(difference.mean()),
        range=spread,
        relative=_share(max_abs, spread),
        cosine=_cosine(a, b),
        atol=tolerance.atol,
        rtol=tolerance.rtol,
        allowed=tolerance.atol + tolerance.rtol * spread,
        needed_rtol=needed,
    )


def compare_decision(name: str, candidate: np.ndarray, reference: np.ndarray, tie: float = TIE) -> Decision:
    """Whether the largest value of score maps (1, maps, H, W) of one shape is in the same cell, map by map.

    Args:
        tie: two cells whose reference scores differ by less than this share of the range are the same decision.
    """
    maps, gap = zip(candidate[0], reference[0], strict=True), tie * float(np.ptp(reference))
    decisions = [_compare_map(name, *pair, gap) for pair in maps]
    return next((decision for decision in decisions if not decision), decisions[0])


def _compare_map(name: str, candidate: np.ndarray, reference: np.ndarray, allowed: float) -> Decision:
    cells = [np.unravel_index(int(np.argmax(scores)), scores.shape) for scores in (reference, candidate)]
    gap = float(reference[cells[0]]) - float(reference[cells[1]])
    best, answered = (tuple(int(index) for index in cell[-2:]) for cell in cells)
    return Decision(
        output=name,
        reference=best,
        candidate=answered,
        same=best == answered,
        tie=best != answered and gap <= allowed,
    )


def _share(value: float, spread: float) -> float | None:
    """value / spread, or None where the reference is constant and only an exact answer has a share (0)."""
    if spread:
        return value / spread
    return 0.0 if value == 0 else None


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    if norms:
        return float(np.clip(a @ b / norms, -1.0, 1.0))
    return 1.0 if np.array_equal(a, b) else 0.0
