"""What a tracker's graphs see on a clip: tracked with the network, frame by frame."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from converter.calibrate.listing import SampleEntry
from converter.calibrate.spread import Thinned, spread
from converter.checks.clip.crops import Remembering
from converter.errors import UsageError
from converter.families.family import Estimate, family_of
from converter.proof.boxes import Box
from converter.proof.chain import Arrays, TrackedModel
from converter.spec.model import TrackerModels
from converter.track.frames import Clip
from converter.util import stages

KEPT = 4  # times as many frames are looked at as are chosen


@dataclass(frozen=True, eq=False)
class Sample:
    """One set of crops, from one target.

    Attributes:
        entry: where it is from.
        crops: z and x, and their masks where the graphs take some; float32, normalised, with a batch of one.
    """

    entry: SampleEntry
    crops: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class _Seen:
    """A frame: what was searched in it, and the template that the target would give there."""

    index: int
    estimate: Estimate
    template: Arrays
    search: Arrays


class _Blind:
    """A model that a procedure can show a template to; it does nothing with it."""

    def template(self, z: np.ndarray, mask: np.ndarray | None = None) -> None: ...

    def track(self, x: np.ndarray, mask: np.ndarray | None = None) -> Arrays:
        raise NotImplementedError


def samples_of(
    clip: Clip,
    box: Box,
    model: TrackedModel,
    tracker: TrackerModels,
    count: int,
    seed: int,
    step: stages.Step = stages.no_step,
) -> list[Sample]:
    """Track a clip, and choose frames of it.

    The template of a sample is that of the clip's first frame, as a tracker has it, or of the chosen frame before, in
    turn: the same target, in more than one view.

    Args:
        clip: opened.
        box: around the target in the first frame.
        model: the network.
        tracker: the network's spec at its sizes.
        count: of the samples, fewer where the clip is shorter.
        seed: of what is chosen.
        step: told of every frame.

    Raises:
        UsageError: for a clip of one frame.
        VerificationError: when the network's answer cannot be used.
    """
    followed = Remembering(model)
    procedure = family_of(tracker.network.family).procedure(followed, tracker.network, tracker.dimensions)
    kept = Thinned[_Seen](KEPT * count)
    first: dict[str, np.ndarray] = {}
    with closing(clip.frames()) as frames:
        for index, frame in enumerate(frames):
            step(index + 1, clip.length)
            if not index:
                procedure.start(frame, box)
                first = dict(followed.crops)
                continue
            estimate = procedure.step(frame)
            if kept.wants(index - 1):
                search = {name: crop for name, crop in followed.crops.items() if name not in first}
                kept.add(_Seen(index, estimate, _template(tracker, frame, estimate.box), search))
    if not kept.items:
        raise UsageError(f"--clip {clip.path}: has one frame, expected at least two")
    sizes = [float(np.sqrt(seen.estimate.box.w * seen.estimate.box.h)) for seen in kept.items]
    scores = [seen.estimate.score for seen in kept.items]
    chosen = [kept.items[place] for place in spread(sizes, scores, count, seed)]
    return [_sample(clip, first, chosen, place) for place in range(len(chosen))]


def _template(tracker: TrackerModels, frame: np.ndarray, box: Box) -> Arrays:
    """The template crop around a box, and its mask where the graphs take one."""
    blind = Remembering(_Blind())
    family_of(tracker.network.family).procedure(blind, tracker.network, tracker.dimensions).start(frame, box)
    return blind.crops


def _sample(clip: Clip, first: Arrays, chosen: Sequence[_Seen], place: int) -> Sample:
    seen = chosen[place]
    before = chosen[place - 1] if place % 2 else None
    entry = SampleEntry.of_frame(
        clip.name, seen.index, before.index if before else 0, seen.estimate.box, seen.estimate.score
    )
    return Sample(entry, {**(before.template if before else first), **seen.search})
