"""The proof of every size and format: a model that does not load has failed, and none goes unnoticed."""

from types import SimpleNamespace

import numpy as np
import pytest
from comparisons import comparison_of
from report_results import subject

from converter.errors import ConversionError
from converter.proof.feeds import Feed
from converter.spec.tensors import GraphSpec, TensorSpec, Tolerance
from converter.verifying.proving import prove
from converter.verifying.run import Run

MAP = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)


def tensor(meaning):
    return TensorSpec(name=meaning, meaning=meaning, about="", shape=MAP.shape)


def graph(name, given, back):
    return GraphSpec(name=name, family="lighttrack", mode=name, inputs=(tensor(given),), outputs=(tensor(back),))


INIT, UPDATE = graph("init", "z", "zf"), graph("update", "x", "cls")
REFERENCE = {"z": MAP, "x": MAP, "zf": 2 * MAP, "cls": 2 * MAP}


class Doubles:
    """Stands for a loaded graph."""

    def __init__(self, graph, off=0.0, refusal=None):
        self.graph, self.off, self.refusal = graph, off, refusal

    def load(self):
        if self.refusal:
            raise ConversionError(self.refusal)

    def infer(self, feed):
        (array,) = feed.values()
        return {self.graph.outputs[0].name: 2 * array + np.float32(self.off)}


def run_of(graphs=(INIT, UPDATE), feeds=1, **changes):
    """A run whose runners are changed by the graph's name."""
    titles = [Feed(f"noise {index}", {"z": MAP, "x": MAP}) for index in range(feeds)]
    tolerances = dict.fromkeys(("zf", "cls"), Tolerance(rtol=1e-3))
    comparison = comparison_of(graphs, titles, [REFERENCE] * feeds, tolerances)
    models = comparison.tracker.models
    runners = {model: Doubles(model.graph, **changes.get(model.graph.name, {})) for model in models}
    about = SimpleNamespace(folder=None, tracker=comparison.tracker, trackers=(comparison.tracker,))
    return Run(None, about, SimpleNamespace(about="doubled"), (comparison,), runners)


def test_faithful_models_pass():
    verification, problems = prove(run_of(feeds=2))
    assert verification
    assert problems == []
    assert [(check.graph, check.feed) for check in verification.report.checks] == [
        *(("init", "noise 0"), ("update", "noise 0"), ("init", "noise 1"), ("update", "noise 1"))
    ]
    assert verification.report.reference == "doubled"
    assert verification.feeds == ("noise 0", "noise 1")
    assert {histogram.output for histogram in verification.histograms} == {"zf", "cls"}
    assert verification.candidates.keys() == {"ncnn"}


def test_a_difference_is_a_problem():
    verification, (problem,) = prove(run_of(update={"off": 3.0}))
    assert not verification
    assert verification.failed == frozenset()
    assert "cls" in problem


def test_a_model_that_does_not_load_fails_its_format():
    verification, problems = prove(run_of(update={"refusal": "ncnn does not load u.param"}))
    assert not verification
    assert verification.failed == {"ncnn"}
    assert problems == ["ncnn does not load u.param"]


def test_what_was_compared_with_nothing_is_not_verified():
    verification, problems = prove(run_of(feeds=0))
    assert not verification
    assert problems == [
        "ncnn init was compared with nothing, so nothing is proved about it",
        "ncnn update was compared with nothing, so nothing is proved about it",
    ]


def test_the_network_itself_needs_a_checkpoint():
    with pytest.raises(Exception, match="the network itself is wanted: pass --resume CHECKPOINT"):
        Run(None, subject(), None, (), {}).network  # noqa: B018
