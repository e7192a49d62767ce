"""Comparisons for tests, of graphs that need no files."""

from converter.proof.comparison import Comparison
from converter.spec.config import network_for
from converter.spec.dimensions import Dimensions
from converter.spec.model import Model, TrackerModels

NETWORK = network_for(None)[1]
DIMENSIONS = Dimensions(127, 288, 16, 96, 8, 18)


SUFFIXES = {"ncnn": (".param", ".bin"), "onnx": (".onnx",)}


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
