"""What a tracking procedure asks of a model, and converted graphs that answer it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from converter.errors import ConversionError
from converter.proof.verify import Runner
from converter.spec.network import GraphSpec

TEMPLATE, SEARCH = "z", "x"


class Model(Protocol):
    """A tracker's network: shown a template once, then asked about every frame."""

    def template(self, z: np.ndarray, mask: np.ndarray | None = None) -> None:
        """Remember a template crop, (1, 3, T, T) float32, normalised; its mask, (1, cells), where one is known."""

    def track(self, x: np.ndarray, mask: np.ndarray | None = None) -> Mapping[str, np.ndarray]:
        """The answer for a search crop, (1, 3, S, S) float32, normalised: meaning -> float32 array, NCHW."""


class GraphModel:
    """Converted graphs, run in order: those that need the template only run with it, the others on every frame.

    Args:
        graphs: of one split, in the order in which a device runs them.
        runners: graph name -> loaded model.

    Raises:
        ConversionError: when a graph takes what no graph before it gives.
    """

    def __init__(self, graphs: Sequence[GraphSpec], runners: Mapping[str, Runner]):
        self.runners = runners
        self.once: list[GraphSpec] = []
        self.every_frame: list[GraphSpec] = []
        self.known: dict[str, np.ndarray] = {}
        with_template = {TEMPLATE, f"{TEMPLATE}_mask"}
        with_search = {*with_template, SEARCH, f"{SEARCH}_mask"}
        for graph in graphs:
            needed = {tensor.meaning for tensor in graph.inputs}
            given = {tensor.meaning for tensor in graph.outputs}
            if missing := sorted(needed - with_search):
                raise ConversionError(f"graph {graph.name} takes {missing[0]!r}, which no graph before it gives")
            once = needed <= with_template
            (self.once if once else self.every_frame).append(graph)
            with_search |= given
            with_template |= given if once else set()

    def template(self, z: np.ndarray, mask: np.ndarray | None = None) -> None:
        self.known = _answers(self.once, self.runners, shown(TEMPLATE, z, mask))

    def track(self, x: np.ndarray, mask: np.ndarray | None = None) -> dict[str, np.ndarray]:
        return _answers(self.every_frame, self.runners, {**self.known, **shown(SEARCH, x, mask)})


def shown(meaning: str, image: np.ndarray, mask: np.ndarray | None) -> dict[str, np.ndarray]:
    """A crop and, where there is one, its mask by their meanings."""
    return {meaning: image} if mask is None else {meaning: image, f"{meaning}_mask": mask}


def _answers(graphs, runners, known):
    """Everything known after the graphs have run; fed by blob name, known by meaning."""
    for graph in graphs:
        outputs = runners[graph.name].infer({tensor.name: known[tensor.meaning] for tensor in graph.inputs})
        known |= {tensor.meaning: outputs[tensor.name] for tensor in graph.outputs}
    return known
