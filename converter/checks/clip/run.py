"""run_clip: every model tracks the same frames, each from where it believes the target to be."""

import statistics
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
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


def run_clip(
    clip: Clip,
    box: Box,
    reference: TrackedModel,
    candidates: Mapping[str, TrackedModel],
    spec: NetworkSpec,
    dimensions: Dimensions,
    min_iou: float,
    annotate: Path | None = None,
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

    Raises:
        UsageError: for a box, a config or an ``annotate`` that cannot be used.
        ConversionError, DependencyError: when the drawn frames cannot be written.
    """
    check_box(box, clip.size)
    runs = {name: _Run(model, spec, dimensions) for name, model in {REFERENCE: reference, **dict(candidates)}.items()}
    rows: list[FrameRow] = []
    worst = WorstFrames(candidates)
    with ExitStack() as stack:
        write = stack.enter_context(annotation(annotate, clip)) if annotate else None
        for index, frame in enumerate(stack.enter_context(closing(clip.frames()))):
            estimates = {name: run.follow(index, frame, box) for name, run in runs.items()}
            row = _row(index, estimates)
            if row is None:
                break
            rows.append(row)
            worst.offer(row, frame)
            if write:
                write(painted(frame, row))
            if candidates and all(runs[name].problem for name in candidates):
                break
    frames = tuple(rows)
    return ClipReport(
        clip=clip.name,
        size=clip.size,
        fps=clip.fps,
        box=box,
        min_iou=min_iou,
        problem=runs[REFERENCE].problem,
        speed=runs[REFERENCE].speed,
        candidates=tuple(
            candidate_report(name, min_iou, runs[name].problem, frames, runs[name].speed) for name in candidates
        ),
        frames=frames,
        thumbnails=worst.thumbnails(),
    )


class _Run:
    """One model on its way through the clip.

    Attributes:
        problem: why it stopped, or None.
    """

    def __init__(self, model, spec, dimensions):
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
        return Speed(
            milliseconds=1000 * statistics.median(self._model.seconds), fps=len(self._seconds) / sum(self._seconds)
        )


class _Timed:
    """A model, and how long it took for each search crop."""

    def __init__(self, model):
        self._model = model
        self.seconds: list[float] = []

    def template(self, *crop):
        self._model.template(*crop)

    def track(self, *crop):
        begin = time.perf_counter()
        answer = self._model.track(*crop)
        self.seconds.append(time.perf_counter() - begin)
        return answer


def _row(index, estimates):
    reference = estimates.pop(REFERENCE)
    if reference is None:
        return None
    overlaps = {
        name: None if estimate is None else overlap(reference.box, estimate.box) for name, estimate in estimates.items()
    }
    return FrameRow(index, reference, estimates, overlaps)
