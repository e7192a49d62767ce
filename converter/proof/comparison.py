"""What is compared: models, inputs, and what the reference network answers to them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from converter.proof.feeds import Feed
from converter.spec.model import TrackerModels
from converter.spec.network import Tolerance


@dataclass(frozen=True, eq=False)
class Comparison:
    """At one size.

    Attributes:
        tracker: the models.
        feeds: inputs.
        outputs: for each feed, every tensor of the config by its meaning, float32, NCHW, as the reference computes it.
        tolerances: of every output, by meaning; a missing one is an error, not a pass.
        tie: two cells whose reference scores differ by less than this share of the range are the same decision.
    """

    tracker: TrackerModels
    feeds: tuple[Feed, ...]
    outputs: tuple[Mapping[str, np.ndarray], ...]
    tolerances: Mapping[str, Tolerance]
    tie: float

    def __post_init__(self) -> None:
        if len(self.feeds) != len(self.outputs):
            raise ValueError(f"{len(self.feeds)} feeds and {len(self.outputs)} reference outputs")
