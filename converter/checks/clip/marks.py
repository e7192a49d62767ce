"""Frames in which the reference has lost the target, or may have, as the frames and its own track say.

The same for every family: nothing here knows what a network answers.
"""

import numpy as np

from converter.families.family import Estimate
from converter.proof.boxes import overlap
from converter.track.lost import LowScore

CUT, JUMP, SCORE, AFTER = "cut", "jump", "score", "after"

FAR = 0.1  # of the overlap with the box in the frame before: less is a jump
SETTLING = 10  # frames after any of the three
# Of the colours of two frames in a row, what they have in common: less is a cut. On the clips that this was chosen
# with, frames of one shot share 0.70 or more (a camera that is jerked by a tenth of the picture), of two 0.47 or less.
SHARED_COLOURS = 0.6
_BINS = 8  # a channel


class Marks:
    """Says of frame after frame why the reference may have lost the target."""

    def __init__(self) -> None:
        self._colours: np.ndarray | None = None
        self._before: Estimate | None = None
        self._low = LowScore()
        self._settled = 0  # frames still to go

    def of(self, frame: np.ndarray, estimate: Estimate) -> tuple[str, ...]:
        """The reasons in this frame; none where it has the target, nor for the first, whose box is given.

        Args:
            frame: (H, W, 3) uint8 RGB.
            estimate: the reference's.

        Returns:
            of "cut", "jump" and "score" those that hold, or "after" in the frames that follow them.
        """
        seen, before = self._colours, self._before
        self._colours, self._before = colours(frame), estimate
        if seen is None or before is None:
            return ()
        reasons = {
            CUT: float(np.minimum(seen, self._colours).sum()) < SHARED_COLOURS,
            JUMP: overlap(before.box, estimate.box) < FAR,
            SCORE: self._low(estimate.score),
        }
        if any(reasons.values()):
            self._settled = SETTLING
            return tuple(name for name, there in reasons.items() if there)
        self._settled -= 1
        return (AFTER,) if self._settled >= 0 else ()


def colours(frame: np.ndarray) -> np.ndarray:
    """The share of a frame's pixels, (H, W, 3) uint8, in each of 512 cubes of the colour space; their sum is 1."""
    cubes = (frame.reshape(-1, 3) // (256 // _BINS)).astype(np.int32) @ np.array([_BINS**2, _BINS, 1], np.int32)
    return np.bincount(cubes, minlength=_BINS**3) / len(cubes)
