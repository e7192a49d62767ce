"""A clip on a device: one step of the tracker from the network's state in every frame."""

import logging
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from converter.checks.clip.marks import Marks
from converter.checks.clip.models import SharedModel
from converter.checks.clip.one_step import Step, Steps, one_step, steps_of
from converter.checks.device.run import Loaded
from converter.errors import ConverterError
from converter.families.family import family_of
from converter.proof.boxes import Box
from converter.proof.chain import GraphModel, TrackedModel
from converter.report.text import count
from converter.spec.network import ModeTolerances
from converter.spec.tensors import StepLimits
from converter.track.frames import Clip
from converter.util import stages

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Followed:
    """What is to be followed.

    Attributes:
        box: around the target in the first frame.
        network: the reference.
        least: mean overlap, in place of the config's.
    """

    clip: Clip
    box: Box
    network: TrackedModel
    least: float | None = None


@dataclass(frozen=True)
class ClipSteps:
    """A clip in one mode; true when it got to the end and every step is within the limits.

    Attributes:
        problem: why it could not go on, or None.
        steps: of the frames where the network has the target; of all where it has lost it in most.
        lost: in how many it has lost it.
    """

    mode: str
    clip: str
    problem: str | None
    steps: Steps
    lost: int

    def __bool__(self) -> bool:
        return self.problem is None and bool(self.steps)

    def failure(self) -> str:
        return f"{self.mode}: {self.clip}: {self.problem or ', '.join(self.steps.reasons())}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "mode": self.mode,
            "clip": self.clip,
            "passed": bool(self),
            "problem": self.problem,
            "limits": self.steps.limits.model_dump(),
            "lost": self.lost,
            **self.steps.as_dict(),
        }


def limits_of(allowed: ModeTolerances, least: float | None) -> StepLimits:
    """What passes in one step: the config's of the mode; where it has none, what follows from its tolerances."""
    limits = allowed.one_step or StepLimits(iou=0.95, score=allowed.score, other_cells=0.05)
    return limits if least is None else limits.model_copy(update={"iou": least})


def follow(loaded: Loaded, followed: Followed, step: stages.Step) -> ClipSteps:
    """Track the clip with the network, and ask the device about every crop that the network looks at.

    Two cells are the same decision where the config's ``ties`` of the mode say so. What the scores may be off by is no
    measure of that: a layer that is wrong by less can move the target to another place.

    Args:
        step: told of every frame.
    """
    tracker, clip = loaded.comparison.tracker, followed.clip
    models = tracker.of("ncnn")
    _say_how_long(loaded, followed)
    begin = family_of(tracker.network.family).procedure
    candidate = SharedModel(GraphModel(models, loaded.runners))
    reference = SharedModel(followed.network)
    own, other = (begin(model, tracker.network, tracker.dimensions) for model in (reference, candidate))
    tie = loaded.comparison.tie
    marks, lost, steps, problem = Marks(), set(), dict[int, Step](), None
    with closing(clip.frames()) as frames:
        for index, frame in enumerate(frames):
            reference.next_frame()
            candidate.next_frame()
            try:
                if index == 0:
                    estimate = own.start(frame, followed.box)
                    other.start(frame, followed.box)
                else:
                    crop = own.look(frame)
                    answer = reference.track(*crop)
                    steps[index] = one_step(own, candidate.track(*crop), answer, tie)
                    estimate = own.step(frame)
            except ConverterError as error:
                problem = f"frame {index}: {error}"
                break
            if marks.of(frame, estimate):
                lost.add(index)
            step(index + 1, clip.length)
    held = {index: each for index, each in steps.items() if index not in lost}
    limits = limits_of(loaded.allowed, followed.least)
    judged = steps_of(held if 2 * len(held) > len(steps) else steps, limits)
    return ClipSteps(loaded.mode.name, clip.name, problem, judged, len(lost))


def _say_how_long(loaded: Loaded, followed: Followed) -> None:
    """Before it begins: a frame takes what the last run of every graph with a search crop took."""
    seconds = sum(
        runner.seconds
        for model, runner in loaded.runners.items()
        if any(tensor.meaning != "z" for tensor in model.graph.inputs)
    )
    length = followed.clip.length
    whole = f"{count(length, 'frame')}, about {seconds * length / 60:.1f} minutes" if length else "of unknown length"
    log.warning("%s: %s, %.1f s a frame: %s", loaded.process.what, followed.clip.name, seconds, whole)
