"""Models on the emulated ARM cpu against the reference's answers: each graph alone, and chained as on a device."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from converter.checks.arm.decision import Head
from converter.checks.arm.job import ArmJob, check_tolerances
from converter.checks.arm.modes import MODES, Mode
from converter.checks.arm.probe import Proof, probe
from converter.checks.arm.process import ArmProcess
from converter.checks.arm.runner import ArmRunner
from converter.checks.arm.section import ArmCheck, ArmSection, BlobCounts, ModeResult
from converter.checks.half.masks import dangerous_masks
from converter.errors import ConversionError, UsageError
from converter.formats.ncnn.param import load_param
from converter.proof.compare import compare, compare_decision
from converter.proof.feeds import Feed
from converter.spec.network import ArmTolerances

STAGE = "arm64"

StageFactory = Callable[[str], AbstractContextManager[list[str]]]


@dataclass(frozen=True)
class Answered:
    """One input that went through all graphs of a group, chained as on a device.

    Attributes:
        group: index of it.
        feed: the images.
        tensors: they, and every graph's outputs, by meaning.
    """

    group: int
    feed: Feed
    tensors: dict[str, np.ndarray]


def check_arm(job: ArmJob, stages: StageFactory, keep: Callable[[Answered], None] | None = None) -> ArmSection:
    """Run everything, one process per mode.

    Args:
        job: what.
        stages: told of every run of a graph; see :class:`converter.exporting.plan.Stages`.
        keep: given what the chained graphs answered, mode by mode.

    Raises:
        UsageError: for an unknown cpu or mode, or one without tolerances.
    """
    check_tolerances(job.network, job.modes)
    modes = [MODES[name] for name in job.modes]
    results, hello = [], {}
    for mode in modes:
        run = _Run(job, mode, stages, keep)
        results.append(run.result())
        hello = run.hello or hello
    feeds = dict.fromkeys(feed.name for group in job.used() for feed in group.feeds)
    return ArmSection(
        cpu=job.cpu,
        half_cpu=hello.get("half_arithmetic"),
        versions={name: hello[name] for name in ("ncnn", "numpy", "python") if name in hello},
        feeds=tuple(feeds),
        modes=tuple(results),
        masks=_masks(job) if any(mode.storage != "float32" for mode in modes) else (),
    )


def _masks(job):
    found = {}
    for group in job.groups:
        for model in group.models:
            with contextlib.suppress(ConversionError):  # a file that cannot be read has failed where it was loaded
                for mask in dangerous_masks(load_param(model.files[0]), model.graph.name):
                    found[model.files[0], mask.layer] = mask
    return tuple(found.values())


class _Run:
    """All graphs in one mode."""

    def __init__(self, job: ArmJob, mode: Mode, stages: StageFactory, keep):
        self.job, self.mode, self.stages, self.keep = job, mode, stages, keep
        self.process = ArmProcess(
            job.root, job.cpu, mode.options, f"emulated aarch64 {mode.name} (cpu {job.cpu})", job.timeout
        )
        self.hello: dict[str, Any] = {}
        self.proof: Proof | None = None
        self.checks: list[ArmCheck] = []
        self.blobs: list[BlobCounts] = []
        self.counted: set[tuple[int, str]] = set()

    @property
    def allowed(self) -> ArmTolerances:
        return self.job.network.arm[self.mode.name]

    def result(self) -> ModeResult:
        """Everything that there was to run; what the process dies of is a problem and not an exception."""
        problem = None
        try:
            problem = self._start()
            if problem is None:
                for index, group in enumerate(self.job.used()):
                    self._group(index, group)
        except ConversionError as error:
            problem = str(error)
        finally:
            self.process.stop()
        allowed = self.allowed.model_dump()
        return ModeResult(self.mode, self.proof, problem, tuple(self.checks), tuple(self.blobs), allowed)

    def _start(self):
        with self.stages(STAGE) as notes:
            self.hello = self.process.start()
            self.proof = probe(self.process, bool(self.hello.get("half_arithmetic")))
            missing = self.proof.missing(self.mode, self.job.cpu)
            notes.append(f"{self.mode.name}, cpu {self.job.cpu}: {'not run' if missing else self.mode.about}")
        return f"not run: {missing}" if missing else None

    def _group(self, index, group):
        with self.stages(STAGE) as notes:
            runners = {model.graph.name: ArmRunner(self.process, model.files, model.graph) for model in group.models}
            notes.append(f"{self.mode.name} {', '.join(runners)} loaded")
        for feed, answer in zip(group.feeds, group.answers, strict=True):
            exact, chained = {**answer, **feed.tensors}, dict(feed.tensors)
            for model in group.models:
                runner, graph = runners[model.graph.name], model.graph
                given = self._checked(runner, "alone", feed.name, exact, answer)
                if not all(tensor.meaning in feed.tensors for tensor in graph.inputs):
                    if any(
                        tensor.meaning not in chained or chained[tensor.meaning].shape != tensor.shape
                        for tensor in graph.inputs
                    ):
                        break  # the graph before has failed on that shape
                    given = self._checked(runner, "chained", feed.name, chained, answer)
                chained.update(given)
                if self.job.blobs or not all(np.isfinite(array).all() for array in given.values()):
                    self._count(index, runner, feed.name, chained)
            if self.keep:
                self.keep(Answered(index, feed, chained))

    def _checked(self, runner, how, feed, known, answer):
        """One run; what it gave, by meaning."""
        graph = runner.graph
        with self.stages(STAGE) as notes:
            outputs = runner.infer({tensor.name: known[tensor.meaning] for tensor in graph.inputs})
            notes.append(f"{self.mode.name} {graph.name} {how}, {feed}")
        given = {tensor.meaning: outputs[tensor.name] for tensor in graph.outputs}
        self.checks.append(self._check(graph, how, feed, given, answer))
        return given

    def _check(self, graph, how, feed, given, answer):
        tolerances, decision = self.allowed.tolerances, self.job.network.decision
        for meaning in given:
            if meaning not in tolerances:
                raise UsageError(f"config: arm.{self.mode.name}.tolerances has none for output {meaning!r}")
        reports = tuple(compare(name, array, answer[name], tolerances[name]) for name, array in given.items())
        tie = self.job.network.tie(self.mode.name)
        comparable = any(report.name == decision and report.problem is None for report in reports)
        head = _head(graph, self.job, self.allowed)
        return ArmCheck(
            mode=self.mode.name,
            graph=graph.name,
            how=how,
            feed=feed,
            outputs=reports,
            decision=compare_decision(decision, given[decision], answer[decision], tie) if comparable else None,
            best=head.best(given, answer) if head else None,
            counts={name: _count(array) for name, array in given.items()},
        )

    def _count(self, index, runner, feed, known):
        """Blob by blob, once for each graph: it takes as long as a run."""
        graph = runner.graph
        if (index, graph.name) in self.counted:
            return
        self.counted.add((index, graph.name))
        with self.stages(STAGE) as notes:
            rows = runner.count({tensor.name: known[tensor.meaning] for tensor in graph.inputs})
            self.blobs.append(BlobCounts(graph.name, feed, tuple(rows)))
            notes.append(f"{self.mode.name} {graph.name}, {len(rows)} blobs")


def _count(array):
    return {
        "size": int(array.size),
        "nan": int(np.count_nonzero(np.isnan(array))),
        "inf": int(np.count_nonzero(np.isinf(array))),
    }


def _head(graph, job, allowed) -> Head | None:
    """How to read a graph's boxes; None where it has no score map with four distances beside it."""
    by_meaning = {tensor.meaning: tensor for tensor in graph.outputs}
    scores = by_meaning.get(job.network.decision)
    if scores is None:
        return None
    edges = [tensor for tensor in graph.outputs if tensor.shape == (1, 4, *scores.shape[-2:])]
    if len(edges) != 1:
        return None
    logit = job.network.tracker.get(scores.meaning) == "logit" and scores.activation is None
    return Head(scores.meaning, edges[0].meaning, logit, job.stride, allowed.box_pixels, allowed.score)
