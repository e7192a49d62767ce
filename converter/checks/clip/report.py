"""What a clip has shown: every frame's boxes, the figures made of them, and the verdict."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from converter.checks.clip.section import NOTABLE, clip_section
from converter.families.family import Estimate
from converter.proof.boxes import Box
from converter.report.blocks import Section
from converter.track.frames import Clip

REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One frame; the first one's boxes are the given one.

    Attributes:
        index: of the frame, from 0.
        reference: the PyTorch network's box and score.
        candidates: name -> box and score; None from the frame on at which a model failed.
        overlaps: name -> intersection over union with the reference's box.
    """

    index: int
    reference: Estimate
    candidates: Mapping[str, Estimate | None]
    overlaps: Mapping[str, float | None]

    def as_dict(self) -> dict[str, Any]:
        return {
            "frame": self.index,
            "reference": _estimate(self.reference),
            "candidates": {
                name: None if estimate is None else {**_estimate(estimate), "iou": self.overlaps[name]}
                for name, estimate in self.candidates.items()
            },
        }


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
        min_iou: what the mean overlap has to reach.
        problem: why it could not go on ("frame 12: ..."), or None.
        tracked: number of frames compared.
        iou_mean, iou_smallest: of the two boxes; None when no frame was compared.
        iou_smallest_frame: where the smallest is.
        first_below: the first frame with less than ``NOTABLE``, or None.
        score_max, score_mean: of the absolute difference of the scores.
        speed: of this model.
    """

    name: str
    min_iou: float
    problem: str | None
    tracked: int
    iou_mean: float | None
    iou_smallest: float | None
    iou_smallest_frame: int | None
    first_below: int | None
    score_max: float | None
    score_mean: float | None
    speed: Speed

    def __bool__(self) -> bool:
        return self.problem is None and self.iou_mean is not None and self.iou_mean >= self.min_iou

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "passed": bool(self),
            "problem": self.problem,
            "tracked": self.tracked,
            "iou": {
                "mean": self.iou_mean,
                "smallest": self.iou_smallest,
                "smallest_frame": self.iou_smallest_frame,
                "first_below": self.first_below,
            },
            "score_difference": {"max": self.score_max, "mean": self.score_mean},
            **asdict(self.speed),
        }

    def failure(self) -> str:
        if self.problem:
            return f"{self.name}: {self.problem}"
        if self.iou_mean is None:
            return f"{self.name}: no frame was compared"
        return (
            f"{self.name}: mean overlap {_below(self.iou_mean, self.min_iou)} over {self.tracked} frames, expected "
            f"{self.min_iou:g} or more (smallest {self.iou_smallest:.2f} in frame {self.iou_smallest_frame})"
        )


@dataclass(frozen=True)
class ClipReport:
    """All models over a clip; true when there is a candidate, all passed, and the reference got through.

    Attributes:
        box: the start.
        problem: why the reference could not go on, or None.
        speed: of the reference.
        candidates: in the order given.
        frames: from the first to the last that was tracked.
        machine: that the times are of.
        thumbnails: (frame index, JPEG) of the worst frames with the boxes drawn, by frame.
    """

    clip: Clip
    box: Box
    min_iou: float
    problem: str | None
    speed: Speed
    candidates: tuple[CandidateReport, ...]
    frames: tuple[FrameRow, ...] = field(repr=False)
    machine: str
    thumbnails: tuple[tuple[int, bytes], ...] = field(repr=False, default=())

    def __bool__(self) -> bool:
        return self.problem is None and bool(self.candidates) and all(self.candidates)

    @property
    def tracked(self) -> int:
        """Frames that the reference tracked; the first is given."""
        return max(0, len(self.frames) - 1)

    def as_dict(self) -> dict[str, Any]:
        """Without the thumbnails."""
        clip = self.clip
        return {
            "passed": bool(self),
            "clip": {"name": clip.name, "width": clip.size[0], "height": clip.size[1], "fps": clip.fps},
            "box": list(self.box.values),
            "min_iou": self.min_iou,
            "notable_iou": NOTABLE,
            "reference": {"problem": self.problem, "tracked": self.tracked, **asdict(self.speed)},
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
    name: str, min_iou: float, problem: str | None, frames: tuple[FrameRow, ...], speed: Speed
) -> CandidateReport:
    """The figures of one model, of the frames after the first, which is given."""
    overlaps = {row.index: value for row in frames[1:] if (value := row.overlaps[name]) is not None}
    pairs = [(row.reference, estimate) for row in frames[1:] if (estimate := row.candidates[name]) is not None]
    differences = [abs(estimate.score - reference.score) for reference, estimate in pairs]
    smallest = min(overlaps, key=overlaps.__getitem__, default=None)
    return CandidateReport(
        name=name,
        min_iou=min_iou,
        problem=problem,
        tracked=len(overlaps),
        iou_mean=_mean(overlaps.values()),
        iou_smallest=None if smallest is None else overlaps[smallest],
        iou_smallest_frame=smallest,
        first_below=next((index for index, value in overlaps.items() if value < NOTABLE), None),
        score_max=max(differences, default=None),
        score_mean=_mean(differences),
        speed=speed,
    )


def _mean(values: Collection[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _below(value: float, floor: float) -> str:
    """With as many digits as it takes to show that it is less."""
    return next((text for digits in range(2, 17) if float(text := f"{value:.{digits}f}") < floor), repr(value))


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {"box": list(estimate.box.values), "score": estimate.score}
