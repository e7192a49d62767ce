"""LightTrack's tracking procedure, as ``lib/tracker/lighttrack.py`` of researchmm/LightTrack @ 39c426f has it."""

import math

import numpy as np

from converter.errors import UsageError
from converter.families.siamese import Corner, Outputs, Pair, SiameseProcedure
from converter.proof.boxes import Box
from converter.proof.chain import TrackedModel
from converter.proof.comparison import as_they_are
from converter.spec.dimensions import Dimensions
from converter.spec.network import NetworkSpec


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Of float32, in float32."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-logits)))


def scores(cls: np.ndarray, logits: bool) -> np.ndarray:
    """The probabilities of all cells, (H, W), of cls, (1, 1, H, W)."""
    return sigmoid(cls[0, 0]) if logits else np.asarray(cls[0, 0])


OUTPUTS = Outputs("reg", 1, as_they_are, scores)


class LightTrackProcedure(SiameseProcedure):
    """See :class:`SiameseProcedure`.

    Raises:
        UsageError: likewise, and for a search size that the official procedure cannot work with.
    """

    outputs = OUTPUTS

    def __init__(self, model: TrackedModel, spec: NetworkSpec, dimensions: Dimensions) -> None:
        super().__init__(model, spec, dimensions)
        counted = score_cells(self.search_size, dimensions.stride)
        if counted != self.cells:
            raise UsageError(
                f"--search-size {self.search_size}: the official tracker counts {counted} cells where the network "
                f"answers with {self.cells}; use a multiple of {dimensions.stride}"
            )

    def middle(self, box: Box) -> Pair:
        return box.centre

    def search_side(self, context: float) -> int:
        side = context + 2 * ((self.search_size - self.template_size) / 2 / (self.template_size / context))
        return math.floor(side + 0.5)

    def corner(self, centre: Pair, side: int) -> Corner:
        return corner(centre, side)

    def followed(self, old: float, new: float, rate: float) -> float:
        """Twice on its way to the new one, as the official code has it."""
        return (1 - rate) * old + rate * (rate * new + (1 - rate) * old)


def corner(centre: Pair, side: int) -> Corner:
    """Left and top of a square around a point, to the nearest pixel, of two the even one."""
    left, top = (round(middle - (side + 1) / 2) for middle in centre)
    return left, top


def score_cells(search_size: int, stride: int) -> int:
    """How many cells the official tracker counts along a side of the score map."""
    return round(search_size / stride)
