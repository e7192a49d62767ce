"""The tracking procedure of every family."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from converter.errors import UsageError
from converter.families.lighttrack.tracking import Estimate, LightTrackProcedure
from converter.families.stark.tracking import StarkProcedure
from converter.proof.boxes import Box
from converter.proof.chain import TrackedModel
from converter.spec.dimensions import Dimensions
from converter.spec.network import NetworkSpec


class Procedure(Protocol):
    """A tracker with its own state; frames are (H, W, 3) uint8 RGB."""

    def start(self, frame: np.ndarray, box: Box) -> Estimate: ...

    def step(self, frame: np.ndarray) -> Estimate: ...


PROCEDURES: dict[str, Callable[[TrackedModel, NetworkSpec, Dimensions], Procedure]] = {
    "lighttrack": LightTrackProcedure,
    "stark": StarkProcedure,
}


def procedure(model: TrackedModel, spec: NetworkSpec, dimensions: Dimensions) -> Procedure:
    """The procedure of the config's family around a model.

    Raises:
        UsageError: when the family has none, or its settings do not fit.
    """
    if spec.family not in PROCEDURES:
        raise UsageError(f"--clip: family {spec.family!r} has no tracking procedure, {', '.join(PROCEDURES)} has")
    return PROCEDURES[spec.family](model, spec, dimensions)
