"""From ncnn graphs and inputs to a :class:`converter.checks.half.report.HalfReport`."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from converter.checks.half.limits import SMALLEST_NORMAL
from converter.checks.half.masks import computes_in_float, dangerous_masks
from converter.checks.half.report import HalfReport, LayerReport
from converter.checks.half.sums import NotAnalysed, Step, sums_of
from converter.errors import ConversionError, UsageError
from converter.formats.ncnn.weights import load_part
from converter.proof.comparison import Comparison
from converter.proof.runner import BlobRunner
from converter.spec.model import Model

AGREES = 1e-4
PASSED_ON = ("Split", "Noop")

Arrays = Mapping[str, np.ndarray]


def fp16_report(folder: Path, comparison: Comparison, runners: Mapping[Model, BlobRunner]) -> HalfReport:
    """Ranges of every layer's blobs in the ncnn models, and bounds of the sums inside them.

    Graphs are chained as a device runs them.

    Args:
        folder: of the models' files.
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
    studies = [_Study(model, *model.paths(folder), runners[model]) for model in models]
    with torch.no_grad(), np.errstate(all="ignore"):
        for feed, outputs in zip(comparison.feeds, comparison.outputs, strict=True):
            known = {**outputs, **feed.tensors}
            for study in studies:
                known |= study.look(known)
    return HalfReport(
        feeds=tuple(feed.name for feed in comparison.feeds),
        layers=tuple(layer for study in studies for layer in study.layers()),
        masks=tuple(mask for study in studies for mask in dangerous_masks(study.table, study.graph.name)),
    )


class _Study:
    """One graph: what is found out about it, input by input."""

    def __init__(self, model: Model, param: Path, weights: Path, runner: BlobRunner):
        self.graph, self.runner = model.graph, runner
        self.table, stored = load_part(param, weights, [tensor.name for tensor in model.graph.outputs])
        self.weights = [
            {array.role: torch.from_numpy(array.values().copy()) for array in arrays} for arrays in stored.arrays
        ]
        self.ranges = [_Range() for _ in self.table.layers]
        self.bounds: dict[int, float] = {}
        self.problems: dict[int, str] = {}

    def look(self, known: Arrays) -> dict[str, np.ndarray]:
        """Take in one input.

        Args:
            known: tensors by meaning.

        Returns:
            the graph's outputs, by meaning.
        """
        if missing := [tensor.meaning for tensor in self.graph.inputs if tensor.meaning not in known]:
            raise ConversionError(f"half precision of {self.graph.name}: nothing gives its input {missing[0]!r}")
        feed = {
            tensor.name: np.ascontiguousarray(known[tensor.meaning], dtype=np.float32) for tensor in self.graph.inputs
        }
        given = {name: array[0] for name, array in feed.items()}
        every = [blob for layer in self.table.layers for blob in layer.outputs if blob not in given]
        blobs = given | self.runner.blobs(feed, every)
        for index, layer in enumerate(self.table.layers):
            for blob in layer.outputs[: 1 if layer.type in PASSED_ON else None]:
                self.ranges[index].add(blobs[blob])
            if layer.outputs:
                self._bound(index, blobs)
        return {tensor.meaning: blobs[tensor.name][np.newaxis] for tensor in self.graph.outputs}

    def _bound(self, index: int, blobs: Arrays) -> None:
        """The bound of one layer's sums on ncnn's own float32 blobs, if what we compute there is what ncnn does."""
        layer = self.table.layers[index]
        expected = blobs[layer.outputs[0]]
        inputs = [torch.from_numpy(blobs[blob]) for blob in layer.inputs]
        try:
            sums = sums_of(Step(layer, self.weights[index], inputs, expected.shape))
            if sums is None:
                return
            output = sums.output.reshape(expected.shape).numpy()
        except (NotAnalysed, RuntimeError) as error:  # another number of values than ncnn's
            self.problems.setdefault(index, " ".join(str(error).split())[:120])
            return
        if np.isfinite(expected).all():
            off = float(np.abs(output - expected).max(initial=0))
            if not off <= AGREES * max(sums.bound, float(np.abs(expected).max(initial=0)), 1e-6):
                self.problems.setdefault(index, f"our arithmetic is off ncnn's by {off:.1e}")
                return
        bound = sums.bound if math.isfinite(sums.bound) else math.inf
        self.bounds[index] = max(bound, self.bounds.get(index, 0.0))

    def layers(self) -> list[LayerReport]:
        return [
            LayerReport(
                graph=self.graph.name,
                layer=layer.name,
                type=layer.type,
                blob=layer.outputs[0],
                **self.ranges[index].figures(),
                sum_bound=self.bounds.get(index),
                masked=computes_in_float(layer),
                problem=self.problems.get(index),
            )
            for index, layer in enumerate(self.table.layers)
            if layer.outputs
        ]


class _Range:
    """Of one blob, over all inputs."""

    def __init__(self) -> None:
        self.low, self.high, self.largest, self.smallest = math.inf, -math.inf, 0.0, math.inf
        self.subnormal = self.zero = self.count = 0

    def add(self, values: np.ndarray) -> None:
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

    def figures(self) -> dict[str, float]:
        return {
            "low": self.low,
            "high": self.high,
            "largest": self.largest,
            "smallest": self.smallest if self.smallest < math.inf else 0.0,
            "subnormal": self.subnormal / max(self.count, 1),
            "zero": self.zero / max(self.count, 1),
        }
