"""Models on the emulated ARM cpu against the reference's answers: each graph alone, and chained as on a device."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converter.checks.arm.decision import Head
from converter.checks.arm.modes import MODES, Mode
from converter.checks.arm.probe import Proof, probe
from converter.checks.arm.process import ArmProcess
from converter.checks.arm.root import ArmRoot
from converter.checks.arm.runner import ArmRunner
from converter.checks.arm.section import ArmCheck, ArmSection, BlobCounts, ModeResult
from converter.checks.arm.tolerances import allowed_in, check_tolerances
from converter.checks.half.masks import DangerousMask, dangerous_masks
from converter.errors import ConversionError, UsageError
from converter.formats.ncnn.param import load_param
from converter.proof.chain import Arrays, Run, chain
from converter.proof.compare import compare
from converter.proof.comparison import Comparison
from converter.proof.feeds import Feed
from converter.spec.model import TrackerModels
from converter.spec.network import ArmTolerances, GraphSpec, NetworkSpec
from converter.spec.options import ArmOptions
from converter.util.stages import Stages

STAGE = "arm64"


@dataclass(frozen=True)
class Answered:
    """One input that went through all graphs of a tracker, chained as on a device.

    Attributes:
        index: of the comparison.
        feed: the images.
        tensors: they, and every graph's outputs, by meaning.
    """

    index: int
    feed: Feed
    tensors: dict[str, np.ndarray]


@dataclass(frozen=True)
class ArmRun:
    """What to run.

    Attributes:
        root: what runs it.
        options: modes, cpu, how many inputs (the last ones, which are real crops where there are some), and so on.
        folder: of the models' files.
        comparisons: the ncnn models of each are run.
    """

    root: ArmRoot
    options: ArmOptions
    folder: Path
    comparisons: Sequence[Comparison]

    @property
    def network(self) -> NetworkSpec:
        return self.comparisons[0].tracker.network

    def inputs_of(self, comparison: Comparison) -> list[tuple[Feed, Arrays]]:
        """The feeds that are used, each with the reference's outputs."""
        pairs = zip(comparison.feeds, comparison.outputs, strict=True)
        return list(pairs)[-self.options.inputs :]


def check_arm(run: ArmRun, stages: Stages, keep: Callable[[Answered], None] | None = None) -> ArmSection:
    """Run everything, one process per mode.

    Args:
        stages: told of every run of a graph.
        keep: given what the chained graphs answered, mode by mode.

    Raises:
        UsageError: for an unknown cpu or mode, or one without tolerances.
    """
    check_tolerances(run.network, run.options.modes)
    modes = [MODES[name] for name in run.options.modes]
    results, hello = [], {}
    for mode in modes:
        one = _ModeRun(run, mode, stages, keep)
        results.append(one.result())
        hello = one.hello or hello
    feeds = dict.fromkeys(feed.name for comparison in run.comparisons for feed, _ in run.inputs_of(comparison))
    return ArmSection(
        cpu=run.options.cpu,
        half_cpu=hello.get("half_arithmetic"),
        versions={name: hello[name] for name in ("ncnn", "numpy", "python") if name in hello},
        feeds=tuple(feeds),
        modes=tuple(results),
        masks=_masks(run) if any(mode.storage != "float32" for mode in modes) else (),
    )


def _masks(run: ArmRun) -> tuple[DangerousMask, ...]:
    masks = {}
    for comparison in run.comparisons:
        for model in comparison.tracker.of("ncnn"):
            param = model.paths(run.folder)[0]
            with contextlib.suppress(ConversionError):  # a file that cannot be read has failed where it was loaded
                for mask in dangerous_masks(load_param(param), model.graph.name):
                    masks[param, mask.layer] = mask
    return tuple(masks.values())


class _ModeRun:
    """All graphs in one mode."""

    def __init__(self, run: ArmRun, mode: Mode, stages: Stages, keep: Callable[[Answered], None] | None) -> None:
        self.run, self.mode, self.stages, self.keep = run, mode, stages, keep
        options = run.options
        self.process = ArmProcess(
            *(run.root, options.cpu, mode.options),
            *(f"emulated aarch64 {mode.name} (cpu {options.cpu})", options.timeout),
        )
        self.allowed = allowed_in(run.network, mode.name, options.rtol)
        self.hello: dict[str, Any] = {}
        self.proof: Proof | None = None
        self.checks: list[ArmCheck] = []
        self.blobs: list[BlobCounts] = []
        self.counted: set[tuple[int, str]] = set()

    def result(self) -> ModeResult:
        """Everything that there was to run; what the process dies of is a problem and not an exception."""
        problem = None
        try:
            problem = self._start()
            if problem is None:
                for index, comparison in enumerate(self.run.comparisons):
                    self._compare(index, comparison)
        except ConversionError as error:
            problem = str(error)
        finally:
            self.process.stop()
        allowed = self.allowed.model_dump()
        return ModeResult(self.mode, self.proof, problem, tuple(self.checks), tuple(self.blobs), allowed)

    def _start(self) -> str | None:
        cpu = self.run.options.cpu
        with self.stages(STAGE) as notes:
            self.hello = self.process.start()
            self.proof = probe(self.process, bool(self.hello.get("half_arithmetic")))
            missing = self.proof.missing(self.mode, cpu)
            notes.append(f"{self.mode.name}, cpu {cpu}: {'not run' if missing else self.mode.about}")
        return f"not run: {missing}" if missing else None

    def _compare(self, index: int, comparison: Comparison) -> None:
        models = comparison.tracker.of("ncnn")
        with self.stages(STAGE) as notes:
            runners = {
                model: _Told(ArmRunner(self.process, model.paths(self.run.folder), model.graph), self.stages)
                for model in models
            }
            notes.append(f"{self.mode.name} {', '.join(model.graph.name for model in models)} loaded")
        for feed, reference in self.run.inputs_of(comparison):
            for runner in runners.values():
                runner.note = f"{self.mode.name} {runner.graph.name}, {feed.name}"
            known = dict(feed.tensors)
            for run in chain(models, runners, feed, reference):
                self.checks.append(self._check(comparison, run, feed.name, reference))
                if run.how == "chained" or all(tensor.meaning in feed.tensors for tensor in run.model.graph.inputs):
                    known |= run.outputs
                    if self.run.options.blobs or not all(np.isfinite(array).all() for array in run.outputs.values()):
                        self._count(index, runners[run.model].runner, feed.name, run.inputs)
            if self.keep:
                self.keep(Answered(index, feed, known))

    def _check(self, comparison: Comparison, run: Run, feed: str, reference: Arrays) -> ArmCheck:
        network, tolerances, given = comparison.tracker.network, self.allowed.tolerances, run.outputs
        for meaning in given:
            if meaning not in tolerances:
                raise UsageError(f"config: arm.{self.mode.name}.tolerances has none for output {meaning!r}")
        reports = tuple(compare(name, array, reference[name], tolerances[name]) for name, array in given.items())
        name, tie = network.decision, network.tie(self.mode.name)
        comparable = any(report.name == name and report.problem is None for report in reports)
        head = _head(run.model.graph, comparison.tracker, self.allowed)
        return ArmCheck(
            mode=self.mode.name,
            graph=run.model.graph.name,
            how=run.how,
            feed=feed,
            outputs=reports,
            decision=comparison.decision(given[name], reference[name], tie) if comparable else None,
            best=head.best(given, reference) if head else None,
            counts={meaning: _count(array) for meaning, array in given.items()},
        )

    def _count(self, index: int, runner: ArmRunner, feed: str, known: Arrays) -> None:
        """Blob by blob, once for each graph: it takes as long as a run."""
        graph = runner.graph
        if (index, graph.name) in self.counted:
            return
        self.counted.add((index, graph.name))
        with self.stages(STAGE) as notes:
            rows = runner.count({tensor.name: known[tensor.meaning] for tensor in graph.inputs})
            self.blobs.append(BlobCounts(graph.name, feed, tuple(rows)))
            notes.append(f"{self.mode.name} {graph.name}, {len(rows)} blobs")


class _Told:
    """A runner whose every run is a stage."""

    def __init__(self, runner: ArmRunner, stages: Stages) -> None:
        self.runner, self.graph, self.stages, self.note = runner, runner.graph, stages, ""

    def infer(self, feed: Arrays) -> dict[str, np.ndarray]:
        with self.stages(STAGE) as notes:
            outputs = self.runner.infer(feed)
            notes.append(self.note)
        return outputs


def _count(array: np.ndarray) -> dict[str, int]:
    return {
        "size": int(array.size),
        "nan": int(np.count_nonzero(np.isnan(array))),
        "inf": int(np.count_nonzero(np.isinf(array))),
    }


def _head(graph: GraphSpec, tracker: TrackerModels, allowed: ArmTolerances) -> Head | None:
    """How to read a graph's boxes; None where it has no score map with four distances beside it."""
    network = tracker.network
    by_meaning = {tensor.meaning: tensor for tensor in graph.outputs}
    scores = by_meaning.get(network.decision)
    if scores is None:
        return None
    edges = [tensor for tensor in graph.outputs if tensor.shape == (1, 4, *scores.shape[-2:])]
    if len(edges) != 1:
        return None
    logit = network.tracker.get(scores.meaning) == "logit" and scores.activation is None
    return Head(scores.meaning, edges[0].meaning, logit, tracker.dimensions.stride, allowed.box_pixels, allowed.score)
