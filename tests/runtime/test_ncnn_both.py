"""Two runs of an ncnn graph that have inputs in common give what two separate runs give, to the last bit."""

from pathlib import Path

import numpy as np
import pytest

from converter.formats.ncnn.param import read_param
from converter.formats.ncnn.runner import NcnnRunner
from converter.spec.tensors import GraphSpec, TensorSpec

PARAM = """7767517
7 8
Input a 0 1 a 0=4 1=4 2=3
Input b 0 1 b 0=4 1=4 2=3
UnaryOp e 1 1 a ea 0=7
Split s 1 2 ea ea_0 ea_1
Sigmoid g 1 1 ea_0 own
BinaryOp m 2 1 ea_1 b m 0=2
UnaryOp r 1 1 m both 0=7
"""


def tensor(name: str) -> TensorSpec:
    return TensorSpec(name=name, meaning=name, about=name, shape=(1, 3, 4, 4))


@pytest.fixture
def runner(tmp_path: Path) -> NcnnRunner:
    (tmp_path / "m.param").write_text(PARAM)
    (tmp_path / "m.bin").write_bytes(b"")
    graph = GraphSpec(
        name="both",
        family="lighttrack",
        mode="update",
        inputs=(tensor("a"), tensor("b")),
        outputs=(tensor("both"), tensor("own")),
    )
    return NcnnRunner(tmp_path / "m.param", tmp_path / "m.bin", graph)


def crop(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((1, 3, 4, 4)).astype(np.float32)


@pytest.mark.parametrize("same", ["a", "b", "ab", ""])
def test_both_runs_are_as_each_alone(runner, same):
    first = {"a": crop(0), "b": crop(1)}
    second = {name: first[name] if name in same else crop(2 + place) for place, name in enumerate("ab")}
    for found, fed in zip(runner.infer_both(first, second), (first, second), strict=True):
        alone = runner.infer(fed)
        assert found.keys() == alone.keys() == {"both", "own"}
        for name, array in found.items():
            np.testing.assert_array_equal(array, alone[name])


def test_what_is_computed_once(runner):
    kept, depending = runner._kept(frozenset("b"))
    assert kept == ["ea_1"]
    assert depending == {"b", "m", "both"}


def test_what_depends_on_a_blob():
    assert read_param(PARAM, "m").depending_on(["ea_0"]) == {"ea_0", "own"}
