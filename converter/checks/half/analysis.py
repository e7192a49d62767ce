"""From ncnn graphs and inputs to a :class:`converter.checks.half.report.HalfReport`."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from converter.checks.half.masks import dangerous_masks
from converter.checks.half.report import HalfReport, LayerReport
from converter.checks.half.section import PASSED_ON
from converter.checks.half.sums import NotAnalysed, Step, sums_of
from converter.errors import ConversionError, UsageError
from converter.formats.ncnn.layer import Layer, computes_in_float
from converter.formats.ncnn.weights import load_part
from converter.proof.comparison import Comparison
from converter.proof.runner import BlobRunner
from converter.spec.model import Model
from converter.util.content import File

AGREES = 1e-4
SMALLEST_NORMAL = 2.0**-14

Arrays = Mapping[str, np.ndarray]


def fp16_report(
    files: Mapping[Model, Sequence[File]], comparison: Comparison, runners: Mapping[Model, BlobRunner]
) -> HalfReport:
    """Ranges of every layer's blobs in the ncnn models, and bounds of the sums inside them.

    Graphs are chained as a device runs them.

    Args:
        files: of every ncnn model.
        runners: ncnn with these files, in float32.

    Raises:
        UsageError: when there is no ncnn model, or no input.
        ConversionError: when the files cannot be read, or ncnn fails.
    """
    models = comparison.tracker.of("ncnn")
    if not models:
        raise UsageError("--fp16-report: expected ncnn models, found none; ONNX models have no half kernels of ncnn's")
    if not comparison.feeds:
        raise UsageError("--fp16-report: expected inputs to take the ranges over, found none")
    studies = [_GraphStudy(model, files[model], runners[model]) for model in models]
    with torch.no_grad(), np.errstate(all="ignore"):
        for feed, outputs in zip(comparison.feeds, comparison.outputs, strict=True):
            tensors = {**outputs, **feed.tensors}
            for study in studies:
                tensors |= study.look(tensors)
    return HalfReport(
        feeds=tuple(feed.name for feed in comparison.feeds),
        layers=tuple(layer.report(study.graph.name) for study in studies for layer in study.layers),
        masks=tuple(mask for study in studies for mask in dangerous_masks(study.table, study.graph.name)),
    )


class _GraphStudy:
    """What is learnt of one graph, input by input."""

    def __init__(self, model: Model, files: Sequence[File], runner: BlobRunner) -> None:
        self.graph, self.runner = model.graph, runner
        param, weights = files
        self.table, stored = load_part(param, weights, [tensor.name for tensor in model.graph.outputs])
        self.layers = [
            _LayerStudy(layer, {array.role: torch.from_numpy(array.values().copy()) for array in arrays})
            for layer, arrays in zip(self.table.layers, stored.arrays, strict=True)
            if layer.outputs
        ]

    def look(self, tensors: Arrays) -> dict[str, np.ndarray]:
        """Take in one input.

        Args:
            known: tensors by meaning.

        Returns:
            the graph's outputs, by meaning.
        """
        if missing := [tensor.meaning for tensor in self.graph.inputs if tensor.meaning not in tensors]:
            raise ConversionError(f"half precision of {self.graph.name}: nothing gives its input {missing[0]!r}")
        feed = {
            tensor.name: np.ascontiguousarray(tensors[tensor.meaning], dtype=np.float32) for tensor in self.graph.inputs
        }
        given = {name: array[0] for name, array in feed.items()}
        every = [blob for study in self.layers for blob in study.layer.outputs if blob not in given]
        blobs = given | self.runner.blobs(feed, every)
        for study in self.layers:
            study.look(blobs)
        return {tensor.meaning: blobs[tensor.name][np.newaxis] for tensor in self.graph.outputs}


class _LayerStudy:
    """What is learnt of one layer."""

    def __init__(self, layer: Layer, weights: Mapping[str, torch.Tensor]) -> None:
        self.layer, self.weights = layer, weights
        self.low, self.high, self.largest, self.smallest = math.inf, -math.inf, 0.0, math.inf
        self.subnormal = self.zero = self.count = 0
        self.bound: float | None = None
        self.problem: str | None = None

    def look(self, blobs: Arrays) -> None:
        for blob in self.layer.outputs[: 1 if self.layer.type in PASSED_ON else None]:
            self._add(blobs[blob])
        try:
            self._add_sums(blobs)
        except (NotAnalysed, RuntimeError, LookupError, TypeError, ArithmeticError) as error:
            self.problem = self.problem or " ".join(str(error).split())[:120]

    def _add(self, values: np.ndarray) -> None:
        sizes = np.abs(values)
        if not np.isfinite(values).all():
            self.largest = math.inf
            sizes = sizes[np.isfinite(sizes)]
            values = values[np.isfinite(values)]
        self.low = min(self.low, float(values.min(initial=math.inf)))
        self.high = max(self.high, float(values.max(initial=-math.inf)))
        self.largest = max(self.largest, float(sizes.max(initial=0)))
        sizes = sizes[sizes > 0]
        self.smallest = min(self.smallest, float(sizes.min(initial=math.inf)))
        vanished = int(np.count_nonzero(sizes.astype(np.float16) == 0))
        self.zero += vanished
        self.subnormal += int(np.count_nonzero(sizes < SMALLEST_NORMAL)) - vanished
        self.count += values.size

    def _add_sums(self, blobs: Arrays) -> None:
        """The bound of the sums on ncnn's own float32 blobs, if what we compute there is what ncnn does."""
        expected = blobs[self.layer.outputs[0]]
        inputs = [torch.from_numpy(blobs[blob]) for blob in self.layer.inputs]
        sums = sums_of(Step(self.layer, self.weights, inputs, expected.shape))
        if sums is None:
            return
        output = sums.output.reshape(expected.shape).numpy()
        if np.isfinite(expected).all():
            off = float(np.abs(output - expected).max(initial=0))
            if not off <= AGREES * max(sums.bound, float(np.abs(expected).max(initial=0)), 1e-6):
                raise NotAnalysed(f"our arithmetic is off ncnn's by {off:.1e}")
        bound = sums.bound if math.isfinite(sums.bound) else math.inf
        self.bound = max(bound, self.bound or 0.0)

    def report(self, graph: str) -> LayerReport:
        return LayerReport(
            graph=graph,
            layer=self.layer.name,
            type=self.layer.type,
            blob=self.layer.outputs[0],
            low=self.low,
            high=self.high,
            largest=self.largest,
            smallest=self.smallest if self.smallest < math.inf else 0.0,
            subnormal=self.subnormal / max(self.count, 1),
            zero=self.zero / max(self.count, 1),
            sum_bound=self.bound,
            masked=computes_in_float(self.layer),
            problem=self.problem,
        )
