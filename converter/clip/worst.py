"""The frames where the boxes agree least, kept as small pictures while the clip goes by."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from converter.clip.draw import jpeg, painted
from converter.clip.report import FrameRow

MOST = 6
# Frames nearer than this look the same; the worst of them stands for all.
APART = 5
WIDTH = 480


@dataclass(frozen=True, slots=True)
class _Kept:
    overlap: float
    index: int
    picture: bytes


class WorstFrames:
    """At most ``MOST`` pictures per candidate at any time, however long the clip.

    Args:
        names: of the candidates.
    """

    def __init__(self, names: Iterable[str]):
        self._kept: dict[str, list[_Kept]] = {name: [] for name in names}

    def offer(self, row: FrameRow, frame: np.ndarray) -> None:
        """Keep the frame where it is among the worst; the first frame is given and never is."""
        if row.index == 0:
            return
        picture = None
        for name, kept in self._kept.items():
            found = row.overlaps[name]
            if found is None:
                continue
            rivals = [other for other in kept if row.index - other.index < APART]
            if not rivals and len(kept) == MOST:
                rivals = [max(kept, key=lambda other: other.overlap)]
            if all(found < rival.overlap for rival in rivals):
                picture = picture or jpeg(painted(frame, row, WIDTH))
                kept[:] = [other for other in kept if other not in rivals] + [_Kept(found, row.index, picture)]

    def thumbnails(self) -> tuple[tuple[int, bytes], ...]:
        """(frame index, JPEG) of the worst frames of every candidate in turn, sorted by frame."""
        queues = [sorted(kept, key=lambda other: other.overlap) for kept in self._kept.values()]
        chosen: dict[int, bytes] = {}
        for place in range(MOST):
            for queue in queues:
                if place < len(queue) and len(chosen) < MOST and _apart(queue[place].index, chosen):
                    chosen[queue[place].index] = queue[place].picture
        return tuple(sorted(chosen.items()))


def _apart(index, chosen):
    return all(abs(index - other) >= APART for other in chosen)
