"""Real crops to compare on: what a tracker gives its network in a clip's first frames."""

from collections.abc import Mapping
from contextlib import closing

import numpy as np

from converter.families.family import family_of
from converter.proof.boxes import Box
from converter.proof.chain import SEARCH, TEMPLATE, TrackedModel, shown
from converter.proof.feeds import Feed
from converter.spec.dimensions import Dimensions
from converter.spec.network import NetworkSpec
from converter.track.frames import Clip


class Remembering:
    """A model, and the crops that it was given last."""

    def __init__(self, model: TrackedModel):
        self._model = model
        self.crops: dict[str, np.ndarray] = {}

    def template(self, z: np.ndarray, mask: np.ndarray | None = None) -> None:
        self.crops |= shown(TEMPLATE, z, mask)
        self._model.template(z, mask)

    def track(self, x: np.ndarray, mask: np.ndarray | None = None) -> Mapping[str, np.ndarray]:
        self.crops |= shown(SEARCH, x, mask)
        return self._model.track(x, mask)


def crop_feed(clip: Clip, box: Box, model: TrackedModel, spec: NetworkSpec, dimensions: Dimensions) -> Feed | None:
    """The template of the first frame and the search crop of the second; None for a clip of one frame.

    Args:
        model: the network; what it remembers of a template is lost.
    """
    remembering = Remembering(model)
    tracker = family_of(spec.family).procedure(remembering, spec, dimensions)
    with closing(clip.frames()) as frames:
        tracker.start(next(frames), box)
        second = next(frames, None)
        if second is None:
            return None
        tracker.step(second)
    return Feed(f"{clip.name} frames 0 and 1", remembering.crops)
