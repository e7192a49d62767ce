"""Boxes: read from the command line, checked against a frame, and how much two of them overlap."""

import math
from dataclasses import dataclass

from converter.errors import UsageError


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the frame: its left and upper edge, its width and height."""

    x: float
    y: float
    w: float
    h: float

    @classmethod
    def around(cls, centre: tuple[float, float], sides: tuple[float, float]) -> "Box":
        """The box with this (x, y) in its middle and these (width, height)."""
        w, h = float(sides[0]), float(sides[1])
        return cls(float(centre[0]) - w / 2, float(centre[1]) - h / 2, w, h)

    @property
    def centre(self) -> tuple[float, float]:
        return self.x + self.w / 2, self.y + self.h / 2

    @property
    def values(self) -> tuple[float, float, float, float]:
        return self.x, self.y, self.w, self.h

    @property
    def finite(self) -> bool:
        return all(map(math.isfinite, self.values))


def overlap(a: Box, b: Box) -> float:
    """The area that two boxes share, divided by the area that they cover together; 0 to 1."""
    width = min(a.x + a.w, b.x + b.w) - max(a.x, b.x)
    height = min(a.y + a.h, b.y + b.h) - max(a.y, b.y)
    if width <= 0 or height <= 0:
        return 0.0
    # of the same sums as the intersection, so that a box overlaps itself by exactly 1
    areas = [((box.x + box.w) - box.x) * ((box.y + box.h) - box.y) for box in (a, b)]
    shared = width * height
    return min(1.0, shared / (sum(areas) - shared))


def parse_box(text: str) -> Box:
    """``x,y,w,h`` as the user gave it, in pixels.

    Raises:
        UsageError: when it is not four finite numbers, or has no area.
    """
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != 4:
        raise UsageError(f"--box {text[:80]}: expected four numbers x,y,w,h, for example 312,146,106,98")
    if not all(map(math.isfinite, values)):
        raise UsageError(f"--box {text[:80]}: expected finite numbers")
    if min(values[2:]) <= 0:
        raise UsageError(
            f"--box {text[:80]}: width and height are {values[2]:g} and {values[3]:g}, expected more than 0"
        )
    return Box(*values)


def check_box(box: Box, size: tuple[int, int]) -> None:
    """Whether a tracker can start from a box in a frame of this (width, height).

    A box may reach over the frame's edge, as targets do.

    Raises:
        UsageError: when its middle is outside, or it is smaller than a pixel or larger than the frame.
    """
    text, frame = ",".join(f"{value:g}" for value in box.values), f"{size[0]}x{size[1]}"
    if not (0 <= box.centre[0] <= size[0] and 0 <= box.centre[1] <= size[1]):
        raise UsageError(f"--box {text}: its middle lies outside the frame, which has {frame} pixels")
    if box.w > size[0] or box.h > size[1]:
        raise UsageError(f"--box {text}: larger than the frame, which has {frame} pixels")
    if min(box.w, box.h) < 1:
        raise UsageError(f"--box {text}: smaller than a pixel")
