"""What several charts draw alike."""

import math
from collections.abc import Callable, Sequence

from converter.report.svg import BOLD, element, label, polyline, round_steps, shortened

MOST_POINTS = 600
WIDE, NARROW = 920, 360
FONT, SMALL = 13, 11

Values = Sequence[float | None]


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


def name_of(title, width):
    """The chart's name at its head."""
    return label(shortened(title, width - 20, FONT, BOLD), 8, 16, class_="name")


def level(frame, y, kind):
    """A line from side to side."""
    return element("line", x1=frame.left, x2=frame.right, y1=y, y2=y, class_=kind)


def numbers(frame, across, first, last, axis, height):
    """The horizontal axis, of whole numbers."""
    parts = [element("line", x1=frame.left, x2=frame.right, y1=frame.bottom, y2=frame.bottom, class_="axis")]
    ticks = sorted({int(tick) for tick in round_steps(first, max(first + 1, last), max(2, int(frame.width / 70)))})
    for tick in ticks:
        x = across(tick)
        parts.append(element("line", x1=x, x2=x, y1=frame.bottom, y2=frame.bottom + 4, class_="axis"))
        parts.append(label(str(tick), x, frame.bottom + 16, class_="small", text_anchor="middle"))
    parts.append(label(axis, frame.right, height - 5, class_="small", text_anchor="end"))
    return parts


def lines(points, at, kind):
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


def marked(frame, x, text):
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
