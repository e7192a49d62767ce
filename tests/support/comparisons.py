"""Comparisons for tests, of graphs that need no files."""

from collections.abc import Iterable, Mapping

from converter.proof.comparison import Comparison
from converter.spec.config import network_for
from converter.spec.dimensions import Dimensions
from converter.spec.model import Model, TrackerModels
from converter.spec.tensors import GraphSpec, TensorSpec

NETWORK = network_for(None)[1]
DIMENSIONS = Dimensions(127, 288, 16, 96, 8, 18)
SUFFIXES = {"ncnn": (".param", ".bin"), "onnx": (".onnx",)}


class Drawn:
    """Tensors and graphs by meaning, with the shapes of a made-up tracker."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]):
        self.shapes = shapes

    def tensor(self, meaning: str, name: str | None = None) -> TensorSpec:
        return TensorSpec(name=name or meaning, meaning=meaning, about=f"the {meaning}", shape=self.shapes[meaning])

    def graph(self, name: str, inputs: Iterable[str], outputs: Iterable[str], **names: str) -> GraphSpec:
        """A graph of LightTrack; ``names`` are the blobs' that are not called as what they mean."""
        return GraphSpec(
            name=name,
            family="lighttrack",
            mode=name,
            inputs=tuple(self.tensor(meaning, names.get(meaning)) for meaning in inputs),
            outputs=tuple(self.tensor(meaning, names.get(meaning)) for meaning in outputs),
        )


def models_of(graphs, format="ncnn", named="{}"):
    return tuple(
        Model(graph, format, tuple(named.format(graph.name) + suffix for suffix in SUFFIXES[format]))
        for graph in graphs
    )


def tracker_of(graphs, format="ncnn", named="{}"):
    return TrackerModels(NETWORK, DIMENSIONS, models_of(graphs, format, named))


def comparison_of(graphs, feeds, outputs, tolerances=None, tie=1e-5, format="ncnn", named="{}"):
    tracker = tracker_of(graphs, format, named)
    return Comparison(tracker, tuple(feeds), tuple(outputs), tolerances or {}, tie)
