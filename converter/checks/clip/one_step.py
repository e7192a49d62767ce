"""One step: what two models answer to the same search crop, read by a tracker in one state."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from converter.families.family import Procedure
from converter.proof.boxes import Box, overlap
from converter.proof.chain import Arrays
from converter.proof.compare import compare_decision
from converter.report.text import count, upper
from converter.spec.tensors import StepLimits


@dataclass(frozen=True, slots=True)
class Step:
    """One frame.

    Attributes:
        iou: overlap of the boxes before the tracker smooths them; where both chose cells that rank alike, of the boxes
            in the candidate's cell.
        same_cell: whether both chose the same cell, or cells that rank alike for the reference.
        score: absolute difference of both scores.
    """

    iou: float
    same_cell: bool
    score: float


def one_step(procedure: Procedure, candidate: Arrays, reference: Arrays, tie: float) -> Step:
    """Compare two answers to the crop that the procedure looks at; its state stays.

    Args:
        tie: two cells whose ranks differ by less than this share of the reference's range are the same decision.

    Raises:
        VerificationError: for an answer that is not finite or has another shape.
    """
    answered, expected = procedure.read(candidate), procedure.read(reference)
    decision = compare_decision("rank", answered.ranks, expected.ranks, tie)
    if decision.tie:
        expected = procedure.read(reference, decision.candidate)
    iou = overlap(_with_area(answered.box), _with_area(expected.box))
    return Step(iou, bool(decision), abs(answered.score - expected.score))


def _with_area(box: Box) -> Box:
    """A pixel at least each way: a box without area, as networks that track nothing give them, overlaps nothing."""
    return Box.around(box.centre, (max(1.0, box.w), max(1.0, box.h)))


@dataclass(frozen=True)
class Steps:
    """One step in several frames; true when there are some and they are within the limits.

    Attributes:
        limits: what is expected.
        frames: how many.
        iou_mean, iou_smallest: None when there is no frame.
        iou_smallest_frame: where the smallest is.
        other_cells: number of frames in which the candidate chose another cell.
        score_max, score_mean: of the difference.
    """

    limits: StepLimits
    frames: int
    iou_mean: float | None
    iou_smallest: float | None
    iou_smallest_frame: int | None
    other_cells: int
    score_max: float | None
    score_mean: float | None

    def __bool__(self) -> bool:
        return not self.reasons()

    @property
    def allowed_cells(self) -> int:
        """In how many frames the candidate may choose another cell."""
        return int(self.limits.other_cells * self.frames)

    def reasons(self) -> list[str]:
        """What is beyond the limits, a phrase each."""
        if self.iou_mean is None or self.score_max is None:
            return ["no frame was compared"]
        reasons = []
        if self.iou_mean < self.limits.iou:
            reasons.append(
                f"mean overlap {below(self.iou_mean, self.limits.iou)} in one step over {count(self.frames, 'frame')}, "
                f"expected {self.limits.iou:g} or more (smallest {self.iou_smallest:.2f} in frame "
                f"{self.iou_smallest_frame})"
            )
        if self.iou_smallest is not None and self.iou_smallest < self.limits.smallest:
            reasons.append(
                f"smallest overlap {below(self.iou_smallest, self.limits.smallest)} in one step, in frame "
                f"{self.iou_smallest_frame}, expected {self.limits.smallest:g} or more"
            )
        if self.other_cells > self.allowed_cells:
            allowed = f"{self.allowed_cells} or less" if self.allowed_cells else "none"
            reasons.append(f"another best cell in {count(self.other_cells, 'frame')}, expected in {allowed}")
        if self.score_max > self.limits.score:
            reasons.append(f"the score is off by {upper(self.score_max)}, expected {self.limits.score:g} or less")
        return reasons

    def as_dict(self) -> dict[str, Any]:
        figures = asdict(self)
        del figures["limits"]
        return figures


def steps_of(frames: Mapping[int, Step], limits: StepLimits) -> Steps:
    """The figures of frames by their index."""
    smallest = min(frames, key=lambda index: frames[index].iou, default=None)
    number, scores = len(frames), [step.score for step in frames.values()]
    return Steps(
        limits=limits,
        frames=number,
        iou_mean=sum(step.iou for step in frames.values()) / number if number else None,
        iou_smallest=None if smallest is None else frames[smallest].iou,
        iou_smallest_frame=smallest,
        other_cells=sum(not step.same_cell for step in frames.values()),
        score_max=max(scores, default=None),
        score_mean=sum(scores) / number if number else None,
    )


def below(value: float, floor: float) -> str:
    """With as many digits as it takes to show that it is less."""
    return next((text for digits in range(2, 17) if float(text := f"{value:.{digits}f}") < floor), repr(value))
