"""Graphs run one after the other, fed by tensor name: alone and chained, or as a tracker calls them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from converter.errors import ConversionError
from converter.proof.feeds import Feed
from converter.proof.runner import Runner, SharingRunner
from converter.spec.model import Model
from converter.spec.tensors import GraphSpec

TEMPLATE, SEARCH = "z", "x"
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Run:
    """One run of one graph.

    Attributes:
        model: of it.
        how: "alone" (fed from the reference) or "chained" (fed with what the graphs before it gave).
        inputs, outputs: by meaning.
    """

    model: Model
    how: str
    inputs: Arrays
    outputs: dict[str, np.ndarray]


def chain(models: Sequence[Model], runners: Mapping[Model, Runner], feed: Feed, reference: Arrays) -> Iterator[Run]:
    """Run every graph alone and, where it takes what another gives, chained.

    Args:
        models: of one format, in the order in which a device runs them.
        reference: every tensor of the config for this feed, by meaning.

    Raises:
        ConversionError: from a runner.
    """
    exact, chained = {**reference, **feed.tensors}, dict(feed.tensors)
    for model in models:
        needed = [tensor for tensor in model.graph.inputs if tensor.meaning not in feed.tensors]
        again = bool(needed) and all(tensor.meaning in chained for tensor in needed)
        fits = all(chained[tensor.meaning].shape == tensor.shape for tensor in model.graph.inputs) if again else False
        runs = [("alone", exact), *([("chained", chained)] if fits else [])]
        for (how, inputs), outputs in zip(runs, _runs(runners[model], model.graph, runs), strict=True):
            yield Run(model, how, _inputs(model, inputs), outputs)
        if again and not fits:
            return  # the graph before has already failed on that shape
        chained |= outputs


def _runs(runner: Runner, graph: GraphSpec, runs: Sequence[tuple[str, Arrays]]) -> list[dict[str, np.ndarray]]:
    if len(runs) == 2 and isinstance(runner, SharingRunner):
        (_, first), (_, second) = runs
        return [_by_meaning(graph, each) for each in runner.infer_both(_by_name(graph, first), _by_name(graph, second))]
    return [run(runner, graph, inputs) for _, inputs in runs]


def _inputs(model: Model, tensors: Arrays) -> dict[str, np.ndarray]:
    return {tensor.meaning: tensors[tensor.meaning] for tensor in model.graph.inputs}


def run(runner: Runner, graph: GraphSpec, tensors: Arrays) -> dict[str, np.ndarray]:
    """Feed a graph by meaning; its outputs come back by meaning, whatever the files call their blobs."""
    return _by_meaning(graph, runner.infer(_by_name(graph, tensors)))


def _by_name(graph: GraphSpec, tensors: Arrays) -> dict[str, np.ndarray]:
    return {tensor.name: tensors[tensor.meaning] for tensor in graph.inputs}


def _by_meaning(graph: GraphSpec, outputs: Arrays) -> dict[str, np.ndarray]:
    return {tensor.meaning: outputs[tensor.name] for tensor in graph.outputs}


class TrackedModel(Protocol):
    """A tracker's network: shown a template once, then asked about every frame."""

    def template(self, z: np.ndarray, mask: np.ndarray | None = None) -> None:
        """Remember a template crop, (1, 3, T, T) float32, normalised; its mask, (1, cells), where one is known."""

    def track(self, x: np.ndarray, mask: np.ndarray | None = None) -> Mapping[str, np.ndarray]:
        """The outputs for a search crop, (1, 3, S, S) float32, normalised: meaning -> float32 array, NCHW."""


class GraphModel:
    """Converted graphs as a :class:`TrackedModel`: those that need the template only run with it.

    Args:
        models: of one format, in the order in which a device runs them.
        runners: what they are run with.

    Raises:
        ConversionError: when a graph takes what no graph before it gives.
    """

    def __init__(self, models: Sequence[Model], runners: Mapping[Model, Runner]) -> None:
        self.runners = runners
        self.once: list[Model] = []
        self.every_frame: list[Model] = []
        self.known: dict[str, np.ndarray] = {}
        with_template = {TEMPLATE, f"{TEMPLATE}_mask"}
        with_search = {*with_template, SEARCH, f"{SEARCH}_mask"}
        for model in models:
            needed = {tensor.meaning for tensor in model.graph.inputs}
            outputs = {tensor.meaning for tensor in model.graph.outputs}
            if missing := sorted(needed - with_search):
                raise ConversionError(f"graph {model.graph.name} takes {missing[0]!r}, which no graph before it gives")
            once = needed <= with_template
            (self.once if once else self.every_frame).append(model)
            with_search |= outputs
            with_template |= outputs if once else set()

    def template(self, z: np.ndarray, mask: np.ndarray | None = None) -> None:
        self.known = self._outputs(self.once, shown(TEMPLATE, z, mask))

    def track(self, x: np.ndarray, mask: np.ndarray | None = None) -> dict[str, np.ndarray]:
        return self._outputs(self.every_frame, {**self.known, **shown(SEARCH, x, mask)})

    def _outputs(self, models: Sequence[Model], tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Everything that is known after the graphs have run."""
        for model in models:
            tensors |= run(self.runners[model], model.graph, tensors)
        return tensors


def shown(meaning: str, image: np.ndarray, mask: np.ndarray | None) -> dict[str, np.ndarray]:
    """A crop and, where there is one, its mask by their meanings."""
    return {meaning: image} if mask is None else {meaning: image, f"{meaning}_mask": mask}
