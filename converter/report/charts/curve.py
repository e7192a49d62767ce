"""Values from layer to layer."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from converter.report.charts.parts import NARROW, SMALL, WIDE, Axes, Points, Values, name_of, small, thinned
from converter.report.svg import CHARACTER, decade, drawing, element, shortened

SIZES = {"w": (WIDE, 300), "n": (NARROW, 290)}
_LOWEST, _HIGHEST = 1e-12, 1e12


@dataclass(frozen=True)
class Series:
    """A line.

    Attributes:
        name: for the legend.
        values: one per place; None breaks the line.
        failed: places to mark with a cross; where there is no value, at the upper edge.
        single: whether the values are apart, to be drawn as dots instead of a line.
    """

    name: str
    values: Values
    failed: frozenset[int] = frozenset()
    single: bool = False


@dataclass(frozen=True)
class Limit:
    """What the values are held against, one per place; None where there is none."""

    name: str
    values: Values


def curve(
    key: str,
    title: str,
    about: str,
    series: Sequence[Series],
    limits: Sequence[Limit] = (),
    mark: tuple[int, str] | None = None,
    axis: str = "layer",
) -> tuple[str, ...]:
    """Lines over the layers on a logarithmic axis, for wide screens and for phones.

    Args:
        mark: a place and the words for it.
        axis: what is counted along the horizontal axis.
    """
    number = max((len(each.values) for each in series), default=0)
    low, high = _decades([*(each.values for each in series), *(limit.values for limit in limits)])
    drawings = []
    for name, size in SIZES.items():
        axes = Axes.of(size, 76 if size[0] > 600 else 92, (1, max(2, number)), (low, high))
        parts = _decade_grid(axes, low, high)
        parts += [*axes.numbers(1, number, axis), name_of(title, size[0]), *_legend(series, limits, size[0])]
        for limit in limits:
            parts += axes.lines(_exponents(limit.values, low), "limit")
        for index, each in enumerate(series):
            parts += _drawn(each, index, axes)
        if mark is not None:
            parts += axes.marked(mark[0] + 1, mark[1])
        drawings.append(drawing(f"{key}-{name}", title, about, *size, parts))
    return tuple(drawings)


def _exponent(value: float, low: float) -> float:
    return math.log10(min(_HIGHEST, max(_LOWEST, value))) if value > 0 else low


def _exponents(values: Values, low: float) -> Points:
    points = thinned(values)
    return [(index + 1, None if value is None else _exponent(value, low)) for index, value in points]


def _drawn(series: Series, index: int, axes: Axes) -> Iterable[str]:
    """One line of several, and its crosses."""
    low, high = axes.up.low, axes.up.high
    points = _exponents(series.values, low)
    if series.single:
        yield _dots([axes.at(place, value) for place, value in points if value is not None], index)
    else:
        yield from axes.lines(points, f"series s{index}")
    for failed in sorted(series.failed):
        value = series.values[failed]
        yield _cross(*axes.at(failed + 1, high if value is None else _exponent(value, low)))


def _decades(all_values: Iterable[Values]) -> tuple[int, int]:
    """Exponents around everything that is there."""
    powers = [math.log10(min(_HIGHEST, max(_LOWEST, value))) for values in all_values for value in values if value]
    low, high = math.floor(min(powers, default=-7)), math.ceil(max(powers, default=0))
    return (low, high) if high > low else (low - 1, low + 1)


def _decade_grid(axes: Axes, low: int, high: int) -> list[str]:
    step = max(1, math.ceil((high - low) / (axes.frame.height / 22)))
    return [part for power in range(low, high + 1, step) for part in axes.tick(power, decade(power))]


def _legend(series: Sequence[Series], limits: Sequence[Limit], width: float) -> Iterable[str]:
    """Samples of the lines with their names, in rows as the width allows."""
    x, y = 8.0, 34.0
    entries = [(each.name, f"series s{index}", each.single) for index, each in enumerate(series)]
    for number, (name, kind, single) in enumerate([*entries, *((limit.name, "limit", False) for limit in limits)]):
        text = shortened(name, width - 60, SMALL)
        wide = 32 + len(text) * SMALL * CHARACTER + 16
        if x > 8 and x + wide > width:
            x, y = 8.0, y + 16
        sample = element("line", x1=x, x2=x + 26, y1=y - 4, y2=y - 4, class_=kind)
        yield _dots([(x + 13, y - 4)], number) if single else sample
        yield small(text, x + 31, y)
        x += wide


def _dots(points: Iterable[tuple[float, float]], index: int) -> str:
    """Lines of no length with round ends: an element for all, where a clip or a network has many."""
    return element("path", d="".join(f"M{x:.0f} {y:.0f}h0" for x, y in points), class_=f"dots s{index}")


def _cross(x: float, y: float) -> str:
    size = 4
    path = f"M{x - size:.1f} {y - size:.1f}l{2 * size} {2 * size}m0 {-2 * size}l{-2 * size} {2 * size}"
    return element("path", d=path, class_="cross")
