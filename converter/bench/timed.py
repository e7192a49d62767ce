"""A tracker's model with a stopwatch, in the process in which it runs."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from converter.bench.measure import PARTS, Turn
from converter.formats.format import format_of
from converter.proof.chain import GraphModel, TrackedModel
from converter.proof.runner import Runner
from converter.spec.model import Model

Crop = tuple[np.ndarray, ...]  # the image, (1, 3, size, size) float32, and its mask where there is one


class TimedRunner:
    """A runner that notes how long it took.

    Attributes:
        seconds: of every call since it was last emptied.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.seconds: list[float] = []

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        start = time.perf_counter()
        outputs = self.runner.infer(feed)
        self.seconds.append(time.perf_counter() - start)
        return outputs


class TimedModel:
    """A model and the pictures that it is shown.

    Args:
        model: what a tracker would call.
        runners: those of its graphs, by the graph's name.
        z, x: the template and the search crop that it is shown.
    """

    def __init__(self, model: TrackedModel, runners: Mapping[str, TimedRunner], z: Crop, x: Crop) -> None:
        self.runners = runners
        self.calls: dict[str, Callable[[], Mapping[str, np.ndarray] | None]] = {
            "init": lambda: model.template(*z),
            "update": lambda: model.track(*x),
        }

    def warm_up(self, runs: int, seconds: float) -> list[str]:
        """Run everything, and look at the answer.

        Args:
            runs: of every part, or fewer when they take longer than ``seconds``, but one.

        Returns:
            outputs that are not finite.
        """
        for part in PARTS:
            start = time.perf_counter()
            for _ in range(runs):
                answer = self.calls[part]()
                if time.perf_counter() - start > seconds:
                    break
        return [name for name, array in (answer or {}).items() if not np.isfinite(array).all()]

    def turn(self, runs: int, seconds: float) -> dict[str, Turn]:
        """Every part ``runs`` times, after a run of it that does not count: others have had the caches since.

        Args:
            seconds: that the turn may take; of a part no run but the first is begun when its share is over.
        """
        return {part: self._timed(part, runs, seconds / len(PARTS)) for part in PARTS}

    def _timed(self, part: str, runs: int, seconds: float) -> Turn:
        end = time.perf_counter() + seconds
        self.calls[part]()
        for runner in self.runners.values():
            runner.seconds.clear()
        whole = []
        for _ in range(runs):
            start = time.perf_counter()
            self.calls[part]()
            whole.append(time.perf_counter() - start)
            if time.perf_counter() > end:
                break
        graphs = {name: tuple(runner.seconds) for name, runner in self.runners.items() if runner.seconds}
        return Turn(tuple(whole), graphs)


def timed_graphs(
    folder: Path, models: Sequence[Model], threads: int, half: bool, settings: Mapping[str, str], z: Crop, x: Crop
) -> TimedModel:
    """The models of an export with a stopwatch on each.

    Args:
        folder: of the export.
        models: of one format, in the order in which a device runs them.
        threads, half: as for the format's runner.
        settings: of the runtime, of those that the format names; where there are some, it is not run in half.

    Raises:
        ConversionError: when the runtime does not load them, or they do not fit together.
    """
    runners = {model: TimedRunner(_loaded(folder, model, threads, half, settings)) for model in models}
    return _timed(models, runners, z, x)


def _loaded(folder: Path, model: Model, threads: int, half: bool, settings: Mapping[str, str]) -> Runner:
    format, files = format_of(model.format), model.paths(folder)
    if settings and format.configured:
        return format.configured(files, model.graph, threads, settings)
    return format.load(files, model.graph, threads, half)


def timed_vulkan(folder: Path, models: Sequence[Model], options: Mapping[str, Any], z: Crop, x: Crop) -> TimedModel:
    """Likewise on a Vulkan device.

    Args:
        options: of ncnn, the device among them.
    """
    from converter.checks.vulkan.timed import VulkanRunner

    runners = {model: TimedRunner(VulkanRunner(model.paths(folder), model.graph, options)) for model in models}
    return _timed(models, runners, z, x)


def _timed(models: Sequence[Model], runners: Mapping[Model, TimedRunner], z: Crop, x: Crop) -> TimedModel:
    by_name = {model.graph.name: runner for model, runner in runners.items()}
    return TimedModel(GraphModel(models, runners), by_name, z, x)
