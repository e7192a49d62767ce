"""Models on the emulated ARM cpu against the reference's answers: each graph alone, and chained as on a device."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from converter.checks.arm.root import ArmRoot
from converter.checks.device.decision import best_of
from converter.checks.device.modes import MODES, Mode, allowed_in, check_tolerances
from converter.checks.device.probe import Proof, probe
from converter.checks.device.process import ArmProcess
from converter.checks.device.runner import ArmRunner
from converter.checks.device.section import ArmCheck, ArmSection, BlobCounts, Counts, ModeResult
from converter.checks.half.masks import DangerousMask, dangerous_masks
from converter.errors import ConversionError, UsageError
from converter.formats.ncnn.param import load_param
from converter.proof.chain import Arrays, Run, chain
from converter.proof.comparison import Comparison
from converter.proof.feeds import Feed
from converter.proof.verify import check_of
from converter.spec.model import Model
from converter.spec.options import ArmOptions
from converter.util.content import Contents, File
from converter.util.stages import Stages

STAGE = "arm64"
# an input, and with it every output by meaning, of graphs that were chained as on a device
Answered = tuple[Feed, dict[str, np.ndarray]]


@dataclass(frozen=True)
class ArmRun:
    """What to run.

    Attributes:
        root: what runs it.
        options: modes, cpu, how many inputs (the last ones, which are real crops where there are some), and so on.
        folder, contents: of the models' files, and what was read of it.
        comparisons: the ncnn models of each are run.
    """

    root: ArmRoot
    options: ArmOptions
    folder: Path
    contents: Contents
    comparisons: Sequence[Comparison]

    def files(self, model: Model) -> tuple[File, ...]:
        """Of a model, as they were read for the proof."""
        return self.contents.where_there(model.paths(self.folder))

    def compared(self, mode: str) -> list[Comparison]:
        """The comparisons on the inputs that are used, with the tolerances of a mode.

        Raises:
            UsageError: when the config does not say what passes.
        """
        number, compared = self.options.inputs, []
        for comparison in self.comparisons:
            network = comparison.tracker.network
            check_tolerances(network, [mode])
            tolerances, tie = allowed_in(network, mode, self.options.rtol).tolerances, network.tie(mode)
            for model in comparison.tracker.of("ncnn"):
                for tensor in model.graph.outputs:
                    if tensor.meaning not in tolerances:
                        raise UsageError(f"config: arm.{mode}.tolerances has none for output {tensor.meaning!r}")
            last = replace(comparison, feeds=comparison.feeds[-number:], outputs=comparison.outputs[-number:])
            compared.append(replace(last, tolerances=tolerances, tie=tie))
        return compared


def check_arm(run: ArmRun, stages: Stages, keep: Callable[[Answered], None] | None = None) -> ArmSection:
    """Run everything, one process per mode.

    Args:
        stages: told of every mode and every input.
        keep: given what the chained graphs answered, mode by mode.

    Raises:
        UsageError: for an unknown cpu or mode, or one without tolerances.
    """
    modes = [_ModeRun(run, MODES[name], stages, keep) for name in run.options.modes]
    results = tuple(mode.result() for mode in modes)
    hello = next((mode.hello for mode in modes if mode.hello), {})
    feeds = dict.fromkeys(feed.name for comparison in modes[0].comparisons for feed in comparison.feeds)
    return ArmSection(
        cpu=run.options.cpu,
        half_cpu=hello.get("half_arithmetic"),
        versions={name: hello[name] for name in ("ncnn", "numpy", "python") if name in hello},
        feeds=tuple(feeds),
        modes=results,
        masks=_masks(run) if any(mode.mode.storage != "float32" for mode in modes) else (),
    )


def _masks(run: ArmRun) -> tuple[DangerousMask, ...]:
    masks = {}
    for comparison in run.comparisons:
        for model in comparison.tracker.of("ncnn"):
            param = run.files(model)[0]
            with contextlib.suppress(ConversionError):  # a file that cannot be read has failed where it was loaded
                for mask in dangerous_masks(load_param(param), model.graph.name):
                    masks[param.name, mask.layer] = mask
    return tuple(masks.values())


class _ModeRun:
    """All graphs in one mode."""

    def __init__(self, run: ArmRun, mode: Mode, stages: Stages, keep: Callable[[Answered], None] | None) -> None:
        self.run, self.mode, self.stages, self.keep = run, mode, stages, keep
        self.comparisons = run.compared(mode.name)
        self.allowed = allowed_in(self.comparisons[0].tracker.network, mode.name, run.options.rtol)
        name, options = f"emulated aarch64 {mode.name} (cpu {run.options.cpu})", run.options
        self.process = ArmProcess(run.root, options.cpu, mode.options, name, options.timeout)
        self.hello: dict[str, Any] = {}
        self.proof: Proof | None = None
        self.checks: list[ArmCheck] = []
        self.blobs: dict[tuple[int, Model], BlobCounts] = {}

    def result(self) -> ModeResult:
        """Everything that there was to run; what the process dies of is a problem and not an exception."""
        problem = None
        try:
            problem = self._start()
            if problem is None:
                for index, comparison in enumerate(self.comparisons):
                    self._compare(index, comparison)
        except ConversionError as error:
            problem = str(error)
        finally:
            self.process.stop()
        blobs = tuple(self.blobs.values())
        return ModeResult(self.mode, self.proof, problem, tuple(self.checks), blobs, self.allowed)

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
            notes.append(f"{self.mode.name} {', '.join(model.graph.name for model in models)}")
            notes.append(f"{len(comparison.feeds)} inputs")
            runners = {model: ArmRunner(self.process, self.run.files(model), model.graph) for model in models}
            for done, feed in enumerate(comparison.feeds):
                self.stages.progress.step(done, len(comparison.feeds))
                self._compare_on(index, comparison, feed, comparison.outputs[done], runners)

    def _compare_on(
        self, index: int, comparison: Comparison, feed: Feed, reference: Arrays, runners: Mapping[Model, ArmRunner]
    ) -> None:
        for runner in runners.values():
            runner.feed_name = feed.name
        tensors = dict(feed.tensors)
        for run in chain(comparison.tracker.of("ncnn"), runners, feed, reference):
            self.checks.append(self._check(comparison, run, feed.name, reference))
            if run.how == "chained" or all(tensor.meaning in feed.tensors for tensor in run.model.graph.inputs):
                tensors |= run.outputs
                self._count(index, run, runners[run.model])
        if self.keep:
            self.keep((feed, tensors))

    def _check(self, comparison: Comparison, run: Run, feed: str, reference: Arrays) -> ArmCheck:
        return ArmCheck(
            mode=self.mode.name,
            check=check_of(comparison, feed, run, reference),
            best=best_of(run.outputs, reference, comparison.tracker, self.allowed),
            counts={meaning: _count(array) for meaning, array in run.outputs.items()},
        )

    def _count(self, index: int, run: Run, runner: ArmRunner) -> None:
        """Blob by blob, once for each graph: it takes as long as a run."""
        finite = all(np.isfinite(array).all() for array in run.outputs.values())
        if (self.run.options.blobs or not finite) and (index, run.model) not in self.blobs:
            feed = {tensor.name: run.inputs[tensor.meaning] for tensor in run.model.graph.inputs}
            self.blobs[index, run.model] = runner.count(feed)


def _count(array: np.ndarray) -> Counts:
    return Counts(array.size, int(np.count_nonzero(np.isnan(array))), int(np.count_nonzero(np.isinf(array))))
