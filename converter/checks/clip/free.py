"""Free running: every tracker goes on from its own boxes, and what the reference loses so against itself."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from converter.checks.clip.frame import FrameRow

# An overlap below this is worth looking at.
NOTABLE = 0.9


@dataclass(frozen=True)
class FreeRun:
    """A model's track beside the reference's, over the frames after the first.

    Attributes:
        tracked: number of frames compared.
        iou_mean, iou_smallest: of the two boxes; None when no frame was compared.
        iou_smallest_frame: where the smallest is.
        first_below: the first frame with less than ``NOTABLE``, or None.
        iou_until_lost: mean of the frames before the reference first lost the target; None when there is none.
        score_max, score_mean: of the absolute difference of the scores.
    """

    tracked: int
    iou_mean: float | None
    iou_smallest: float | None
    iou_smallest_frame: int | None
    first_below: int | None
    iou_until_lost: float | None
    score_max: float | None
    score_mean: float | None

    def as_dict(self) -> dict[str, Any]:
        return {
            "tracked": self.tracked,
            "iou": {
                "mean": self.iou_mean,
                "smallest": self.iou_smallest,
                "smallest_frame": self.iou_smallest_frame,
                "first_below": self.first_below,
                "until_lost": self.iou_until_lost,
            },
            "score_difference": {"max": self.score_max, "mean": self.score_mean},
        }


@dataclass(frozen=True)
class Floor:
    """What the reference loses against itself with noise of the tolerance's size on its answers.

    Attributes:
        seeds: how many runs.
        iou_mean: of all frames of all runs; None when there is none.
        iou_lowest: the mean of the worst run.
        iou_smallest: of a single frame.
        iou_until_lost: mean of the frames before the reference first lost the target; None when there is none.
    """

    seeds: int
    iou_mean: float | None
    iou_lowest: float | None
    iou_smallest: float | None
    iou_until_lost: float | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def free_run(name: str, frames: Sequence[FrameRow]) -> FreeRun:
    """The figures of one model, of the frames after the first, which is given."""
    overlaps = {row.index: value for row in frames[1:] if (value := row.overlaps[name]) is not None}
    pairs = [(row.reference, estimate) for row in frames[1:] if (estimate := row.candidates[name]) is not None]
    differences = [abs(estimate.score - reference.score) for reference, estimate in pairs]
    smallest, end = min(overlaps, key=overlaps.__getitem__, default=None), first_lost(frames)
    return FreeRun(
        tracked=len(overlaps),
        iou_mean=_mean(overlaps.values()),
        iou_smallest=None if smallest is None else overlaps[smallest],
        iou_smallest_frame=smallest,
        first_below=next((index for index, value in overlaps.items() if value < NOTABLE), None),
        iou_until_lost=_mean([value for index, value in overlaps.items() if end is None or index < end]),
        score_max=max(differences, default=None),
        score_mean=_mean(differences),
    )


def floor_of(frames: Sequence[FrameRow]) -> Floor:
    """The figures of the runs with noise, of the frames after the first."""
    seeds, end = (len(frames[0].noisy) if frames else 0), first_lost(frames)
    runs = [{row.index: value for row in frames[1:] if (value := row.noisy[seed]) is not None} for seed in range(seeds)]
    values = [(index, value) for run in runs for index, value in run.items()]
    return Floor(
        seeds=seeds,
        iou_mean=_mean([value for _, value in values]),
        iou_lowest=min((mean for run in runs if (mean := _mean(run.values())) is not None), default=None),
        iou_smallest=min((value for _, value in values), default=None),
        iou_until_lost=_mean([value for index, value in values if end is None or index < end]),
    )


def first_lost(frames: Sequence[FrameRow]) -> int | None:
    """The first frame in which the reference has lost the target."""
    return next((row.index for row in frames if row.lost), None)


def _mean(values: Collection[float]) -> float | None:
    return sum(values) / len(values) if values else None
