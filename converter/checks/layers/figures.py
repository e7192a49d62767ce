"""One blob against one tensor of the network."""

import math
from dataclasses import dataclass

import numpy as np

from converter.spec.network import Tolerance

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

    problem: str | None
    max_abs: float | None
    allowed: float | None
    relative: float | None
    cosine: float | None
    minimum: float
    maximum: float

    def __bool__(self):
        return self.problem is None and self.max_abs <= self.allowed


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
    expected = reference.astype(np.float64).ravel()
    sound = bool(expected.size) and bool(np.isfinite(expected).all())
    minimum, maximum = (float(expected.min()), float(expected.max())) if sound else (0.0, 0.0)
    problem = None
    if not sound:
        problem = "the network's own values are NaN or infinite" if expected.size else "nothing to compare"
    elif blob is None:
        problem = "no output"
    elif squeezed(blob.shape) != squeezed(reference.shape):
        problem = f"shape {_text(blob.shape)}, expected {_text(reference.shape)}"
    elif bad := int(np.count_nonzero(~np.isfinite(blob))):
        problem = f"{bad} of {blob.size} values are NaN or infinite"
    if problem:
        return Figures(problem, None, None, None, None, minimum, maximum)
    found = blob.astype(np.float64).ravel()
    max_abs = float(np.abs(found - expected).max(initial=0.0))
    spread = maximum - minimum
    norms = float(np.linalg.norm(found) * np.linalg.norm(expected))
    cosine = float(np.clip(found @ expected / norms, -1, 1)) if norms else float(np.array_equal(found, expected))
    return Figures(
        problem=None,
        max_abs=max_abs,
        allowed=tolerance.atol + tolerance.rtol * spread + FLOOR * max(abs(minimum), abs(maximum)),
        relative=max_abs / spread if spread else None,
        cosine=cosine,
        minimum=minimum,
        maximum=maximum,
    )


def same_numbers(blob: np.ndarray | None, reference: np.ndarray, tolerance: Tolerance) -> bool:
    """Whether both hold the same numbers in the same order, whatever their shapes; constants prove nothing."""
    if blob is None or blob.size != reference.size or not blob.size:
        return False
    found, expected = blob.reshape(-1), reference.reshape(-1)
    low, high = float(expected.min()), float(expected.max())
    allowed = tolerance.atol + tolerance.rtol * (high - low) + FLOOR * max(abs(low), abs(high))
    step = max(1, found.size // SAMPLES)
    if high == low or not np.all(np.abs(found[::step] - expected[::step]) <= allowed):
        return False
    return bool(np.all(np.abs(found - expected) <= allowed))


def channel_error(blob: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference of any channel in units of that channel's own range.

    A layer damaged in a quiet channel is far from its reference there, while beside the loud channels
    nothing shows. A channel's range counts as at least a hundredth of the whole's: what is left of large
    numbers that cancel out is rounding.

    Args:
        blob, expected: the same number of values, channels on the first axis that is not of one.
    """
    shape = squeezed(expected.shape)
    found = blob.reshape(expected.shape).astype(np.float64)
    rows = (shape[0], -1) if len(shape) > 1 else (1, -1)
    found, wanted = found.reshape(rows), expected.astype(np.float64).reshape(rows)
    if not (np.isfinite(found).all() and np.isfinite(wanted).all()):
        return math.inf
    whole = float(np.ptp(wanted)) or float(np.abs(wanted).max()) or 1.0
    spans = np.maximum(np.ptp(wanted, axis=1), QUIET * whole)
    return float((np.abs(found - wanted).max(axis=1) / spans).max())


def _text(shape):
    return "x".join(map(str, shape)) or "()"
