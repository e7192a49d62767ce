"""What a tracker takes from an answer: the best cell's box and score, beside the reference's."""

from dataclasses import asdict, dataclass
from typing import Any

from converter.families.family import family_of
from converter.proof.chain import Arrays
from converter.proof.compare import Decision
from converter.spec.model import TrackerModels
from converter.spec.network import ModeTolerances


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


def best_of(
    candidate: Arrays,
    reference: Arrays,
    tracker: TrackerModels,
    allowed: ModeTolerances,
    decision: Decision | None = None,
) -> Best | None:
    """None where a side has no best cell.

    Args:
        decision: on these outputs; where it is a tie, both are read in the candidate's cell, for two cells that rank
            alike may have boxes far apart.
    """
    network = tracker.network
    family = family_of(network.family)
    tied = decision.candidate if decision is not None and decision.tie else None
    right = family.best(reference, network, tracker.dimensions, tied)
    answered = family.best(candidate, network, tracker.dimensions)
    if right is None or answered is None:
        return None
    moved = max(abs(a - b) for a, b in zip(right.box, answered.box, strict=True))
    scores = right.score, answered.score
    return Best(right.box, answered.box, moved, scores, allowed.box_pixels, allowed.score)
