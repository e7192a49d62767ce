"""Values from layer to layer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from converter.report.charts.parts import (
    MOST_POINTS,
    NARROW,
    SMALL,
    WIDE,
    Values,
    level,
    lines,
    marked,
    name_of,
    numbers,
    thinned,
)
from converter.report.svg import CHARACTER, Frame, Scale, decade, drawing, element, label, shortened

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
) -> tuple[str, str]:
    """Lines over the layers on a logarithmic axis, for wide screens and for phones.

    Args:
        mark: a place and the words for it.
        axis: what is counted along the horizontal axis.
    """
    return tuple(
        _curve(f"{key}-{name}", title, about, series, limits, mark, axis, size) for name, size in SIZES.items()
    )


def _curve(key, title, about, series, limits, mark, axis, size):
    width, height = size
    frame = Frame(46, 76 if width > 600 else 92, width - 14, height - 40)
    number = max((len(one.values) for one in series), default=0)
    across = Scale(1, max(2, number), frame.left, frame.right)
    low, high = _decades([one.values for one in (*series, *limits)])
    up = Scale(low, high, frame.bottom, frame.top)

    def at(index, value):
        return across(index + 1), up(math.log10(min(_HIGHEST, max(_LOWEST, value))) if value > 0 else low)

    parts = _decade_grid(frame, up, low, high)
    parts += numbers(frame, across, 1, number, axis, height)
    parts.append(name_of(title, width))
    parts += _legend(series, limits, width)
    for one in limits:
        parts += lines(thinned(one.values, MOST_POINTS), at, "limit")
    for index, one in enumerate(series):
        points = thinned(one.values, MOST_POINTS)
        if one.single:
            parts.append(_dots([at(place, value) for place, value in points if value is not None], index))
        else:
            parts += lines(points, at, f"series s{index}")
        for failed in sorted(one.failed):
            value = one.values[failed]
            x, y = at(failed, value) if value is not None else (across(failed + 1), frame.top)
            parts.append(_cross(x, y))
    if mark is not None:
        parts += marked(frame, across(mark[0] + 1), mark[1])
    return drawing(key, title, about, width, height, parts)


def _decades(all_values):
    """Exponents around everything that is there."""
    powers = [math.log10(min(_HIGHEST, max(_LOWEST, value))) for values in all_values for value in values if value]
    low, high = math.floor(min(powers, default=-7)), math.ceil(max(powers, default=0))
    return (low, high) if high > low else (low - 1, low + 1)


def _decade_grid(frame, up, low, high):
    step = max(1, math.ceil((high - low) / (frame.height / 22)))
    parts = []
    for power in range(low, high + 1, step):
        y = up(power)
        parts.append(level(frame, y, "grid"))
        parts.append(label(decade(power), frame.left - 6, y + 4, class_="small", text_anchor="end"))
    return parts


def _legend(series, limits, width):
    """Samples of the lines with their names, in rows as the width allows."""
    parts, x, y = [], 8.0, 34.0
    entries = [(one.name, f"series s{index}", one.single) for index, one in enumerate(series)]
    for number, (name, kind, single) in enumerate([*entries, *((one.name, "limit", False) for one in limits)]):
        text = shortened(name, width - 60, SMALL)
        wide = 32 + len(text) * SMALL * CHARACTER + 16
        if x > 8 and x + wide > width:
            x, y = 8.0, y + 16
        sample = element("line", x1=x, x2=x + 26, y1=y - 4, y2=y - 4, class_=kind)
        parts.append(_dots([(x + 13, y - 4)], number) if single else sample)
        parts.append(label(text, x + 31, y, class_="small"))
        x += wide
    return parts


def _dots(points, index):
    """Lines of no length with round ends: an element for all, where a clip or a network has many."""
    return element("path", d="".join(f"M{x:.0f} {y:.0f}h0" for x, y in points), class_=f"dots s{index}")


def _cross(x, y):
    size = 4
    path = f"M{x - size:.1f} {y - size:.1f}l{2 * size} {2 * size}m0 {-2 * size}l{-2 * size} {2 * size}"
    return element("path", d=path, class_="cross")
