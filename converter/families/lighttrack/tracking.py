"""LightTrack's tracking procedure, as ``lib/tracker/lighttrack.py`` of researchmm/LightTrack @ 39c426f has it."""

import math

import numpy as np

from converter.errors import UsageError
from converter.families.family import BestCell
from converter.families.siamese import Corner, Pair, SiameseProcedure
from converter.proof.boxes import Box
from converter.proof.chain import Arrays, TrackedModel
from converter.spec.dimensions import Dimensions
from converter.spec.network import NetworkSpec


class LightTrackProcedure(SiameseProcedure):
    """See :class:`SiameseProcedure`.

    Raises:
        UsageError: likewise, and for a search size that the official procedure cannot work with.
    """

    edges, channels = "reg", 1

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

    def scores(self, answer: np.ndarray) -> np.ndarray:
        return sigmoid(answer[0, 0]) if self.logits else np.asarray(answer[0, 0])

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


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Of float32, in float32."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-logits)))


def best_cell(outputs: Arrays, spec: NetworkSpec, dimensions: Dimensions) -> BestCell | None:
    """The box and the score of the cell with the largest; None without cls and reg of one size, all finite."""
    scores, edges = outputs.get("cls"), outputs.get("reg")
    if scores is None or edges is None or edges.shape != (1, 4, *scores.shape[-2:]):
        return None
    if not (np.isfinite(scores).all() and np.isfinite(edges).all()):
        return None
    rows, columns = scores.shape[-2:]
    row, column = (int(index) for index in np.unravel_index(int(np.argmax(scores[0, 0])), (rows, columns)))
    x, y = (column - columns // 2) * dimensions.stride, (row - rows // 2) * dimensions.stride
    left, top, right, bottom = (float(edge) for edge in edges[0, :, row, column])
    score = float(scores[0, 0, row, column])
    score = score if "cls" in spec.activations else float(1 / (1 + np.exp(-score)))
    return BestCell((x - left, y - top, x + right, y + bottom), score)
