"""What a tracker takes from an answer: the best cell's box and score, beside the reference's."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from converter.proof.chain import Arrays
from converter.spec.model import TrackerModels
from converter.spec.network import ArmTolerances, GraphSpec


@dataclass(frozen=True)
class Best:
    """The best cell's box and score on both sides; true when they are as near as is allowed.

    Attributes:
        reference, candidate: left, top, right, bottom in pixels of the search crop.
        moved: the largest difference of these four, in pixels.
        scores: (reference, candidate), 0 to 1 where the network gives logits or probabilities.
        allowed_pixels, allowed_score: what passes.
    """

    reference: tuple[float, ...]
    candidate: tuple[float, ...]
    moved: float
    scores: tuple[float, float]
    allowed_pixels: float
    allowed_score: float

    @property
    def score_off(self) -> float:
        return abs(self.scores[0] - self.scores[1])

    def __bool__(self) -> bool:
        return self.moved <= self.allowed_pixels and self.score_off <= self.allowed_score

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "score_off": self.score_off, "passed": bool(self)}

    def failure(self) -> str:
        if self.moved > self.allowed_pixels:
            return f"the best box is off by {self.moved:.2f} pixels, allowed {self.allowed_pixels:g}"
        return f"the best score is {self.scores[1]:.3f}, expected {self.scores[0]:.3f} ± {self.allowed_score:g}"


@dataclass(frozen=True)
class Head:
    """How a graph's outputs are read.

    Attributes:
        scores, edges: meanings of the score map (1, 1, H, W) and of the distances (1, 4, H, W).
        logit: whether a score is one.
        stride: pixels from cell to cell.
        allowed_pixels, allowed_score: see :class:`Best`.
    """

    scores: str
    edges: str
    logit: bool
    stride: int
    allowed_pixels: float
    allowed_score: float

    @classmethod
    def of(cls, graph: GraphSpec, tracker: TrackerModels, allowed: ArmTolerances) -> "Head | None":
        """None where a graph has no score map with four distances beside it."""
        decision = tracker.network.decision
        scores = next((tensor for tensor in graph.outputs if tensor.meaning == decision), None)
        if scores is None:
            return None
        edges = [tensor for tensor in graph.outputs if tensor.shape == (1, 4, *scores.shape[-2:])]
        if len(edges) != 1:
            return None
        logit = tracker.network.tracker.get(decision) == "logit" and scores.activation is None
        stride = tracker.dimensions.stride
        return cls(decision, edges[0].meaning, logit, stride, allowed.box_pixels, allowed.score)

    def best(self, candidate: Arrays, reference: Arrays) -> Best | None:
        """None where a side has no such outputs, or values that are not finite."""
        sides = []
        for side in (reference, candidate):
            scores, edges = side.get(self.scores), side.get(self.edges)
            if scores is None or edges is None or edges.shape != (1, 4, *scores.shape[-2:]):
                return None
            if not (np.isfinite(scores).all() and np.isfinite(edges).all()):
                return None
            sides.append(self._box(scores, edges))
        (box, score), (other, other_score) = sides
        moved = max(abs(a - b) for a, b in zip(box, other, strict=True))
        return Best(box, other, moved, (score, other_score), self.allowed_pixels, self.allowed_score)

    def _box(self, scores: np.ndarray, edges: np.ndarray) -> tuple[tuple[float, ...], float]:
        """From the middle of the score map, so that the size of the search crop does not matter."""
        rows, columns = scores.shape[-2:]
        row, column = np.unravel_index(int(np.argmax(scores[0, 0])), (rows, columns))
        x, y = (int(column) - columns // 2) * self.stride, (int(row) - rows // 2) * self.stride
        left, top, right, bottom = (float(edge) for edge in edges[0, :, row, column])
        score = float(scores[0, 0, row, column])
        if self.logit:
            score = float(1 / (1 + np.exp(-score)))
        return (x - left, y - top, x + right, y + bottom), score
