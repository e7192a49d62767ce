"""Overlap of two boxes from frame to frame."""

import math
from collections.abc import Sequence

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
from converter.report.svg import Frame, Scale, drawing, element, label, round_steps, shortened
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
        _overlaps(f"{key}-{name}", title, frames, values, limits, stopped, low, size) for name, size in SIZES.items()
    )


def lowest_tick(values: Values, limits: Sequence[float]) -> float:
    """Where an axis of overlaps ends: a round value below all of them, so that a flat line looks flat."""
    smallest = min([value for value in (*values, *limits) if value is not None], default=0.0)
    return max(0.0, math.floor((smallest - 0.02) * 10) / 10)


def _overlaps(key, title, frames, values, limits, stopped, low, size):
    width, height = size
    frame = Frame(46, 40, width - 14, height - 40)
    last = max(frames, default=1)
    across = Scale(0, max(1, last), frame.left, frame.right)
    low = lowest_tick(values, [value for _, value in limits]) if low is None else low
    up = Scale(low, 1.0, frame.bottom, frame.top)
    points = [(frames[index], value) for index, value in thinned(values, MOST_POINTS, min)]
    found = [(value, index) for index, value in points if value is not None]
    parts = [name_of(title, width)]
    for tick in round_steps(low, 1.0, 5):
        parts.append(level(frame, up(tick), "grid"))
        parts.append(label(f"{tick:g}", frame.left - 6, up(tick) + 4, class_="small", text_anchor="end"))
    parts += numbers(frame, across, 0, last, "frame", height)
    for name, value in limits:
        parts.append(level(frame, up(value), "limit"))
        text = shortened(f"{name} {value:g}", frame.width - 8, SMALL)
        parts.append(label(text, frame.left + 4, up(value) - 4, class_="small"))
    parts += lines(points, lambda index, value: (across(index), up(value)), "series s0")
    floor = max((value for _, value in limits), default=-1.0)
    dips = sorted(one for one in found if one[0] < floor)[:_MOST_DOTS]
    parts += [element("circle", cx=across(index), cy=up(value), r=3, class_="dot") for value, index in dips]
    if found:
        parts += _worst(frame, across, up, *min(found))
    if stopped is not None:
        parts += marked(frame, across(max((index for _, index in found), default=0)), stopped)
    return drawing(key, title, _about(frames, values, limits, stopped), width, height, parts)


def _worst(frame, across, up, value, index):
    """A ring around the smallest, and its figures."""
    x, y = across(index), up(value)
    shift, anchor = (-7, "end") if x > (frame.left + frame.right) / 2 else (7, "start")
    below = y + 17 if y + 17 < frame.bottom - 2 else y - 9
    text = f"smallest {overlap(value)}, frame {index}"
    return [
        element("circle", cx=x, cy=y, r=4.5, class_="worst"),
        label(text, x + shift, below, class_="small strong", text_anchor=anchor),
    ]


def _about(frames, values, limits, stopped):
    found = [(value, index) for index, value in zip(frames, values, strict=True) if value is not None]
    if not found:
        return "No frame was compared."
    value, index = min(found)
    below = [f"{count(sum(one < limit for one, _ in found), 'frame')} below {limit:g}" for _, limit in limits]
    end = f" {stopped}." if stopped else ""
    return f"Smallest {overlap(value)} in frame {index} of {len(frames)}; {', '.join(below)}.{end}"
