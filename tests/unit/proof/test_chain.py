"""One chain for every proof: each graph alone on the reference's tensors, and on what the graphs before it gave."""

import numpy as np
import pytest
from comparisons import models_of

from converter.errors import ConversionError
from converter.proof.chain import chain, run, shown
from converter.proof.feeds import Feed
from converter.spec.tensors import GraphSpec, TensorSpec

SHAPE = (1, 1, 2, 2)


def tensor(meaning, name=None, shape=SHAPE):
    return TensorSpec(name=name or meaning, meaning=meaning, about="", shape=shape)


def graph(name, inputs, outputs):
    """Tensors are named otherwise than they are meant: ``init_zf``."""
    named = [[tensor(meaning, f"{name}_{meaning}") for meaning in side] for side in (inputs, outputs)]
    return GraphSpec(name=name, family="lighttrack", mode=name, inputs=tuple(named[0]), outputs=tuple(named[1]))


def value(number, shape=SHAPE):
    return np.full(shape, number, np.float32)


class Sum:
    """Answers every output with the sum of the inputs and a fault of its own."""

    def __init__(self, graph, fault=0.0, shape=SHAPE):
        self.graph, self.fault, self.shape, self.feeds = graph, fault, shape, []

    def infer(self, feed):
        self.feeds.append({name: float(array.flat[0]) for name, array in feed.items()})
        total = sum(array.flat[0] for array in feed.values()) + self.fault
        return {tensor.name: value(total, self.shape) for tensor in self.graph.outputs}


THREE = [graph("init", "z", ["zf"]), graph("backbone", "x", ["xf"]), graph("neck_head", ["zf", "xf"], ["cls"])]
REFERENCE = {"z": value(7), "x": value(8), "zf": value(1), "xf": value(2), "cls": value(3)}  # z and x are the feed's
FEED = Feed("noise 0", {"z": value(1), "x": value(2)})


def runs(graphs, **faults):
    models = models_of(graphs)
    runners = {model: Sum(model.graph, **faults.get(model.graph.name, {})) for model in models}
    done = list(chain(models, runners, FEED, REFERENCE))
    return [(each.model.graph.name, each.how) for each in done], done, {m.graph.name: r for m, r in runners.items()}


def test_every_graph_runs_alone_and_what_needs_another_chained():
    order, done, runners = runs(THREE)
    assert order == [("init", "alone"), ("backbone", "alone"), ("neck_head", "alone"), ("neck_head", "chained")]
    assert [list(each.outputs) for each in done] == [["zf"], ["xf"], ["cls"], ["cls"]]
    assert runners["init"].feeds == [{"init_z": 1}], "the feed's own image, not the reference's"
    assert runners["neck_head"].feeds == [{"neck_head_zf": 1, "neck_head_xf": 2}] * 2


def test_a_fault_before_shows_in_the_chain_only():
    _, done, runners = runs(THREE, init={"fault": 0.5})
    alone, chained = done[2:]
    assert (alone.outputs["cls"].flat[0], chained.outputs["cls"].flat[0]) == (3, 3.5)
    assert (alone.inputs["zf"].flat[0], chained.inputs["zf"].flat[0]) == (1, 1.5)
    assert list(chained.inputs) == ["zf", "xf"]
    assert runners["neck_head"].feeds[1] == {"neck_head_zf": 1.5, "neck_head_xf": 2}


def test_a_graph_whose_giver_is_not_there_runs_alone_only():
    order, _, _ = runs(THREE[1:])
    assert order == [("backbone", "alone"), ("neck_head", "alone")]


def test_an_output_of_another_shape_ends_the_chain():
    order, _, _ = runs([*THREE, graph("last", ["cls"], ["score"])], init={"shape": (1, 1, 3, 3)})
    assert order == [("init", "alone"), ("backbone", "alone"), ("neck_head", "alone")]


def test_an_error_of_a_runner_is_the_chains():
    class Broken:
        def infer(self, feed):
            raise ConversionError("ncnn does not load it")

    models = models_of(THREE[:1])
    with pytest.raises(ConversionError, match="does not load"):
        list(chain(models, {models[0]: Broken()}, FEED, REFERENCE))


def test_outputs_that_were_not_declared_are_left_out():
    class Talkative(Sum):
        def infer(self, feed):
            return {**super().infer(feed), "inner": value(9)}

    assert list(run(Talkative(THREE[0]), THREE[0], {"z": value(1), "x": value(2)})) == ["zf"]


def test_a_crop_is_shown_with_the_mask_where_there_is_one():
    assert list(shown("z", value(1), None)) == ["z"]
    assert list(shown("x", value(1), value(0))) == ["x", "x_mask"]
