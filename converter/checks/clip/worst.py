"""The frames where the boxes agree least, kept as small pictures while the clip goes by."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from converter.checks.clip.frame import FrameRow
from converter.track.draw import jpeg, painted

MOST = 6
# Frames nearer than this look the same: the worst of so many in a row stands for them.
APART = 5
POOL = 2 * MOST  # some are dropped in the end, where two rows meet
WIDTH = 480


@dataclass(frozen=True, slots=True)
class _Kept:
    overlap: float
    index: int
    picture: bytes


class WorstFrames:
    """A few pictures for each candidate, however long the clip.

    Args:
        names: of the candidates.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._kept: dict[str, dict[int, _Kept]] = {name: {} for name in names}

    def offer(self, row: FrameRow, frame: np.ndarray) -> None:
        """Keep the frame where it is among the worst; the first frame is given and never is."""
        picture = None
        for name, kept in self._kept.items():
            value, group = row.overlaps[name], row.index // APART
            if value is None or row.index == 0:
                continue
            rival = group
            if group not in kept and len(kept) == POOL:
                rival = max(kept, key=lambda other: kept[other].overlap)
            if rival in kept and value >= kept[rival].overlap:
                continue
            kept.pop(rival, None)
            picture = picture or jpeg(painted(frame, row.index, row.drawn, WIDTH))
            kept[group] = _Kept(value, row.index, picture)

    def thumbnails(self) -> tuple[tuple[int, bytes], ...]:
        """(frame index, JPEG) of the worst frames, the candidates taking turns; sorted by frame."""
        queues = [sorted(kept.values(), key=lambda other: other.overlap) for kept in self._kept.values()]
        chosen: dict[int, bytes] = {}
        while any(queues):
            for queue in queues:
                queue[:] = [other for other in queue if _apart(other.index, chosen)]
                if queue and len(chosen) < MOST:
                    worst = queue.pop(0)
                    chosen[worst.index] = worst.picture
            if len(chosen) == MOST:
                break
        return tuple(sorted(chosen.items()))


def _apart(index: int, chosen: Iterable[int]) -> bool:
    return all(abs(index - other) >= APART for other in chosen)
