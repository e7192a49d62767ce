"""Comparisons for tests, of graphs that need no files."""

from converter.proof.comparison import Comparison
from converter.spec.config import network_for
from converter.spec.dimensions import Dimensions
from converter.spec.model import Model, TrackerModels

NETWORK = network_for(None)[1]
DIMENSIONS = Dimensions(127, 288, 16, 96, 8, 18)


def models_of(graphs, format="ncnn"):
    return tuple(Model(graph, format, (f"{graph.name}.{format}",)) for graph in graphs)


def tracker_of(graphs, format="ncnn", network=NETWORK):
    return TrackerModels(network, DIMENSIONS, models_of(graphs, format))


def comparison_of(graphs, feeds, outputs, tolerances=None, tie=1e-5, format="ncnn"):
    tracker = tracker_of(graphs, format)
    return Comparison(tracker, tuple(feeds), tuple(outputs), tolerances or {}, tie)
