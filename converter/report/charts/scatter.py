"""Points in a plane, some of which stand out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from converter.report.charts.parts import Axes, name_of, small
from converter.report.svg import drawing, element, round_steps
from converter.report.text import harmless

HEIGHT = 340
FEWEST = 3  # steps of an axis that are asked for
LEAST_ROOM = 1e-3  # of a value, between the ends of an axis, so that its numbers differ in what is written of them


@dataclass(frozen=True)
class Dot:
    """One point.

    Attributes:
        about: in words, with its figures.
        front: whether it stands out.
        name: written beside it; may be empty.
    """

    across: float
    up: float
    about: str
    front: bool = False
    name: str = ""


def scatter(key: str, across: str, up: str, dots: Sequence[Dot], width: int, about: str) -> str:
    """A drawing of some points.

    Args:
        key: unique on the page.
        across, up: what the axes measure.
        dots: at least one.
        about: what is seen, for those who cannot see it.
    """
    title = f"{up} over {across}"
    xs, ys = _steps([dot.across for dot in dots], width // 120), _steps([dot.up for dot in dots], 7)
    axes = Axes.of((width, HEIGHT), 36, (xs[0], xs[-1]), (ys[0], ys[-1]))
    parts = [name_of(title, width)]
    for value in ys:
        parts += axes.tick(value, f"{value:g}")
    for value in xs:
        anchor = "end" if value == xs[-1] else "middle"
        parts.append(small(f"{value:g}", axes.across(value), axes.frame.bottom + 16, anchor))
    parts.append(small(across, axes.frame.right, HEIGHT - 5, "end"))
    for dot in sorted(dots, key=lambda dot: dot.front):
        at_x, at_y = axes.at(dot.across, dot.up)
        words = element("title", escape(harmless(dot.about)))
        size, kind = (5, "beyond") if dot.front else (3, "bar")
        parts.append(element("circle", words, cx=at_x, cy=at_y, r=size, class_=kind))
        if dot.name:
            right = at_x > axes.frame.middle
            parts.append(small(harmless(dot.name), at_x + (-9 if right else 9), at_y - 6, "end" if right else "start"))
    return drawing(key, title, about, width, HEIGHT, parts)


def _steps(values: list[float], most: int) -> list[float]:
    """Round numbers from one that is not above all values to one that is not below them, two at least."""
    low, high = min(values), max(values)
    room = max(high - low, LEAST_ROOM * abs(high)) or 1.0
    spare = (room - (high - low)) / 2
    step = round_steps(0.0, room, max(FEWEST, most))[1]
    first = math.floor((low - min(spare, abs(low))) / step + 1e-9)
    last = max(first + 1, math.ceil((high + spare) / step - 1e-9))
    return [round(number * step, 12) for number in range(first, last + 1)]
