"""NanoTrack's tracking procedure, as ``nanotrack/tracker/nano_tracker.py`` and ``base_tracker.py`` have it.

Of HonglinChu/SiamTrackers @ 248663f, folder NanoTrack. The official tracker is told how many cells a score map has
(``TRACK.OUTPUT_SIZE``, one number for every search size); here it follows from the network.
"""

import math

import numpy as np

from converter.families.siamese import Corner, Outputs, Pair, SiameseProcedure
from converter.proof.boxes import Box

BACKGROUND, FOREGROUND = 0, 1  # channels of cls


def score_maps(cls: np.ndarray) -> np.ndarray:
    """By how much foreground is above background: as the softmax ranks cells, and it does not saturate.

    Args:
        cls: (1, 2, H, W) float32, logits or what the softmax over both channels makes of them.

    Returns:
        (1, 1, H, W) float64
    """
    values = cls.astype(np.float64)
    return np.asarray(values[:, FOREGROUND:] - values[:, :FOREGROUND])


def scores(cls: np.ndarray, logits: bool) -> np.ndarray:
    """The foreground probabilities of all cells, (H, W) float32, of cls, (1, 2, H, W) float32."""
    if not logits:
        return np.asarray(cls[0, FOREGROUND])
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(cls[0, BACKGROUND] - cls[0, FOREGROUND])))


OUTPUTS = Outputs("loc", 2, score_maps, scores)


class NanoTrackProcedure(SiameseProcedure):
    """See :class:`SiameseProcedure`."""

    outputs = OUTPUTS

    def middle(self, box: Box) -> Pair:
        return box.x + (box.w - 1) / 2, box.y + (box.h - 1) / 2

    def search_side(self, context: float) -> int:
        return round(context * (self.search_size / self.template_size))

    def corner(self, centre: Pair, side: int) -> Corner:
        """To the nearest pixel, of two the right and lower one."""
        left, top = (math.floor(middle - (side + 1) / 2 + 0.5) for middle in centre)
        return left, top

    def followed(self, old: float, new: float, rate: float) -> float:
        return old * (1 - rate) + new * rate
