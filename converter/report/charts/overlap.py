"""Overlap of two boxes from frame to frame."""

import math
from collections.abc import Sequence

from converter.report.charts.parts import NARROW, SMALL, WIDE, Axes, Values, level, name_of, small, thinned
from converter.report.svg import drawing, element, round_steps, shortened
from converter.report.text import count, overlap

SIZES = {"w": (WIDE, 250), "n": (NARROW, 250)}
_MOST_DOTS = 60


def overlaps(
    key: str,
    title: str,
    frames: Sequence[int],
    values: Values,
    limits: Sequence[tuple[str, float]],
    stopped: str | None = None,
    low: float | None = None,
) -> tuple[str, ...]:
    """Intersection over union, frame by frame, for wide screens and for phones.

    Of a long clip every point is the smallest of several frames, so that no dip is lost.

    Args:
        frames, values: index of each frame and its overlap, None from where the model failed.
        limits: (name, value) of lines across.
        stopped: where the model gave up.
        low: end of the axis, to draw several alike.
    """
    low = lowest_tick(values, [value for _, value in limits]) if low is None else low
    last = max(frames, default=1)
    points = [(frames[index], value) for index, value in thinned(values, min)]
    there = [(value, index) for index, value in points if value is not None]
    about = _about(frames, values, limits, stopped)
    drawings = []
    for name, size in SIZES.items():
        axes = Axes.of(size, 40, (0, max(1, last)), (low, 1.0))
        parts = [name_of(title, size[0])]
        for tick in round_steps(low, 1.0, 5):
            parts += axes.tick(tick, f"{tick:g}")
        parts += axes.numbers(0, last, "frame")
        for limit in limits:
            parts += _limit(axes, *limit)
        parts += axes.lines(points, "series s0")
        floor = max((value for _, value in limits), default=-1.0)
        dips = sorted(dip for dip in there if dip[0] < floor)[:_MOST_DOTS]
        parts += [
            element("circle", cx=axes.across(index), cy=axes.up(value), r=3, class_="dot") for value, index in dips
        ]
        if there:
            parts += _worst(axes, *min(there))
        if stopped is not None:
            parts += axes.marked(max((index for _, index in there), default=0), stopped)
        drawings.append(drawing(f"{key}-{name}", title, about, *size, parts))
    return tuple(drawings)


def lowest_tick(values: Values, limits: Sequence[float]) -> float:
    """Where an axis of overlaps ends: a round value below all of them, so that a flat line looks flat."""
    smallest = min([value for value in (*values, *limits) if value is not None], default=0.0)
    return max(0.0, math.floor((smallest - 0.02) * 10) / 10)


def _limit(axes: Axes, name: str, value: float) -> list[str]:
    y, left = axes.up(value), axes.frame.left
    text = shortened(f"{name} {value:g}", axes.frame.width - 8, SMALL)
    return [level(axes.frame, y, "limit"), small(text, left + 4, y - 4)]


def _worst(axes: Axes, value: float, index: int) -> list[str]:
    """A ring around the smallest, and its figures."""
    x, y = axes.at(index, value)
    shift, anchor = (-7, "end") if x > axes.frame.middle else (7, "start")
    below = y + 17 if y + 17 < axes.frame.bottom - 2 else y - 9
    text = f"smallest {overlap(value)}, frame {index}"
    return [
        element("circle", cx=x, cy=y, r=4.5, class_="worst"),
        small(text, x + shift, below, anchor, "small strong"),
    ]


def _about(frames: Sequence[int], values: Values, limits: Sequence[tuple[str, float]], stopped: str | None) -> str:
    there = [(value, index) for index, value in zip(frames, values, strict=True) if value is not None]
    if not there:
        return "No frame was compared."
    value, index = min(there)
    below = [f"{count(sum(each < limit for each, _ in there), 'frame')} below {limit:g}" for _, limit in limits]
    end = f" {stopped}." if stopped else ""
    return f"Smallest {overlap(value)} in frame {index} of {len(frames)}; {', '.join(below)}.{end}"
