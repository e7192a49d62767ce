"""Models on a device against the reference's answers: each graph alone, and chained as an application runs them."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from converter.checks.device.blame import blame
from converter.checks.device.decision import best_of
from converter.checks.device.modes import MODES, Mode, allowed_in, check_tolerances, tie_in
from converter.checks.device.probe import Proof, probe
from converter.checks.device.process import GuestProcess
from converter.checks.device.runner import GuestRunner
from converter.checks.device.runtime import Runtime
from converter.checks.device.section import BlobCounts, Counts, ModeCheck, ModeResult
from converter.checks.half.masks import DangerousMask, dangerous_masks
from converter.errors import ConversionError, UsageError
from converter.formats.ncnn.param import load_param
from converter.proof.chain import Arrays, Run, chain
from converter.proof.comparison import Comparison
from converter.proof.feeds import Feed
from converter.proof.verify import check_of
from converter.spec.model import Model
from converter.spec.network import ModeTolerances, NetworkSpec
from converter.spec.options import DeviceOptions
from converter.util.content import Contents, File
from converter.util.stages import Stages

# an input, and with it every output by meaning, of graphs that were chained as on a device
Answered = tuple[Feed, dict[str, np.ndarray]]


@dataclass(frozen=True)
class Models:
    """What to run.

    Attributes:
        options: modes, how many inputs (the last ones, which are real crops where there are some), and so on.
        folder, contents: of the models' files, and what was read of it.
        comparisons: the ncnn models of each are run.
        precision: of the weights in the files.
    """

    runtime: Runtime
    options: DeviceOptions
    folder: Path
    contents: Contents
    comparisons: Sequence[Comparison]
    precision: str

    def files(self, model: Model) -> tuple[File, ...]:
        """Of a model, as they were read for the proof."""
        return self.contents.where_there(model.paths(self.folder))

    def compared(self, mode: str) -> list[Comparison]:
        """The comparisons on the inputs that are used, with the tolerances of a mode.

        Raises:
            UsageError: when the config does not say what passes.
        """
        number, section, compared = self.options.inputs, self.runtime.section, []
        for comparison in self.comparisons:
            network = comparison.tracker.network
            check_tolerances(network, self.runtime, [mode])
            tolerances = self.allowed(network, mode).tolerances
            for model in comparison.tracker.of("ncnn"):
                for tensor in model.graph.outputs:
                    if tensor.meaning not in tolerances:
                        raise UsageError(f"config: {section}.{mode}.tolerances has none for output {tensor.meaning!r}")
            last = replace(comparison, feeds=comparison.feeds[-number:], outputs=comparison.outputs[-number:])
            compared.append(replace(last, tolerances=tolerances, tie=tie_in(network, mode, self.precision)))
        return compared

    def allowed(self, network: NetworkSpec, mode: str) -> ModeTolerances:
        """What passes in a mode."""
        return allowed_in(network, self.runtime, mode, self.precision, self.options.rtol)

    def masks(self) -> tuple[DangerousMask, ...]:
        """Layers whose mask corrupts memory in the modes that store halves."""
        masks = {}
        for comparison in self.comparisons:
            for model in comparison.tracker.of("ncnn"):
                param = self.files(model)[0]
                with contextlib.suppress(ConversionError):  # a file that cannot be read has failed where it was loaded
                    for mask in dangerous_masks(load_param(param), model.graph.name):
                        masks[param.name, mask.layer] = mask
        return tuple(masks.values())

    @property
    def feeds(self) -> tuple[str, ...]:
        """The names of the inputs that are used."""
        used = (feed.name for comparison in self.comparisons for feed in comparison.feeds[-self.options.inputs :])
        return tuple(dict.fromkeys(used))


@dataclass(frozen=True)
class Loaded:
    """The models of one comparison in a process that runs in a mode."""

    mode: Mode
    process: GuestProcess
    comparison: Comparison
    runners: Mapping[Model, GuestRunner]
    allowed: ModeTolerances


@dataclass(frozen=True)
class Device:
    """What runs the models.

    Attributes:
        about: it, in a few words, as "cpu max".
        process: what it is for error messages, and the mode -> a process that is not started yet.
        half: of what a process says of itself: whether it has half arithmetic.
    """

    about: str
    process: Callable[[Mode], GuestProcess]
    half: Callable[[Mapping[str, Any]], bool]


def nothing_more(loaded: Loaded) -> None:
    """Nothing is done besides."""


class ModeRun:
    """All graphs in one mode.

    Args:
        keep: given what the chained graphs answered.
        besides: done once everything of a comparison has been run, while its models are loaded.

    Attributes:
        hello: what the process said of itself.
    """

    def __init__(
        self,
        models: Models,
        device: Device,
        mode: str,
        stages: Stages,
        keep: Callable[[Answered], None] | None = None,
        besides: Callable[[Loaded], None] = nothing_more,
    ) -> None:
        self.models, self.device, self.mode, self.stages = models, device, MODES[mode], stages
        self.keep, self.besides = keep, besides
        self.comparisons, self.options = models.compared(mode), models.options
        self.allowed = models.allowed(self.comparisons[0].tracker.network, mode)
        self.process = device.process(self.mode)
        self.hello: dict[str, Any] = {}
        self.proof: Proof | None = None
        self.checks: list[ModeCheck] = []
        self.blobs: dict[tuple[int, Model], BlobCounts] = {}
        self.runners: list[GuestRunner] = []

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
        if failed := next((runner for runner in self.runners if runner.failed_on is not None), None):
            problem = f"{problem}{blame(failed, self.device.process(self.mode))}"
        blobs = tuple(self.blobs.values())
        return ModeResult(self.mode, self.proof, problem, tuple(self.checks), blobs, self.allowed)

    def _start(self) -> str | None:
        about = self.device.about
        with self.stages(self.models.runtime.section) as notes:
            self.hello = self.process.start()
            self.proof = probe(self.process, self.device.half(self.hello))
            missing = self.proof.missing(self.mode, about)
            notes.append(f"{self.mode.name}, {about}: {'not run' if missing else self.mode.about}")
        return f"not run: {missing}" if missing else None

    def _compare(self, index: int, comparison: Comparison) -> None:
        models = comparison.tracker.of("ncnn")
        with self.stages(self.models.runtime.section) as notes:
            notes.append(f"{self.mode.name} {', '.join(model.graph.name for model in models)}")
            notes.append(f"{len(comparison.feeds)} inputs")
            runners = {model: GuestRunner(self.process, self.models.files(model), model.graph) for model in models}
            self.runners += runners.values()
            for done, feed in enumerate(comparison.feeds):
                self.stages.progress.step(done, len(comparison.feeds))
                self._compare_on(index, comparison, feed, comparison.outputs[done], runners)
        self.besides(Loaded(self.mode, self.process, comparison, runners, self.allowed))

    def _compare_on(
        self, index: int, comparison: Comparison, feed: Feed, reference: Arrays, runners: Mapping[Model, GuestRunner]
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

    def _check(self, comparison: Comparison, run: Run, feed: str, reference: Arrays) -> ModeCheck:
        check = check_of(comparison, feed, run, reference)
        return ModeCheck(
            runtime=self.models.runtime,
            mode=self.mode.name,
            check=check,
            best=best_of(run.outputs, reference, comparison.tracker, self.allowed, check.decision),
            counts={meaning: _count(array) for meaning, array in run.outputs.items()},
        )

    def _count(self, index: int, run: Run, runner: GuestRunner) -> None:
        """Blob by blob, once for each graph: it takes as long as a run."""
        finite = all(np.isfinite(array).all() for array in run.outputs.values())
        if (self.options.blobs or not finite) and (index, run.model) not in self.blobs:
            feed = {tensor.name: run.inputs[tensor.meaning] for tensor in run.model.graph.inputs}
            self.blobs[index, run.model] = runner.count(feed)


def _count(array: np.ndarray) -> Counts:
    return Counts(array.size, int(np.count_nonzero(np.isnan(array))), int(np.count_nonzero(np.isinf(array))))
