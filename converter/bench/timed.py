"""A tracker's model with a stopwatch, in the process in which it runs."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from converter.bench.measure import PARTS, Turn
from converter.formats.format import format_of
from converter.proof.chain import GraphModel, TrackedModel
from converter.proof.runner import Runner
from converter.spec.model import Model


class TimedRunner:
    """A runner that notes how long it took.

    Attributes:
        seconds: of every call since it was last emptied.
    """

    def __init__(self, runner: Runner, clock: Callable[[], float]):
        self.runner, self.clock = runner, clock
        self.seconds: list[float] = []

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        start = self.clock()
        outputs = self.runner.infer(feed)
        self.seconds.append(self.clock() - start)
        return outputs


class TimedModel:
    """A model and the pictures that it is shown.

    Args:
        model: what a tracker would call.
        parts: part -> its graphs' runners by name.
        z, x: what it is shown of a template and of a search crop: the image, (1, 3, size, size) float32, and its mask
            where there is one.
    """

    def __init__(
        self,
        model: TrackedModel,
        parts: Mapping[str, Mapping[str, TimedRunner]],
        z: Sequence[np.ndarray],
        x: Sequence[np.ndarray],
        clock: Callable[[], float] = time.perf_counter,
    ):
        self.model, self.parts, self.clock = model, parts, clock
        self.calls = {"init": lambda: model.template(*z), "update": lambda: model.track(*x)}

    def warm_up(self, runs: int, seconds: float = math.inf) -> list[str]:
        """Run everything, and look at the answer.

        Args:
            runs: of every part, or fewer when they take longer than ``seconds``, but one.

        Returns:
            outputs that are not finite.
        """
        for part in PARTS:
            start = self.clock()
            for _ in range(runs):
                answer = self.calls[part]()
                if self.clock() - start > seconds:
                    break
        return [name for name, array in answer.items() if not np.isfinite(array).all()]

    def turn(self, runs: int) -> dict[str, Turn]:
        """Every part ``runs`` times, after a run of it that does not count: others have had the caches since."""
        return {part: self._timed(part, runs) for part in PARTS}

    def _timed(self, part, runs):
        self.calls[part]()
        runners = self.parts[part]
        for runner in runners.values():
            runner.seconds.clear()
        whole = []
        for _ in range(runs):
            start = self.clock()
            self.calls[part]()
            whole.append(self.clock() - start)
        return Turn(tuple(whole), {name: tuple(runner.seconds) for name, runner in runners.items()})


def timed_graphs(
    folder: Path,
    models: Sequence[Model],
    threads: int,
    half: bool,
    z: Sequence[np.ndarray],
    x: Sequence[np.ndarray],
) -> TimedModel:
    """The models of an export with a stopwatch on each.

    Args:
        folder: of the export.
        models: of one format, in the order in which a device runs them.
        threads, half: as for the format's runner.

    Raises:
        ConversionError: when the runtime does not load them, or they do not fit together.
    """
    runners = {
        model: TimedRunner(
            format_of(model.format).load(model.paths(folder), model.graph, threads, half), time.perf_counter
        )
        for model in models
    }
    tracked = GraphModel(models, runners)
    parts = {
        part: {model.graph.name: runners[model] for model in own}
        for part, own in zip(PARTS, (tracked.once, tracked.every_frame), strict=True)
    }
    return TimedModel(tracked, parts, z, x)
