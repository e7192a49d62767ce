"""Real crops to compare on: what a tracker gives its network in a clip's first frames."""

from collections.abc import Mapping
from contextlib import closing

import numpy as np

from converter.clip.frames import Clip
from converter.clip.models import Model
from converter.clip.overlap import Box
from converter.clip.procedures import procedure
from converter.feeds import Feed
from converter.spec import NetworkSpec


class _Remembering:
    """A model, and the crops that it was given last."""

    def __init__(self, model: Model):
        self._model = model
        self.crops: dict[str, np.ndarray] = {}

    def template(self, z: np.ndarray) -> None:
        self.crops["z"] = z
        self._model.template(z)

    def track(self, x: np.ndarray) -> Mapping[str, np.ndarray]:
        self.crops["x"] = x
        return self._model.track(x)


def crop_feed(clip: Clip, box: Box, model: Model, spec: NetworkSpec, dimensions: dict[str, int]) -> Feed | None:
    """The template of the first frame and the search crop of the second; None for a clip of one frame.

    Args:
        model: the network; what it remembers of a template is lost.
    """
    remembering = _Remembering(model)
    tracker = procedure(remembering, spec, dimensions)
    with closing(clip.frames()) as frames:
        tracker.start(next(frames), box)
        second = next(frames, None)
        if second is None:
            return None
        tracker.step(second)
    return Feed(f"{clip.name} frames 0 and 1", remembering.crops)
