"""Models judged as lt-verify judges them: on every clip whole, one step and free running, and on the pictures.

A simulator takes as long for a frame as a processor for a hundred. Models for one are judged in it, in one step on the
frames that the search looked at, and whatever tells of the verdict says so: :func:`about_judging`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from converter.checks.clip.one_step import one_step, steps_of
from converter.checks.clip.report import CandidateReport, ClipReport
from converter.checks.clip.run import Judgement, run_clip
from converter.checks.pictures.steps import OnPictures
from converter.errors import ConverterError
from converter.formats.format import Format
from converter.proof.chain import GraphModel
from converter.proof.runner import StoppingRunner
from converter.quantize.beside import beside
from converter.quantize.clips import Watched
from converter.report.text import count
from converter.spec.choices import INT8
from converter.spec.model import TrackerModels
from converter.util.stages import Stages, Step

Load = Callable[[], GraphModel]


@dataclass(frozen=True)
class OnClip:
    """A model on one clip; true where it passes.

    Attributes:
        mean, smallest: overlap in one step with the network's box; None where no frame was compared.
        free, floor: mean overlap free running, and that of the network with itself under noise; None where it was not
            judged.
        failure: why it does not pass, in a phrase; empty where it does.
        frames: how many of the clip were judged; None where it was all of them.
    """

    clip: str
    mean: float | None
    smallest: float | None
    free: float | None
    floor: float | None
    failure: str = ""
    frames: int | None = None

    def __bool__(self) -> bool:
        return not self.failure

    @classmethod
    def of(cls, report: ClipReport, candidate: CandidateReport) -> "OnClip":
        steps = candidate.judged
        failure = "" if candidate else candidate.failure().removeprefix(f"{candidate.name}: ")
        floor = report.floor.iou_mean
        return cls(report.clip.name, steps.iou_mean, steps.iou_smallest, candidate.free.iou_mean, floor, failure)

    def as_dict(self) -> dict[str, Any]:
        return {
            "clip": self.clip,
            "passed": bool(self),
            "one_step_mean": self.mean,
            "one_step_smallest": self.smallest,
            "free_running_mean": self.free,
            "floor": self.floor,
            "failure": self.failure,
            **({} if self.frames is None else {"frames": self.frames}),
        }


@dataclass(frozen=True)
class Whole:
    """A setting's verdict; true when it passes everywhere.

    Attributes:
        left_out: on every clip models that were calibrated on the others.
        of_all: the models that were calibrated on all clips, which are published, on every clip; none where those did
            not pass.
        pictures: the models calibrated on all, on the package's pictures.
    """

    of_all: tuple[OnClip, ...]
    left_out: tuple[OnClip, ...]
    pictures: OnPictures

    def __bool__(self) -> bool:
        return bool(self.pictures) and bool(self.of_all) and all((*self.of_all, *self.left_out))

    def failures(self) -> list[str]:
        """What it does not pass, a phrase each."""
        return [
            *(f"{each.clip}, left out: {each.failure}" for each in self.left_out if not each),
            *(f"{each.clip}: {each.failure}" for each in self.of_all if not each),
            *([] if self.pictures else [self.pictures.failure()]),
        ]


def judged_whole(format: Format) -> bool:
    """Whether models run fast enough here for every frame of a clip, one step and free running."""
    return format.load_draft is None


def about_judging(format: Format, clips: Sequence[Watched]) -> str:
    """What of the clips a verdict is about, in a phrase."""
    if judged_whole(format):
        return "each clip whole, in one step and free running"
    numbers = sorted({len(clip.looks) for clip in clips})
    how_many = count(numbers[0], "frame") if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]} frames"
    return f"in the simulator, in one step on {how_many} of each clip; free running was not judged"


def on_clips(
    format: Format,
    clips: Sequence[Watched],
    candidates: Sequence[Mapping[str, Load]],
    tracker: TrackerModels,
    stages: Stages,
) -> dict[str, tuple[OnClip, ...]]:
    """Models on clips, whole ones where their runtime is fast enough: by name, for every clip how they do.

    Args:
        candidates: for every clip the same names.

    Raises:
        ConverterError: when one cannot be loaded.
    """
    if not any(candidates):
        return {}
    judge = _on_clip if judged_whole(format) else on_looks
    works = [partial(judge, clip, loads, tracker) for clip, loads in zip(clips, candidates, strict=True)]
    of_names: dict[str, list[OnClip]] = {}
    for of_clip in beside(works, stages, "frames"):
        for name, found in of_clip.items():
            of_names.setdefault(name, []).append(found)
    return {name: tuple(each) for name, each in of_names.items()}


def _on_clip(clip: Watched, loads: Mapping[str, Load], tracker: TrackerModels, step: Step) -> dict[str, OnClip]:
    models = {name: load() for name, load in loads.items()}
    network = tracker.network
    judgement = Judgement.of(network, INT8)
    report = run_clip(clip.clip, clip.box, clip.model, models, network, tracker.dimensions, judgement, step=step)
    return {candidate.name: OnClip.of(report, candidate) for candidate in report.candidates}


def on_looks(clip: Watched, loads: Mapping[str, Load], tracker: TrackerModels, step: Step) -> dict[str, OnClip]:
    """Models, one after the other, in one step on the frames of a clip that the search looked at."""
    limits, tie = tracker.network.step_limits(INT8), tracker.network.box_tie(INT8)
    found: dict[str, OnClip] = {}
    for number, (name, load) in enumerate(loads.items()):
        steps, problem = {}, ""
        with running(load) as model:
            for done, look in enumerate(clip.looks, number * len(clip.looks)):
                step(done, len(loads) * len(clip.looks))
                try:
                    model.template(*look.template)
                    steps[look.index] = one_step(look.procedure, model.track(*look.crop), look.answer, tie)
                except ConverterError as error:
                    problem = f"frame {look.index}: {error}"
                    break
        judged = steps_of(steps, limits)
        failure = problem or ", ".join(judged.reasons())
        figures = judged.iou_mean, judged.iou_smallest, None, None
        found[name] = OnClip(clip.entry.name, *figures, failure, judged.frames)
    return found


@contextmanager
def running(load: Load) -> Iterator[GraphModel]:
    """Loaded models, whose processes end with the block where they have some."""
    model = load()
    try:
        yield model
    finally:
        for runner in model.runners.values():
            if isinstance(runner, StoppingRunner):
                runner.stop()
