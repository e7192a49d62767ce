"""The charts of the page: inline SVG, coloured by the page's style sheet, readable without colour.

Series differ in dashes, failures in shape, and everything that matters is also written beside it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from converter.report.svg import (
    BOLD,
    CHARACTER,
    Frame,
    Scale,
    decade,
    drawing,
    element,
    label,
    polyline,
    round_steps,
    shortened,
)
from converter.report.text import count, error, overlap, percent

MOST_POINTS = 600
WIDE, NARROW = (920, 300), (360, 290)
FONT, SMALL = 13, 11
_LOWEST, _HIGHEST = 1e-12, 1e12
_MOST_DOTS = 60

Values = Sequence[float | None]


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


def histogram(key: str, title: str, counts: Sequence[int], first_decade: int, allowed: float | None) -> str:
    """How many values are off by how much: one bar per decade of |difference| / range.

    Args:
        key: unique on the page.
        counts: the first bar also holds all that is smaller, the last all that is larger.
        first_decade: exponent at the left of the first bar.
        allowed: the tolerance as a share of the range.
    """
    width, height = 300, 190
    frame = Frame(12, 54, width - 12, height - 34)
    total = sum(counts) or 1
    tallest = max(counts, default=0) / total or 1.0
    last = first_decade + len(counts)
    place = Scale(first_decade, last, frame.left, frame.right)
    step = frame.width / max(1, len(counts))
    edge = math.log10(allowed) if allowed else None
    parts = [label(shortened(title, width - 16, FONT, BOLD), frame.left, 15, class_="name")]
    for index, number in enumerate(counts):
        if not number:
            continue
        beyond = edge is not None and first_decade + index + 1e-9 >= edge
        tall = max(2.0, number / total / tallest * frame.height)
        left = place(first_decade + index)
        kind = "bar beyond" if beyond else "bar"
        parts.append(element("rect", x=left + 1, y=frame.bottom - tall, width=step - 2, height=tall, class_=kind))
        share = 100 * number / total
        text = f"{share:.0f}" if share >= 0.95 else "<1"
        parts.append(label(text, left + step / 2, frame.bottom - tall - 3, class_="small", text_anchor="middle"))
    parts.append(element("line", x1=frame.left, x2=frame.right, y1=frame.bottom, y2=frame.bottom, class_="axis"))
    for power in range(first_decade, last + 1, 2):
        text = "0" if power == first_decade else decade(power)
        parts.append(label(text, place(power), frame.bottom + 14, class_="small", text_anchor="middle"))
    parts.append(
        label(
            "|Δ| / range; bars: % of values",
            (frame.left + frame.right) / 2,
            height - 5,
            class_="small",
            text_anchor="middle",
        )
    )
    if edge is not None:
        x = place(edge)
        parts.append(element("line", x1=x, x2=x, y1=frame.top - 30, y2=frame.bottom, class_="limit"))
        anchor, shift = ("end", -4) if x > width * 0.55 else ("start", 4)
        parts.append(label(f"allowed {error(allowed)}", x + shift, frame.top - 20, class_="small", text_anchor=anchor))
    return drawing(key, title, _histogram_about(counts, first_decade, allowed), width, height, parts)


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
        _curve(f"{key}-{name}", title, about, series, limits, mark, axis, size)
        for name, size in (("w", WIDE), ("n", NARROW))
    )


def overlaps(
    key: str,
    title: str,
    frames: Sequence[int],
    values: Values,
    limits: Sequence[tuple[str, float]],
    stopped: str | None = None,
    low: float | None = None,
) -> tuple[str, str]:
    """Intersection over union, frame by frame, for wide screens and for phones.

    Of a long clip every point is the smallest of several frames, so that no dip is lost.

    Args:
        frames, values: index of each frame and its overlap, None from where the model failed.
        limits: (name, value) of lines across.
        stopped: where the model gave up.
        low: end of the axis, to draw several alike.
    """
    return tuple(
        _overlaps(f"{key}-{name}", title, frames, values, limits, stopped, low, size)
        for name, size in (("w", WIDE), ("n", NARROW))
    )


def lowest_tick(values: Values, limits: Sequence[float]) -> float:
    """Where an axis of overlaps ends: a round value below all of them, so that a flat line looks flat."""
    smallest = min([value for value in (*values, *limits) if value is not None], default=0.0)
    return max(0.0, math.floor((smallest - 0.02) * 10) / 10)


def thinned(values: Values, most: int, keep: Callable = max) -> list[tuple[int, float | None]]:
    """At most so many (place, value): of neighbours the one that matters stands for all, at its own place."""
    size = max(1, math.ceil(len(values) / most))
    points = []
    for begin in range(0, len(values), size):
        group = [(value, index) for index, value in enumerate(values[begin : begin + size], begin) if value is not None]
        if group:
            value, index = keep(group)
            points.append((index, value))
        else:
            points.append((begin, None))
    return points


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
    parts += _numbers(frame, across, 1, number, axis, height)
    parts.append(label(shortened(title, width - 20, FONT, BOLD), 8, 16, class_="name"))
    parts += _legend(series, limits, width)
    for one in limits:
        parts += _lines(thinned(one.values, MOST_POINTS), at, "limit")
    for index, one in enumerate(series):
        points = thinned(one.values, MOST_POINTS)
        if one.single:
            parts.append(_dots([at(place, value) for place, value in points if value is not None], index))
        else:
            parts += _lines(points, at, f"series s{index}")
        for failed in sorted(one.failed):
            value = one.values[failed]
            x, y = at(failed, value) if value is not None else (across(failed + 1), frame.top)
            parts.append(_cross(x, y))
    if mark is not None:
        parts += _marked(frame, across(mark[0] + 1), mark[1])
    return drawing(key, title, about, width, height, parts)


def _overlaps(key, title, frames, values, limits, stopped, low, size):
    width, height = size[0], 250
    frame = Frame(46, 40, width - 14, height - 40)
    last = max(frames, default=1)
    across = Scale(0, max(1, last), frame.left, frame.right)
    low = lowest_tick(values, [value for _, value in limits]) if low is None else low
    up = Scale(low, 1.0, frame.bottom, frame.top)
    points = [(frames[index], value) for index, value in thinned(values, MOST_POINTS, min)]

    def at(index, value):
        return across(index), up(value)

    parts = [label(shortened(title, width - 20, FONT, BOLD), 8, 16, class_="name")]
    for tick in round_steps(low, 1.0, 5):
        y = up(tick)
        parts.append(element("line", x1=frame.left, x2=frame.right, y1=y, y2=y, class_="grid"))
        parts.append(label(f"{tick:g}", frame.left - 6, y + 4, class_="small", text_anchor="end"))
    parts += _numbers(frame, across, 0, last, "frame", height)
    for name, value in limits:
        y = up(value)
        parts.append(element("line", x1=frame.left, x2=frame.right, y1=y, y2=y, class_="limit"))
        text = shortened(f"{name} {value:g}", frame.width - 8, SMALL)
        parts.append(label(text, frame.left + 4, y - 4, class_="small"))
    parts += _lines(points, at, "series s0")
    found = [(value, index) for index, value in points if value is not None]
    dips = sorted(one for one in found if limits and one[0] < max(value for _, value in limits))
    parts += [
        element("circle", cx=at(index, value)[0], cy=at(index, value)[1], r=3, class_="dot")
        for value, index in dips[:_MOST_DOTS]
    ]
    if found:
        value, index = min(found)
        x, y = at(index, value)
        parts.append(element("circle", cx=x, cy=y, r=4.5, class_="worst"))
        right = x > (frame.left + frame.right) / 2
        below = y + 17 if y + 17 < frame.bottom - 2 else y - 9
        text = f"smallest {overlap(value)}, frame {index}"
        parts.append(
            label(text, x + (-7 if right else 7), below, class_="small strong", text_anchor="end" if right else "start")
        )
    if stopped is not None:
        x = across(max((index for _, index in found), default=0))
        parts += _marked(frame, x, stopped)
    return drawing(key, title, _overlap_about(found, frames, limits, stopped), width, height, parts)


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
        parts.append(element("line", x1=frame.left, x2=frame.right, y1=y, y2=y, class_="grid"))
        parts.append(label(decade(power), frame.left - 6, y + 4, class_="small", text_anchor="end"))
    return parts


def _numbers(frame, across, first, last, axis, height):
    """The horizontal axis, of whole numbers."""
    parts = [element("line", x1=frame.left, x2=frame.right, y1=frame.bottom, y2=frame.bottom, class_="axis")]
    ticks = sorted({int(tick) for tick in round_steps(first, max(first + 1, last), max(2, int(frame.width / 70)))})
    for tick in ticks:
        x = across(tick)
        parts.append(element("line", x1=x, x2=x, y1=frame.bottom, y2=frame.bottom + 4, class_="axis"))
        parts.append(label(str(tick), x, frame.bottom + 16, class_="small", text_anchor="middle"))
    parts.append(label(axis, frame.right, height - 5, class_="small", text_anchor="end"))
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


def _lines(points, at, kind):
    """Polylines, broken where there is nothing; a single point becomes a dot."""
    parts, run = [], []
    for index, value in (*points, (0, None)):
        if value is not None:
            run.append(at(index, value))
        elif run:
            single = [(run[0][0] - 2, run[0][1]), (run[0][0] + 2, run[0][1])]
            parts.append(polyline(run if len(run) > 1 else single, class_=kind))
            run = []
    return parts


def _cross(x, y):
    size = 4
    path = f"M{x - size:.1f} {y - size:.1f}l{2 * size} {2 * size}m0 {-2 * size}l{-2 * size} {2 * size}"
    return element("path", d=path, class_="cross")


def _marked(frame, x, text):
    """A line from top to bottom with words at its head."""
    right = x > (frame.left + frame.right) / 2
    room = (x - frame.left if right else frame.right - x) - 8
    return [
        element("line", x1=x, x2=x, y1=frame.top - 8, y2=frame.bottom, class_="mark"),
        label(
            *(shortened(text, room, SMALL, BOLD), x + (-5 if right else 5), frame.top - 4),
            class_="small strong",
            text_anchor="end" if right else "start",
        ),
    ]


def _histogram_about(counts, first_decade, allowed):
    parts = []
    for index, number in enumerate(counts):
        if number:
            low, high = first_decade + index, first_decade + index + 1
            where = f"below 1e{high}" if index == 0 else f"1e{low} to 1e{high}"
            where = f"above 1e{low}" if index == len(counts) - 1 else where
            parts.append(f"{where}: {percent(number / sum(counts))}")
    limit = f" {error(allowed)} is allowed." if allowed else ""
    return f"Share of values by error relative to the range. {'; '.join(parts)}.{limit}"


def _overlap_about(found, frames, limits, stopped):
    if not found:
        return "No frame was compared."
    value, index = min(found)
    below = [f"{count(sum(one < limit for one, _ in found), 'frame')} below {limit:g}" for _, limit in limits]
    end = f" {stopped}." if stopped else ""
    return f"Smallest {overlap(value)} in frame {index} of {len(frames)}; {', '.join(below)}.{end}"
