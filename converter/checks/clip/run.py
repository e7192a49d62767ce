"""run_clip: every model tracks the same frames, each from where it believes the target to be."""

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, nullcontext
from pathlib import Path

import numpy as np

from converter.checks.clip.draw import painted
from converter.checks.clip.report import REFERENCE, ClipReport, FrameRow, Speed, candidate_report
from converter.checks.clip.worst import WorstFrames
from converter.errors import ConverterError, VerificationError
from converter.families.family import Estimate, family_of
from converter.proof.boxes import Box, check_box, overlap
from converter.proof.chain import TrackedModel
from converter.spec.dimensions import Dimensions
from converter.spec.network import NetworkSpec
from converter.track.annotate import annotation
from converter.track.frames import Clip
from converter.util.machine import this_machine
from converter.util.stages import Step, no_step


def run_clip(
    clip: Clip,
    box: Box,
    reference: TrackedModel,
    candidates: Mapping[str, TrackedModel],
    spec: NetworkSpec,
    dimensions: Dimensions,
    min_iou: float,
    annotate: Path | None = None,
    step: Step = no_step,
) -> ClipReport:
    """Track a clip with the reference and with every candidate, frame by frame.

    A model that fails on the way is a result, not an exception; the others go on without it.

    Args:
        clip: opened.
        box: around the target in the first frame.
        reference: the PyTorch network.
        candidates: name -> converted model.
        spec, dimensions: of the network.
        min_iou: the least mean overlap that passes.
        annotate: a video file or a folder to draw all boxes into.
        step: told of every frame.

    Raises:
        UsageError: for a box, a config or an ``annotate`` that cannot be used.
        ConversionError, DependencyError: when the drawn frames cannot be written.
    """
    check_box(box, clip.size)
    runs = {name: _Run(model, spec, dimensions) for name, model in {REFERENCE: reference, **candidates}.items()}
    rows: list[FrameRow] = []
    worst = WorstFrames(candidates)
    with annotation(annotate, clip) if annotate else nullcontext() as write:
        for frame, row in _followed(clip, box, runs):
            rows.append(row)
            step(len(rows), clip.length)
            worst.offer(row, frame)
            if write:
                write(painted(frame, row))
    frames, own = tuple(rows), runs.pop(REFERENCE)
    return ClipReport(
        clip=clip,
        box=box,
        min_iou=min_iou,
        problem=own.problem,
        speed=own.speed,
        candidates=tuple(candidate_report(name, min_iou, run.problem, frames, run.speed) for name, run in runs.items()),
        frames=frames,
        machine=str(this_machine()),
        thumbnails=worst.thumbnails(),
    )


def _followed(clip: Clip, box: Box, runs: Mapping[str, "_Run"]) -> Iterator[tuple[np.ndarray, FrameRow]]:
    """Frame by frame what every model sees, until the reference or the last of the candidates has given up."""
    candidates = [run for name, run in runs.items() if name != REFERENCE]
    with closing(clip.frames()) as frames:
        for index, frame in enumerate(frames):
            estimates = {name: run.follow(index, frame, box) for name, run in runs.items()}
            reference = estimates.pop(REFERENCE)
            if reference is None:
                return
            overlaps = {
                name: None if estimate is None else overlap(reference.box, estimate.box)
                for name, estimate in estimates.items()
            }
            yield frame, FrameRow(index, reference, estimates, overlaps)
            if candidates and all(run.problem for run in candidates):
                return


class _Run:
    """One model on its way through the clip.

    Attributes:
        problem: why it stopped, or None.
    """

    def __init__(self, model: TrackedModel, spec: NetworkSpec, dimensions: Dimensions) -> None:
        self.problem: str | None = None
        self._model = _Timed(model)
        self._procedure = family_of(spec.family).procedure(self._model, spec, dimensions)
        self._seconds: list[float] = []

    def follow(self, index: int, frame: np.ndarray, box: Box) -> Estimate | None:
        """The box in this frame; None when the model fails on it or has failed before."""
        if self.problem:
            return None
        begin = time.perf_counter()
        try:
            estimate = self._procedure.step(frame) if index else self._procedure.start(frame, box)
            if not (estimate.box.finite and np.isfinite(estimate.score)):
                raise VerificationError(f"box {estimate.box.values} with score {estimate.score} is not finite")
        except ConverterError as error:
            self.problem = f"frame {index}: {error}"
            return None
        if index:
            self._seconds.append(time.perf_counter() - begin)
        return estimate

    @property
    def speed(self) -> Speed:
        if not self._seconds:
            return Speed(None, None)
        return Speed(1000 * statistics.median(self._model.seconds), len(self._seconds) / sum(self._seconds))


class _Timed:
    """A model, and how long it took for each search crop."""

    def __init__(self, model: TrackedModel) -> None:
        self._model = model
        self.seconds: list[float] = []

    def template(self, z: np.ndarray, mask: np.ndarray | None = None) -> None:
        self._model.template(z, mask)

    def track(self, x: np.ndarray, mask: np.ndarray | None = None) -> Mapping[str, np.ndarray]:
        begin = time.perf_counter()
        answer = self._model.track(x, mask)
        self.seconds.append(time.perf_counter() - begin)
        return answer
