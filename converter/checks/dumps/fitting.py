"""Finding the simplest explanation of a dump among many: order of numbers, content, mistake in the values."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from converter.checks.dumps.causes import Cause
from converter.checks.dumps.layouts import Layout, layouts, right_layouts
from converter.checks.dumps.values import RIGHT, ValueFault

# Shares of the expected range. An explanation has to be far better than none, and this good.
EXACT = 1e-3
FAR_BETTER = 10.0
ARITHMETIC = 1e-5
# What half precision (fp16, bf16) does to this tracker's outputs, 0.4 and 2.2 % of their range, and some more.
HALF, HALF_COSINE = 3e-2, 0.999
_PROBES = 192
# Fewer numbers than this share, told by the right output, are no evidence.
_ENOUGH = 0.5


@dataclass(frozen=True)
class Content:
    """What a file may hold: an array (NCHW), and the causes if it is that one."""

    array: np.ndarray
    causes: tuple[Cause, ...] = ()


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
    error: float
    cosine: float

    @property
    def cost(self) -> int:
        return len(self.causes)

    def within(self, bound: float) -> bool:
        return self.error <= bound

    @property
    def like_half(self) -> bool:
        return self.error <= HALF and self.cosine > HALF_COSINE


def plain_error(values: np.ndarray, right: np.ndarray) -> float:
    """Share of the range by which a dump misses the right tensor, NCHW or NHWC; inf for another size."""
    if values.size != right.size:
        return float("inf")
    flat = right.ravel().astype(np.float64)
    return min(_error(values[layout.order], flat)[0] for layout in right_layouts(right.shape))


def bound(plain: float) -> float:
    """The error up to which an explanation counts, when without one the dump misses by ``plain``."""
    return min(EXACT, max(plain / FAR_BETTER, ARITHMETIC))


def fits(
    values: np.ndarray,
    contents: Iterable[Content],
    faults: Sequence[ValueFault],
    most: int,
    extra: tuple[Cause, ...] = (),
    orders: Callable[[tuple[int, ...]], Sequence[Layout]] = layouts,
) -> list[Fit]:
    """All explanations that come as near as half precision does, the simplest first, then the nearest.

    Args:
        values: the dump, flat, finite.
        most: causes that an explanation may have.
        extra: causes that all of them share, not counted.
        orders: shape to the layouts to try.
    """
    found = []
    values = values.astype(np.float64)
    for content in contents:
        if content.array.size != values.size:
            continue
        tried = orders(content.array.shape)
        right = content.array.ravel().astype(np.float64)
        probes = np.unique(np.linspace(0, right.size - 1, _PROBES).astype(int))
        for fault in (RIGHT, *faults):
            expected = fault.change(right)
            known = np.isfinite(expected)
            if known.mean() < _ENOUGH or not _tells(expected[known]):
                continue
            for layout in tried:
                causes = (*content.causes, *fault.causes, *((layout.cause,) if layout.cause else ()))
                if len(causes) > most or not _near(values[layout.order[probes]], expected[probes], expected[known]):
                    continue
                error, cosine = _error(values[layout.order], expected)
                fit = Fit((*extra, *causes), layout, error, cosine)
                if fit.like_half or fit.error <= EXACT:
                    found.append(fit)
    return sorted(found, key=lambda fit: (fit.cost, fit.error))


def simplest(found: Sequence[Fit], limit: float) -> list[Fit]:
    """Of all fits within a limit those with the fewest causes; several when they fit equally well."""
    within = [fit for fit in found if fit.error <= limit]
    if not within:
        return []
    cost = min(fit.cost for fit in within)
    cheapest = sorted((fit for fit in within if fit.cost == cost), key=lambda fit: fit.error)
    reach = max(FAR_BETTER * cheapest[0].error, ARITHMETIC)
    different: dict[tuple[Cause, ...], Fit] = {}
    for fit in cheapest:
        if fit.error <= reach:
            different.setdefault(fit.causes, fit)
    return list(different.values())


def linear_fit(values: np.ndarray, right: np.ndarray) -> tuple[float, float, float]:
    """(a, b, error): the dump as a * right + b, and what remains as a share of the dump's range."""
    x, y = right.ravel().astype(np.float64), values.astype(np.float64)
    spread = x - x.mean()
    square = float(spread @ spread)
    a = float(spread @ (y - y.mean())) / square if square else 0.0
    b = float(y.mean() - a * x.mean())
    return a, b, _error(y, a * x + b, max(float(np.ptp(y)), 1e-30))[0]


def _tells(expected):
    """Whether there is anything to see in it: an output that a mistake saturates explains whatever is constant."""
    largest = float(np.abs(expected).max())
    return 1e-6 * largest < float(np.ptp(expected)) and largest <= float(np.finfo(np.float32).max)


def _near(values, expected, known):
    scale = float(np.ptp(known))
    told = np.isfinite(expected)
    return not told.any() or float(np.abs(values[told] - expected[told]).max()) <= HALF * scale


def _error(values, expected, scale=None):
    """(largest difference as a share of the range, cosine), where ``expected`` is told.

    Where it is not (NaN) the ReLU cut something off: without it that number is not above the smallest told.
    """
    told = np.isfinite(expected)
    a, b = values[told].astype(np.float64), expected[told]
    scale = scale or float(np.ptp(b)) or float(np.abs(b).max()) or 1.0
    error = float(np.abs(a - b).max()) / scale
    if not told.all() and values[~told].max() > b.min() + EXACT * scale:
        return float("inf"), 0.0
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return error, float(a @ b) / norms if norms else float(np.array_equal(a, b))
