"""Finding the simplest explanation of a dump among many: order of numbers, content, mistake in the values."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from converter.checks.dumps.causes import CONSTANT, NOT_FINITE, Cause
from converter.checks.dumps.layouts import Layout, layouts
from converter.checks.dumps.mistakes import Mistake

# Shares of the expected range. An explanation has to be far better than none, and this good.
EXACT = 1e-3
FAR_BETTER = 10.0
ARITHMETIC = 1e-5
# What half precision (fp16, bf16) does to a tracker's outputs, 0.4 and 2.2 % of their range, and some more.
HALF, HALF_COSINE = 3e-2, 0.999
# Fewer numbers than this share, told by the right output, are no evidence.
_ENOUGH = 0.5


@dataclass(frozen=True)
class Fit:
    """An explanation of a dump.

    Attributes:
        causes: none when the dump is right.
        layout: the order of its numbers.
        error: largest difference to what the causes predict, as a share of the range predicted.
        cosine: to what the causes predict.
    """

    causes: tuple[Cause, ...]
    layout: Layout
    error: float = 0.0
    cosine: float = 1.0

    @property
    def cost(self) -> int:
        return len(self.causes)

    @property
    def says_nothing(self) -> bool:
        """Of what the tensor was computed from."""
        return any(cause.cause in (NOT_FINITE.cause, CONSTANT.cause) for cause in self.causes)

    @property
    def like_half(self) -> bool:
        return self.error <= HALF and self.cosine > HALF_COSINE


def fits(
    values: np.ndarray,
    right: np.ndarray,
    explanations: Iterable[Mistake],
    most: int,
    extra: tuple[Cause, ...] = (),
    orders: Callable[[tuple[int, ...]], Sequence[Layout]] = layouts,
) -> list[Fit]:
    """All explanations that come as near as half precision does, the simplest first, then the nearest.

    Args:
        values: the dump, flat, finite.
        right: the tensor that it should be, NCHW.
        explanations: what may have been made of it; each is tried in every order of numbers.
        most: causes that an explanation may have, its order among them.
        extra: causes that all of them share, not counted.
        orders: shape to the layouts to try.
    """
    near = []
    values, right = values.astype(np.float64), right.astype(np.float64)
    for explanation in explanations:
        if len(explanation.causes) > most:
            continue
        changed = explanation.change(right)
        expected = changed.ravel()
        told = expected[np.isfinite(expected)]
        if changed.size != values.size or told.size < _ENOUGH * expected.size or not _tells(told):
            continue
        for layout in orders(changed.shape):
            causes = (*explanation.causes, *((layout.cause,) if layout.cause else ()))
            if len(causes) <= most:
                read = explanation.read(values[layout.order].reshape(changed.shape)).ravel()
                fit = Fit((*extra, *causes), layout, *_error(read, expected))
                if fit.like_half or fit.error <= EXACT:
                    near.append(fit)
    return sorted(near, key=lambda fit: (fit.cost, fit.error))


def simplest(among: Sequence[Fit], plain: float) -> list[Fit]:
    """Of all fits that are good enough those with the fewest causes; several when they fit equally well.

    Args:
        plain: the error without an explanation.
    """
    limit = min(EXACT, max(plain / FAR_BETTER, ARITHMETIC))
    within = [fit for fit in among if fit.error <= limit]
    cost = min((fit.cost for fit in within), default=0)
    cheapest = sorted((fit for fit in within if fit.cost == cost), key=lambda fit: fit.error)
    different: dict[tuple[Cause, ...], Fit] = {}
    for fit in cheapest:
        if fit.error <= max(FAR_BETTER * cheapest[0].error, ARITHMETIC):
            different.setdefault(fit.causes, fit)
    return list(different.values())


def far_better(among: Sequence[Fit], plain: float | None = None) -> Fit | None:
    """The simplest of the near fits, unless a costlier one is far better; with ``plain`` only those far better."""
    best = None
    for fit in among:
        worth = fit.like_half and (plain is None or not fit.causes or fit.error * FAR_BETTER <= plain)
        if worth and (best is None or fit.error * FAR_BETTER <= best.error):
            best = fit
    return best


def scale_of(right: np.ndarray) -> float:
    """Range of the numbers; their size where all are the same."""
    return float(np.ptp(right)) or float(np.abs(right).max()) or 1.0


def linear_fit(values: np.ndarray, right: np.ndarray) -> tuple[float, float, float]:
    """(a, b, error): the dump as a * right + b, and what remains as a share of the dump's range."""
    x, y = right.ravel().astype(np.float64), values.astype(np.float64)
    spread = x - x.mean()
    square = float(spread @ spread)
    a = float(spread @ (y - y.mean())) / square if square else 0.0
    b = float(y.mean() - a * x.mean())
    return a, b, float(np.abs(y - (a * x + b)).max()) / max(float(np.ptp(y)), 1e-30)


def _tells(expected: np.ndarray) -> bool:
    """Whether there is anything to see in it: an output that a mistake saturates explains whatever is constant."""
    largest = float(np.abs(expected).max())
    return 1e-6 * largest < float(np.ptp(expected)) and largest <= float(np.finfo(np.float32).max)


def _error(values: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """(largest difference as a share of the range, cosine), where ``expected`` is told.

    Where it is not (NaN) the ReLU cut something off: without it that number is not above the smallest told. Infinite
    where that is not so, or beyond half precision.
    """
    told = np.isfinite(expected)
    a, b = values[told], expected[told]
    scale = scale_of(b)
    error = float(np.abs(a - b).max()) / scale
    if error > HALF or (not told.all() and values[~told].max() > b.min() + EXACT * scale):
        return float("inf"), 0.0
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return error, float(a @ b) / norms if norms else float(np.array_equal(a, b))
