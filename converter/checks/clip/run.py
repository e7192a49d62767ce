"""run_clip: models beside the reference, frame by frame: one step from its state, and each on its own."""

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converter.checks.clip.frame import FrameRow
from converter.checks.clip.free import floor_of
from converter.checks.clip.marks import Marks
from converter.checks.clip.models import NoisyModel, SharedModel
from converter.checks.clip.one_step import Step, one_step
from converter.checks.clip.report import ClipReport, Speed, candidate_report
from converter.checks.clip.worst import WorstFrames
from converter.errors import ConverterError, VerificationError
from converter.families.family import Estimate, Procedure, family_of
from converter.proof.boxes import Box, check_box, overlap
from converter.proof.chain import Arrays, TrackedModel
from converter.spec.choices import FULL, JUDGED_BY_BOXES
from converter.spec.dimensions import Dimensions
from converter.spec.network import NetworkSpec
from converter.spec.tensors import StepLimits, Tolerance
from converter.track.annotate import annotation
from converter.track.draw import painted
from converter.track.frames import Clip
from converter.util import stages
from converter.util.machine import this_machine

SEEDS = 3  # of the noise


@dataclass(frozen=True)
class Judgement:
    """By what models are judged.

    Attributes:
        limits: of one step.
        tie: two cells whose ranks differ by less than this share of the reference's range are the same decision.
        tolerances: of every output; the noise that the reference is compared with itself under is of their size.
    """

    limits: StepLimits
    tie: float
    tolerances: Mapping[str, Tolerance]

    @classmethod
    def of(
        cls,
        spec: NetworkSpec,
        precision: str = FULL,
        min_iou: float | None = None,
        tolerances: Mapping[str, Tolerance] | None = None,
    ) -> "Judgement":
        """The config's of a precision.

        Args:
            min_iou: the least mean overlap in its place.
            tolerances: in their place, but for models that are judged by their boxes: the wider the noise, the lower
                the floor that they are held against.
        """
        noise = spec.noise(precision)
        if tolerances is not None and precision not in JUDGED_BY_BOXES:
            noise = tolerances
        return cls(spec.step_limits(precision, min_iou), spec.box_tie(precision), noise)


def run_clip(
    clip: Clip,
    box: Box,
    reference: TrackedModel,
    candidates: Mapping[str, TrackedModel],
    spec: NetworkSpec,
    dimensions: Dimensions,
    judgement: Judgement,
    annotate: Path | None = None,
    step: stages.Step = stages.no_step,
) -> ClipReport:
    """Track a clip with the reference and with every candidate, frame by frame.

    A model that fails on the way is a result, not an exception; the others go on without it.

    Args:
        clip: opened.
        box: around the target in the first frame.
        reference: the PyTorch network.
        candidates: name -> converted model.
        spec, dimensions: of the network.
        judgement: what passes; :meth:`Judgement.of` is the config's.
        annotate: a video file or a folder to draw all boxes into.
        step: told of every frame.

    Raises:
        UsageError: for a box, a config or an ``annotate`` that cannot be used.
        ConversionError, DependencyError: when the drawn frames cannot be written.
    """
    check_box(box, clip.size)
    trackers = _Trackers(reference, candidates, spec, dimensions, judgement)
    rows: list[FrameRow] = []
    worst = WorstFrames(candidates)
    with annotation(annotate, clip) if annotate else nullcontext() as write:
        for frame, row in trackers.followed(clip, box):
            rows.append(row)
            step(len(rows), clip.length)
            worst.offer(row, frame)
            if write:
                write(painted(frame, row.index, row.drawn))
    frames, own = tuple(rows), trackers.reference
    return ClipReport(
        clip=clip,
        box=box,
        limits=judgement.limits,
        problem=own.problem,
        speed=own.speed,
        candidates=tuple(
            candidate_report(name, judgement.limits, run.problem, frames, run.speed)
            for name, run in trackers.candidates.items()
        ),
        floor=floor_of(frames),
        frames=frames,
        machine=str(this_machine()),
        thumbnails=worst.thumbnails(),
    )


class _Trackers:
    """All that go through a clip beside each other: the reference, the candidates, the reference with noise."""

    def __init__(
        self,
        reference: TrackedModel,
        candidates: Mapping[str, TrackedModel],
        spec: NetworkSpec,
        dimensions: Dimensions,
        judgement: Judgement,
    ) -> None:
        procedure = family_of(spec.family).procedure

        def run(model: SharedModel) -> _Run:
            return _Run(model, procedure(model, spec, dimensions))

        self.reference = run(SharedModel(reference))
        self.candidates = {name: run(SharedModel(model)) for name, model in candidates.items()}
        self._tie = judgement.tie
        shared, noise = self.reference.model, judgement.tolerances
        noisy = [NoisyModel(shared, noise, seed) for seed in range(SEEDS)]
        self._noisy = [_Run(shared, procedure(model, spec, dimensions)) for model in noisy]
        self._marks = Marks()

    def followed(self, clip: Clip, box: Box) -> Iterator[tuple[np.ndarray, FrameRow]]:
        """Frame by frame what they see, until the reference or the last of the candidates has given up."""
        with closing(clip.frames()) as frames:
            for index, frame in enumerate(frames):
                row = self._row(index, frame, box)
                if row is None:
                    return
                yield frame, row
                if self.candidates and all(run.problem for run in self.candidates.values()):
                    return

    def _row(self, index: int, frame: np.ndarray, box: Box) -> FrameRow | None:
        """None where the reference gives up."""
        for run in (self.reference, *self.candidates.values()):
            run.model.next_frame()
        steps = self._steps(index, frame) if index else dict.fromkeys(self.candidates)
        reference = self.reference.follow(index, frame, box)
        if reference is None:
            return None
        estimates = {name: run.follow(index, frame, box) for name, run in self.candidates.items()}
        noisy = [run.follow(index, frame, box) for run in self._noisy]
        return FrameRow(
            index,
            reference,
            estimates,
            {name: _overlap(reference, estimate) for name, estimate in estimates.items()},
            {name: step if estimates[name] else None for name, step in steps.items()},
            tuple(_overlap(reference, estimate) for estimate in noisy),
            self._marks.of(frame, reference),
        )

    def _steps(self, index: int, frame: np.ndarray) -> dict[str, Step | None]:
        """One step of every candidate from where the reference is; none where the reference's fails."""
        nothing: dict[str, Step | None] = dict.fromkeys(self.candidates)
        procedure = self.reference.procedure
        try:
            crop = procedure.look(frame)
            answer = self.reference.model.track(*crop)
            procedure.read(answer)
        except ConverterError as error:
            self.reference.problem = f"frame {index}: {error}"
            return nothing
        return {name: run.step(index, procedure, crop, answer, self._tie) for name, run in self.candidates.items()}


class _Run:
    """One model on its way through the clip.

    Attributes:
        model, procedure: the tracker.
        problem: why it stopped, or None.
    """

    def __init__(self, model: SharedModel, procedure: Procedure) -> None:
        self.problem: str | None = None
        self.model = model
        self.procedure = procedure
        self._seconds: list[float] = []

    def step(
        self, index: int, procedure: Procedure, crop: tuple[np.ndarray, ...], answer: Arrays, tie: float
    ) -> Step | None:
        """One step from another tracker's state; None when the model fails on it or has failed before.

        Args:
            procedure: that tracker.
            crop: what it looks at.
            answer: what its own model says.
        """
        if self.problem:
            return None
        try:
            return one_step(procedure, self.model.track(*crop), answer, tie)
        except ConverterError as error:
            self.problem = f"frame {index}: {error}"
            return None

    def follow(self, index: int, frame: np.ndarray, box: Box) -> Estimate | None:
        """The box in this frame from where this tracker is; None likewise."""
        if self.problem:
            return None
        begin, saved = time.perf_counter(), self.model.saved
        try:
            estimate = self.procedure.step(frame) if index else self.procedure.start(frame, box)
            if not (estimate.box.finite and np.isfinite(estimate.score)):
                raise VerificationError(f"box {estimate.box.values} with score {estimate.score} is not finite")
        except ConverterError as error:
            self.problem = f"frame {index}: {error}"
            return None
        if index:
            self._seconds.append(time.perf_counter() - begin + self.model.saved - saved)
        return estimate

    @property
    def speed(self) -> Speed:
        if not self._seconds:
            return Speed(None, None)
        return Speed(1000 * statistics.median(self.model.seconds), len(self._seconds) / sum(self._seconds))


def _overlap(reference: Estimate, estimate: Estimate | None) -> float | None:
    return overlap(reference.box, estimate.box) if estimate else None
