"""What a clip has shown: every frame's boxes, the figures made of them, and the verdict."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from converter.checks.clip.frame import FrameRow
from converter.checks.clip.free import NOTABLE, Floor, FreeRun, floor_of, free_run
from converter.checks.clip.one_step import Steps, below, steps_of
from converter.checks.clip.section import clip_section
from converter.proof.boxes import Box
from converter.report.blocks import Section
from converter.spec.tensors import StepLimits
from converter.track.frames import Clip


@dataclass(frozen=True)
class Speed:
    """How fast a tracker went.

    Attributes:
        milliseconds: median of the network's share of a frame; None when no frame was tracked.
        fps: frames per second with crop and post-processing, without reading the clip.
    """

    milliseconds: float | None
    fps: float | None


@dataclass(frozen=True)
class CandidateReport:
    """One converted model beside the reference, over the frames after the first; true when it passes.

    Attributes:
        name: of its format.
        problem: why it could not go on ("frame 12: ..."), or None.
        held, lost: one step from the reference's state, where that has the target and where it has lost it.
        judged: what decides: ``held``; all frames where it has lost the target in most.
        free: its own track beside the reference's; it decides where ``fallen`` says so.
        fallen: that its mean is too far below the floor, in a phrase; empty where it is not, or where nobody asks.
        speed: of this model.
    """

    name: str
    problem: str | None
    held: Steps
    lost: Steps
    judged: Steps
    free: FreeRun
    speed: Speed
    fallen: str = ""

    def __bool__(self) -> bool:
        return self.problem is None and bool(self.judged) and not self.fallen

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "passed": bool(self),
            "problem": self.problem,
            "one_step": {
                "held": self.held.as_dict(),
                "lost": self.lost.as_dict(),
                "judged": self.judged.as_dict(),
            },
            **self.free.as_dict(),
            **asdict(self.speed),
        }

    def failure(self) -> str:
        return f"{self.name}: {self.problem or ', '.join(filter(None, [*self.judged.reasons(), self.fallen]))}"


@dataclass(frozen=True)
class ClipReport:
    """All models over a clip; true when there is a candidate, all passed, and the reference got through.

    Attributes:
        box: the start.
        limits: of one step.
        problem: why the reference could not go on, or None.
        speed: of the reference.
        candidates: in the order given.
        floor: what the reference loses against itself.
        frames: from the first to the last that was tracked.
        machine: that the times are of.
        thumbnails: (frame index, JPEG) of the worst frames with the boxes drawn, by frame.
    """

    clip: Clip
    box: Box
    limits: StepLimits
    problem: str | None
    speed: Speed
    candidates: tuple[CandidateReport, ...]
    floor: Floor
    frames: tuple[FrameRow, ...] = field(repr=False)
    machine: str
    thumbnails: tuple[tuple[int, bytes], ...] = field(repr=False, default=())

    def __bool__(self) -> bool:
        return self.problem is None and bool(self.candidates) and all(self.candidates)

    @property
    def tracked(self) -> int:
        """Frames that the reference tracked; the first is given."""
        return max(0, len(self.frames) - 1)

    @property
    def lost(self) -> tuple[FrameRow, ...]:
        """The frames in which the reference has lost the target."""
        return tuple(row for row in self.frames if row.lost)

    def as_dict(self) -> dict[str, Any]:
        """Without the thumbnails."""
        clip = self.clip
        return {
            "passed": bool(self),
            "clip": {"name": clip.name, "width": clip.size[0], "height": clip.size[1], "fps": clip.fps},
            "box": list(self.box.values),
            "min_iou": self.limits.iou,
            "limits": self.limits.model_dump(),
            "notable_iou": NOTABLE,
            "reference": {"problem": self.problem, "tracked": self.tracked, **asdict(self.speed)},
            "lost_frames": [row.index for row in self.lost],
            "floor": self.floor.as_dict(),
            "candidates": [candidate.as_dict() for candidate in self.candidates],
            "frames": [row.as_dict() for row in self.frames],
        }

    def failure(self) -> str:
        """In a few words, why it is false."""
        if self.problem:
            return f"{self.clip.name}: the reference: {self.problem}"
        if not self.candidates:
            return f"{self.clip.name}: no model to compare"
        failed = [candidate for candidate in self.candidates if not candidate]
        return f"{self.clip.name}: {'; '.join(candidate.failure() for candidate in failed)}" if failed else ""

    def section(self) -> Section:
        return clip_section(self)


def candidate_report(
    name: str, limits: StepLimits, problem: str | None, frames: Sequence[FrameRow], speed: Speed
) -> CandidateReport:
    """The figures of one model, of the frames after the first, which is given."""
    steps = {row.index: step for row in frames[1:] if (step := row.steps[name]) is not None}
    away = {row.index for row in frames if row.lost}
    held = steps_of({index: step for index, step in steps.items() if index not in away}, limits)
    lost = steps_of({index: step for index, step in steps.items() if index in away}, limits)
    judged = held if held.frames > lost.frames else steps_of(steps, limits)
    free = free_run(name, frames)
    return CandidateReport(name, problem, held, lost, judged, free, speed, _fallen(free, floor_of(frames), limits))


def _fallen(free: FreeRun, floor: Floor, limits: StepLimits) -> str:
    """That a model's own track is further from the reference's than noise takes it, in a phrase; else empty."""
    if limits.below_floor is None or free.iou_mean is None or floor.iou_mean is None:
        return ""
    least = floor.iou_mean - limits.below_floor
    if free.iou_mean >= least:
        return ""
    return (
        f"mean overlap {below(free.iou_mean, least)} free running, expected {least:.2f} or more, which is "
        f"{limits.below_floor:g} below its floor"
    )
