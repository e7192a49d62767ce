"""Graphs run in order, those of the template once; blobs are fed by name and read by meaning."""

import numpy as np
import pytest
from comparisons import models_of

from converter.errors import ConversionError
from converter.proof.chain import GraphModel
from converter.spec.config import network_for
from converter.spec.dimensions import Dimensions
from converter.spec.tensors import GraphSpec, TensorSpec

SPEC = network_for(None)[1]
DIMENSIONS = Dimensions(template_size=8, search_size=16, stride=4, channels=3, template_cells=2, search_cells=4)


def renamed(graphs):
    """The graphs as a foreign file has them: every blob called otherwise, in each graph in its own way."""

    def tensor(graph, tensor):
        return tensor.model_copy(update={"name": f"{graph.name}_{tensor.meaning}_blob"})

    return [
        graph.model_copy(
            update={side: tuple(tensor(graph, item) for item in getattr(graph, side)) for side in ("inputs", "outputs")}
        )
        for graph in graphs
    ]


class Recorder:
    """Answers with the number of its run, and with more blobs than were declared."""

    def __init__(self, graph, log):
        self.graph, self.log, self.runs = graph, log, 0

    def infer(self, feed):
        self.runs += 1
        self.log.append((self.graph.name, {name: float(array.flat[0]) for name, array in feed.items()}))
        outputs = {
            tensor.name: np.full((1,), 100 * (position + 1) + self.runs, np.float32)
            for position, tensor in enumerate(self.graph.outputs)
        }
        return {**outputs, "inner": np.zeros(1, np.float32)}


def model_of(split):
    log = []
    models = models_of(renamed(SPEC.graph_specs(split, DIMENSIONS)))
    return GraphModel(models, {model: Recorder(model.graph, log) for model in models}), log


def value(number):
    return np.full((1,), number, np.float32)


def test_two_graphs():
    model, log = model_of("two")
    model.template(value(1))
    first, second = model.track(value(2)), model.track(value(3))
    assert log == [
        ("init", {"init_z_blob": 1}),
        ("update", {"update_zf_blob": 101, "update_x_blob": 2}),
        ("update", {"update_zf_blob": 101, "update_x_blob": 3}),
    ]
    assert [float(answer["cls"][0]) for answer in (first, second)] == [101, 102]
    assert [float(answer["reg"][0]) for answer in (first, second)] == [201, 202]


def test_three_graphs():
    model, log = model_of("three")
    model.template(value(1))
    assert [float(model.track(value(number))["reg"][0]) for number in (2, 3)] == [201, 202]
    assert log == [
        ("init", {"init_z_blob": 1}),
        ("backbone", {"backbone_x_blob": 2}),
        ("neck_head", {"neck_head_zf_blob": 101, "neck_head_xf_blob": 101}),
        ("backbone", {"backbone_x_blob": 3}),
        ("neck_head", {"neck_head_zf_blob": 101, "neck_head_xf_blob": 102}),
    ]


def test_a_new_template_replaces_the_old_one():
    model, log = model_of("two")
    for number in (1, 2):
        model.template(value(number))
        model.track(value(9))
    assert [feed["update_zf_blob"] for name, feed in log if name == "update"] == [101, 102]


def test_what_a_template_graph_gives_may_feed_another_template_graph():
    def tensor(name):
        return TensorSpec(name=name, meaning=name, about=name, shape=(1,))

    def graph(name, inputs, outputs):
        return GraphSpec(
            name=name,
            family="lighttrack",
            mode=name,
            inputs=tuple(map(tensor, inputs)),
            outputs=tuple(map(tensor, outputs)),
        )

    log = []
    graphs = [graph("a", "z", "p"), graph("b", "p", "q"), graph("c", "qx", "r"), graph("d", "rz", "s")]
    model = GraphModel(models_of(graphs), {model: Recorder(model.graph, log) for model in models_of(graphs)})
    model.template(value(1))
    model.track(value(2))
    model.track(value(3))
    assert [name for name, _ in log] == ["a", "b", "c", "d", "c", "d"]
    assert log[-1] == ("d", {"r": 102, "z": 1})


def test_a_graph_that_takes_what_nobody_gives_is_refused():
    init, update = SPEC.graph_specs("two", DIMENSIONS)
    with pytest.raises(ConversionError, match="graph update takes 'zf', which no graph before it gives"):
        GraphModel(models_of([update, init]), {})
