"""One blob against one tensor of the network."""

import math
from dataclasses import dataclass

import numpy as np

from converter.checks.layers.kinds import sizes
from converter.proof.compare import compare
from converter.spec.tensors import Tolerance

# Below this share of its largest value, float32 cannot tell a constant tensor from another.
FLOOR = 5e-7
SAMPLES = 64
QUIET = 1e-2


@dataclass(frozen=True)
class Figures:
    """How a blob differs from its reference; true when it is within the tolerance.

    Attributes:
        problem: why there are no figures (another shape, NaN, no output), or None.
        max_abs: of the difference.
        allowed: largest that passes.
        relative: max_abs / range of the reference; None where that is constant.
        cosine: of both as vectors.
        minimum, maximum: of the reference.
    """

    problem: str | None = None
    max_abs: float | None = None
    allowed: float | None = None
    relative: float | None = None
    cosine: float | None = None
    minimum: float | None = None
    maximum: float | None = None

    def __bool__(self) -> bool:
        return self.max_abs is not None and self.allowed is not None and self.max_abs <= self.allowed


NO_FIGURES = Figures()


def squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without axes of one: runtimes differ in which they keep."""
    return tuple(size for size in shape if size != 1)


def figures(blob: np.ndarray | None, reference: np.ndarray, tolerance: Tolerance) -> Figures:
    """Compare, in float64; whatever cannot be compared is a result with a problem.

    Args:
        blob: what the converted graph gives; None when it gives nothing.
        reference: the network's.
        tolerance: ``atol + rtol * range`` passes.
    """
    if not reference.size:
        return Figures("nothing to compare", minimum=0.0, maximum=0.0)
    if not np.isfinite(reference).all():
        return Figures("the network's own values are NaN or infinite", minimum=0.0, maximum=0.0)
    low, high = float(reference.min()), float(reference.max())
    if blob is None:
        return Figures("no output", minimum=low, maximum=high)
    if squeezed(blob.shape) != squeezed(reference.shape):
        problem = f"shape {sizes(blob.shape) or '()'}, expected {sizes(reference.shape) or '()'}"
        return Figures(problem, minimum=low, maximum=high)
    report = compare("", blob.reshape(reference.shape), reference, tolerance)
    if report.problem:
        return Figures(report.problem, minimum=low, maximum=high)
    relative = report.relative if high > low else None
    return Figures(None, report.max_abs, _allowed(low, high, tolerance), relative, report.cosine, low, high)


def same_numbers(blob: np.ndarray | None, reference: np.ndarray, tolerance: Tolerance) -> bool:
    """Whether both hold the same numbers in the same order, whatever their shapes; constants prove nothing."""
    if blob is None or blob.size != reference.size or not blob.size:
        return False
    values, expected = blob.reshape(-1), reference.reshape(-1)
    low, high = float(expected.min()), float(expected.max())
    allowed = _allowed(low, high, tolerance)
    step = max(1, values.size // SAMPLES)
    if high == low or not np.all(np.abs(values[::step] - expected[::step]) <= allowed):
        return False
    return bool(np.all(np.abs(values - expected) <= allowed))


def _allowed(low: float, high: float, tolerance: Tolerance) -> float:
    """The largest difference that passes from a reference with values between two."""
    return tolerance.atol + tolerance.rtol * (high - low) + FLOOR * max(abs(low), abs(high))


def channel_error(blob: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference of any channel in units of that channel's own range.

    A layer damaged in a quiet channel is far from its reference there, while beside the loud channels
    nothing shows. A channel's range counts as at least a hundredth of the whole's: what is left of large
    numbers that cancel out is rounding.

    Args:
        blob, expected: of one shape but for axes of one; channels on the first axis that is not of one.

    Returns:
        infinity where a value of either is not finite.
    """
    shape = squeezed(expected.shape)
    rows = (shape[0], -1) if len(shape) > 1 else (1, -1)
    values, wanted = blob.astype(np.float64).reshape(rows), expected.astype(np.float64).reshape(rows)
    if not (np.isfinite(values).all() and np.isfinite(wanted).all()):
        return math.inf
    whole = float(np.ptp(wanted)) or float(np.abs(wanted).max()) or 1.0
    spans = np.maximum(np.ptp(wanted, axis=1), QUIET * whole)
    return float((np.abs(values - wanted).max(axis=1) / spans).max())
