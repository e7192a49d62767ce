"""What is compared: models, inputs, and what the reference network answers to them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from converter.proof.compare import Decision, compare_decision
from converter.proof.feeds import Feed
from converter.spec.model import TrackerModels
from converter.spec.tensors import Tolerance

ScoreMaps = Callable[[np.ndarray], np.ndarray]


def as_they_are(scores: np.ndarray) -> np.ndarray:
    """An output that is score maps itself, (1, maps, H, W)."""
    return scores


@dataclass(frozen=True, eq=False)
class Comparison:
    """At one size.

    Attributes:
        tracker: the models.
        feeds: inputs.
        outputs: for each feed, every tensor of the config by its meaning, float32, NCHW, as the reference computes it.
        tolerances: of every output, by meaning; a missing one is an error, not a pass.
        tie: two cells whose reference scores differ by less than this share of the range are the same decision.
        score_maps: of the config's ``decision`` output.
    """

    tracker: TrackerModels
    feeds: tuple[Feed, ...]
    outputs: tuple[Mapping[str, np.ndarray], ...]
    tolerances: Mapping[str, Tolerance]
    tie: float
    score_maps: ScoreMaps = as_they_are

    def decision(self, candidate: np.ndarray, reference: np.ndarray) -> Decision:
        """Whether both give the same best cell; arrays of one shape, of the config's ``decision`` output."""
        maps = self.score_maps(candidate), self.score_maps(reference)
        return compare_decision(self.tracker.network.decision, *maps, self.tie)

    def __post_init__(self) -> None:
        if len(self.feeds) != len(self.outputs):
            raise ValueError(f"{len(self.feeds)} feeds and {len(self.outputs)} reference outputs")
