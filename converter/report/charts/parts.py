"""What several charts draw alike."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from converter.report.svg import BOLD, Frame, Scale, element, label, polyline, round_steps, shortened

MOST_POINTS = 600
WIDE, NARROW = 920, 360
FONT, SMALL = 13, 11

Values = Sequence[float | None]
Points = Sequence[tuple[int, float | None]]  # place and value


def thinned(
    values: Values, keep: Callable[[list[tuple[float, int]]], tuple[float, int]] = max
) -> list[tuple[int, float | None]]:
    """(place, value), not too many: of neighbours the one that matters stands for all, at its own place."""
    size = max(1, math.ceil(len(values) / MOST_POINTS))
    points: list[tuple[int, float | None]] = []
    for begin in range(0, len(values), size):
        group = [(value, index) for index, value in enumerate(values[begin : begin + size], begin) if value is not None]
        if group:
            value, index = keep(group)
            points.append((index, value))
        else:
            points.append((begin, None))
    return points


def name_of(title: str, width: float) -> str:
    """The chart's name at its head."""
    return label(shortened(title, width - 20, FONT, BOLD), 8, 16, class_="name")


def small(text: str, x: float, y: float, anchor: str | None = None, kind: str = "small") -> str:
    """Words in small letters; ``anchor`` is the part of them that is at the place."""
    return label(text, x, y, class_=kind, text_anchor=anchor)


def level(frame: Frame, y: float, kind: str) -> str:
    """A line from side to side."""
    return element("line", x1=frame.left, x2=frame.right, y1=y, y2=y, class_=kind)


@dataclass(frozen=True)
class Axes:
    """A frame, and the scales that place something in it.

    Attributes:
        size: width and height of the drawing.
    """

    size: tuple[int, int]
    frame: Frame
    across: Scale
    up: Scale

    @classmethod
    def of(cls, size: tuple[int, int], top: float, across: tuple[float, float], up: tuple[float, float]) -> "Axes":
        """With room for numbers at the left and below.

        Args:
            top: of the frame.
            across, up: the first and the last value on each axis.
        """
        frame = Frame(46, top, size[0] - 14, size[1] - 40)
        return cls(size, frame, Scale(*across, frame.left, frame.right), Scale(*up, frame.bottom, frame.top))

    def at(self, place: float, value: float) -> tuple[float, float]:
        return self.across(place), self.up(value)

    def tick(self, value: float, text: str) -> list[str]:
        """A line of the grid, and its number at the left."""
        y = self.up(value)
        return [level(self.frame, y, "grid"), small(text, self.frame.left - 6, y + 4, "end")]

    def numbers(self, first: int, last: int, name: str) -> list[str]:
        """The horizontal axis, of whole numbers."""
        frame = self.frame
        parts = [level(frame, frame.bottom, "axis")]
        ticks = round_steps(first, max(first + 1, last), max(2, int(frame.width / 70)))
        for tick in sorted(set(map(int, ticks))):
            x = self.across(tick)
            parts.append(element("line", x1=x, x2=x, y1=frame.bottom, y2=frame.bottom + 4, class_="axis"))
            parts.append(small(str(tick), x, frame.bottom + 16, "middle"))
        return [*parts, small(name, frame.right, self.size[1] - 5, "end")]

    def lines(self, points: Points, kind: str) -> list[str]:
        """Polylines, broken where there is nothing; a single point becomes a dot."""
        parts: list[str] = []
        run: list[tuple[float, float]] = []
        for place, value in (*points, (0, None)):
            if value is not None:
                run.append(self.at(place, value))
            elif run:
                single = [(run[0][0] - 2, run[0][1]), (run[0][0] + 2, run[0][1])]
                parts.append(polyline(run if len(run) > 1 else single, class_=kind))
                run = []
        return parts

    def marked(self, place: float, text: str) -> Iterable[str]:
        """A line from top to bottom with words at its head."""
        x, frame = self.across(place), self.frame
        right = x > frame.middle
        room = (x - frame.left if right else frame.right - x) - 8
        words, anchor = shortened(text, room, SMALL, BOLD), "end" if right else "start"
        yield element("line", x1=x, x2=x, y1=frame.top - 8, y2=frame.bottom, class_="mark")
        yield small(words, x + (-5 if right else 5), frame.top - 4, anchor, "small strong")
