"""Models judged as lt-verify judges them: on every clip whole, one step and free running, and on the pictures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from converter.checks.clip.report import CandidateReport, ClipReport
from converter.checks.clip.run import Judgement, run_clip
from converter.checks.pictures.steps import OnPictures
from converter.proof.chain import TrackedModel
from converter.quantize.beside import beside
from converter.quantize.clips import Watched
from converter.spec.choices import INT8
from converter.spec.model import TrackerModels
from converter.util.stages import Stages, Step

Load = Callable[[], TrackedModel]


@dataclass(frozen=True)
class OnClip:
    """A model on one clip; true where it passes.

    Attributes:
        mean, smallest: overlap in one step with the network's box; None where no frame was compared.
        free, floor: mean overlap free running, and that of the network with itself under noise.
        failure: why it does not pass, in a phrase; empty where it does.
    """

    clip: str
    mean: float | None
    smallest: float | None
    free: float | None
    floor: float | None
    failure: str = ""

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


def on_clips(
    clips: Sequence[Watched], candidates: Sequence[Mapping[str, Load]], tracker: TrackerModels, stages: Stages
) -> dict[str, tuple[OnClip, ...]]:
    """Models on whole clips: by name, for every clip how it does.

    Args:
        candidates: for every clip the same names.

    Raises:
        ConverterError: when one cannot be loaded.
    """
    if not any(candidates):
        return {}
    works = [partial(_on_clip, clip, loads, tracker) for clip, loads in zip(clips, candidates, strict=True)]
    reports = beside(works, stages, "frames")
    of_names: dict[str, list[OnClip]] = {}
    for report in reports:
        for candidate in report.candidates:
            of_names.setdefault(candidate.name, []).append(OnClip.of(report, candidate))
    return {name: tuple(each) for name, each in of_names.items()}


def _on_clip(clip: Watched, loads: Mapping[str, Load], tracker: TrackerModels, step: Step) -> ClipReport:
    models = {name: load() for name, load in loads.items()}
    network = tracker.network
    judgement = Judgement.of(network, INT8)
    return run_clip(clip.clip, clip.box, clip.model, models, network, tracker.dimensions, judgement, step=step)
