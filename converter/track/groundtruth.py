"""Where the target is, frame by frame, as data sets write it, and how well a track agrees with that.

Average overlap and success are those of GOT-10k's toolkit (got-10k/toolkit @ 62b8fa0, ``got10k/experiments/got10k.py``,
``utils/metrics.py``): the first frame, whose box is given, is not counted, nor are frames without a target; both boxes
are cut off at the frame's edges; success is the share of the frames whose overlap is above a threshold.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from converter.errors import UsageError
from converter.proof.boxes import Box, overlap
from converter.util.paths import read_bytes

OPTION = "--groundtruth"
LARGEST = 64 << 20  # bytes
THRESHOLDS = (0.5, 0.75)
_GAPS = re.compile(r"\s*,\s*|\s+")


@dataclass(frozen=True)
class GroundTruth:
    """What a file says.

    Attributes:
        path: of the file.
        boxes: one for each frame of the clip; None where there is no target.
    """

    path: Path
    boxes: tuple[Box | None, ...]

    def start(self, frame: int) -> Box:
        """The target in the frame to begin with.

        Raises:
            UsageError: when the file has no line for it, or no target.
        """
        box = self.boxes[frame] if frame < len(self.boxes) else None
        if box is None:
            lacks = "says that there is no target" if frame < len(self.boxes) else "has no line"
            raise UsageError(f"{OPTION} {self.path}: {lacks} in frame {frame}, which the track begins with; pass --box")
        return box


@dataclass(frozen=True)
class Agreement:
    """How well a track agrees with the truth.

    Attributes:
        frames: how many were compared.
        absent: how many were not, for there is no target in them.
        unknown: how many were not, for the file has no line for them.
        overlap: mean of the overlaps; None where no frame was compared.
        success: threshold -> share of the frames with an overlap above it; likewise.
    """

    frames: int
    absent: int
    unknown: int
    overlap: float | None
    success: Mapping[float, float | None]

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "success": {str(limit): share for limit, share in self.success.items()}}


def agreement(truth: GroundTruth, tracked: Mapping[int, Box], size: tuple[int, int]) -> Agreement:
    """Compare.

    Args:
        tracked: frame -> box, without the first frame.
        size: (width, height) of the frames.
    """
    known = {index: box for index, box in tracked.items() if index < len(truth.boxes)}
    pairs = [(box, own) for index, box in known.items() if (own := truth.boxes[index]) is not None]
    overlaps = [overlap(bounded(box, size), bounded(own, size)) for box, own in pairs]
    number = len(overlaps)
    return Agreement(
        frames=number,
        absent=len(known) - number,
        unknown=len(tracked) - len(known),
        overlap=sum(overlaps) / number if number else None,
        success={limit: sum(value > limit for value in overlaps) / number if number else None for limit in THRESHOLDS},
    )


def bounded(box: Box, size: tuple[int, int]) -> Box:
    """A box cut off at the frame's edges as the toolkit does: a corner outside moves to the edge, and a side ends
    there."""
    x, y = (min(max(corner, 0.0), side) for corner, side in zip((box.x, box.y), size, strict=True))
    w, h = (min(max(side, 0.0), edge - corner) for side, edge, corner in zip((box.w, box.h), size, (x, y), strict=True))
    return Box(x, y, w, h)


def read_truth(path: Path) -> GroundTruth:
    """A line for each frame: x, y, width, height in pixels, with commas, tabs or blanks between them.

    A line of NaN, of negative or empty sides, or without numbers, says that there is no target.

    Raises:
        UsageError: when it cannot be read, or a line is something else.
    """
    try:
        lines = read_bytes(path, LARGEST).decode("utf-8-sig").split("\n")
    except OSError as error:
        raise UsageError(f"{OPTION} {path}: {(error.strerror or '').lower()}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{OPTION} {path}: byte {error.start} is not UTF-8, expected a text") from None
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise UsageError(f"{OPTION} {path}: is empty, expected a line x,y,w,h for each frame")
    return GroundTruth(path, tuple(_box(path, number, line) for number, line in enumerate(lines, 1)))


def _box(path: Path, number: int, line: str) -> Box | None:
    words = [word for word in _GAPS.split(line.strip()) if word]
    try:
        values = [float(word) for word in words]
    except ValueError:
        raise UsageError(
            f"{OPTION} {path}: line {number} is {line.strip()[:40]!r}, expected four numbers x,y,w,h"
        ) from None
    if len(values) not in (0, 4):
        more = "; a polygon's corners are no box" if len(values) == 8 else ""
        raise UsageError(f"{OPTION} {path}: line {number} has {len(values)} numbers, expected four, x,y,w,h{more}")
    if not values or not all(map(math.isfinite, values)) or min(values[2:]) <= 0:
        return None
    return Box(*values)
