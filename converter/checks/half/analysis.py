"""From ncnn graphs and inputs to a :class:`converter.checks.half.report.HalfReport`."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from converter.checks.half.masks import computes_in_float, dangerous_masks
from converter.checks.half.network import PASSED_ON, PRECISIONS, HalfNetwork, Precision
from converter.checks.half.report import SMALLEST_NORMAL, HalfError, HalfReport, LayerReport, OutputHalf
from converter.errors import ConversionError, UsageError
from converter.formats.ncnn.weights import load_part
from converter.proof.feeds import Feed
from converter.spec.network import GraphSpec

PROTECTED = Precision("half arithmetic, protected", "as half arithmetic, with 31=1 on the layers named", True, True)

Arrays = Mapping[str, np.ndarray]


class BlobRunner(Protocol):
    """A loaded ncnn graph that gives any of its blobs; :class:`converter.formats.ncnn.runner.NcnnRunner`."""

    def blobs(self, feed: Arrays, names: Iterable[str]) -> dict[str, np.ndarray]: ...


def fp16_report(
    files: Mapping[str, tuple[Path, Path]],
    graphs: Sequence[GraphSpec],
    runners: Mapping[str, BlobRunner],
    feeds: Sequence[Feed],
    answers: Sequence[Arrays],
) -> HalfReport:
    """Ranges and bounds of every layer, and the errors of half weights, half storage and half arithmetic.

    The graphs are chained as a device runs them: a graph takes what the one before gave at the same precision.

    Args:
        files: graph name to its ``.param`` and ``.bin``.
        graphs: in the order in which a device runs them.
        runners: graph name to ncnn with these files, in float32.
        feeds: inputs; ``answers`` are the reference's tensors for each, by meaning, for what no graph gives.

    Raises:
        UsageError: when there is no ncnn graph, or no input.
        ConversionError: when the files cannot be read, or ncnn fails.
    """
    if not graphs:
        raise UsageError("--fp16-report: expected ncnn models, found none; ONNX models have no half kernels of ncnn's")
    if not feeds:
        raise UsageError("--fp16-report: expected inputs to take the ranges over, found none")
    studies = [_Study(graph, *files[graph.name], runners[graph.name]) for graph in graphs]
    starts = [{**answer, **feed.tensors} for feed, answer in zip(feeds, answers, strict=True)]
    with torch.no_grad(), np.errstate(all="ignore"):
        for start in starts:
            _simulate(studies, start, PRECISIONS)
        protect = any(study.protect() for study in studies)
        if protect:  # known only now, after the last input; keeping all blobs instead would fill the memory
            for start in starts:
                _simulate(studies, start, [PROTECTED])
    return HalfReport(
        feeds=tuple(feed.name for feed in feeds),
        layers=tuple(layer for study in studies for layer in study.layers()),
        outputs=tuple(output for study in studies for output in study.outputs()),
        masks=tuple(mask for study in studies for mask in dangerous_masks(study.network.graph, study.spec.name)),
        precisions={one.name: one.about for one in (*PRECISIONS, *([PROTECTED] if protect else []))},
    )


def _simulate(studies, start, precisions):
    """One input: ncnn in float32, then every precision beside it."""
    blobs = _chain(studies, start, lambda study, known: study.look(known))
    for precision in precisions:
        _chain(studies, start, _simulation(precision, blobs))


def _simulation(precision, float_blobs):
    return lambda study, known: study.simulate(precision, known, float_blobs[study.spec.name])


def _chain(studies, start, run):
    """Run graph after graph, each fed by meaning; returns graph name to the blobs it gave."""
    known, found = dict(start), {}
    for study in studies:
        spec = study.spec
        if missing := [tensor.meaning for tensor in spec.inputs if tensor.meaning not in known]:
            raise ConversionError(f"half precision of {spec.name}: nothing gives its input {missing[0]!r}")
        found[spec.name] = run(study, known)
        for tensor in spec.outputs:
            known[tensor.meaning] = np.asarray(found[spec.name][tensor.name])[np.newaxis]
    return found


class _Study:
    """One graph: what is found out about it, input by input."""

    def __init__(self, spec, param, weights, runner):
        self.spec, self.runner = spec, runner
        self.network = HalfNetwork(*load_part(param, weights, [tensor.name for tensor in spec.outputs]))
        layers = self.network.graph.layers
        self.blobs = [blob for layer in layers for blob in layer.outputs]
        self.ranges = [_Range() for _ in layers]
        self.output_ranges = {tensor.name: _Range() for tensor in spec.outputs}
        self.bounds: dict[int, float] = {}
        self.problems: dict[int, str] = {}
        self.errors: dict[str, dict[str, float]] = {}

    def look(self, known: Arrays) -> dict[str, np.ndarray]:
        """ncnn's own blobs in float32, their ranges, and the bounds of the sums that make them."""
        feed = self._feed(known)
        given = {name: array[0] for name, array in feed.items()}
        blobs = given | self.runner.blobs(feed, [blob for blob in self.blobs if blob not in given])
        for name, found in self.output_ranges.items():
            found.add(blobs[name])
        for index, layer in enumerate(self.network.graph.layers):
            for blob in layer.outputs[: 1 if layer.type in PASSED_ON else None]:
                self.ranges[index].add(blobs[blob])
            bound, problem = self.network.check(index, blobs)
            if bound is not None:
                bound = bound if math.isfinite(bound) else math.inf
                self.bounds[index] = max(bound, self.bounds.get(index, 0.0))
            if problem is not None:
                self.problems.setdefault(index, problem)
        return blobs

    def simulate(self, precision: Precision, known: Arrays, float_blobs: Arrays) -> dict[str, np.ndarray]:
        inputs = {name: array[0] for name, array in self._feed(known).items()}
        protect = self.protect() if precision is PROTECTED else ()
        found = self.network.run(precision, inputs, float_blobs, self.problems, protect)
        blobs = {blob: values.numpy() for blob, values in found.items()}
        worst = self.errors.setdefault(precision.name, {})
        for blob, values in blobs.items():
            off = float(np.abs(values - float_blobs[blob]).max(initial=0))
            worst[blob] = max(worst.get(blob, 0.0), off if math.isfinite(off) else math.inf)
        return blobs

    def protect(self) -> tuple[str, ...]:
        return tuple(layer.layer for layer in self.layers() if layer.verdict == "protect")

    def layers(self) -> list[LayerReport]:
        return [
            LayerReport(
                graph=self.spec.name,
                layer=layer.name,
                type=layer.type,
                blob=layer.outputs[0],
                **self.ranges[index].figures(),
                sum_bound=self.bounds.get(index),
                masked=computes_in_float(layer),
                problem=self.problems.get(index),
                errors=self._errors(layer.outputs, self.ranges[index]),
            )
            for index, layer in enumerate(self.network.graph.layers)
            if layer.outputs
        ]

    def outputs(self) -> list[OutputHalf]:
        return [
            OutputHalf(
                graph=self.spec.name,
                output=tensor.meaning,
                low=self.output_ranges[tensor.name].low,
                high=self.output_ranges[tensor.name].high,
                errors=self._errors([tensor.name], self.output_ranges[tensor.name]),
            )
            for tensor in self.spec.outputs
        ]

    def _feed(self, known):
        return {
            tensor.name: np.ascontiguousarray(known[tensor.meaning], dtype=np.float32) for tensor in self.spec.inputs
        }

    def _errors(self, blobs, ranges):
        spread = ranges.high - ranges.low
        errors = []
        for precision, worst in self.errors.items():
            off = max(worst[blob] for blob in blobs)
            off = off if math.isfinite(off) else None
            errors.append(HalfError(precision, off, off / spread if off is not None and spread else None))
        return tuple(errors)


class _Range:
    """Of one blob, over all inputs."""

    def __init__(self):
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
