"""Alignment, figures, reading of files and fetching of blobs, each by itself."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from converter.checks.layers import kinds
from converter.checks.layers.align import best_pairs
from converter.checks.layers.blobs import fetch
from converter.checks.layers.figures import Figures, channel_error, figures, same_numbers
from converter.checks.layers.graphs import ConvertedGraph, ConvertedLayer
from converter.checks.layers.kinds import Primitive, Window, likeness
from converter.checks.layers.ncnn_side import converted_graph
from converter.checks.layers.walk import FirstBad, LayerRow, LayerWalk, reader_of
from converter.errors import ConversionError, UsageError
from converter.formats.ncnn.param import read_param
from converter.spec.tensors import GraphSpec, Tolerance

TOLERANCE = Tolerance(rtol=1e-4)
X = np.linspace(-2, 2, 24, dtype=np.float32).reshape(1, 2, 3, 4)


def test_best_pairs_keeps_the_order_and_takes_the_larger_sum():
    worth = np.array([[1.0, 0, 4], [4, 0, 0], [0, 4, 0]])
    assert best_pairs(worth, [0, 0, 0], [0, 0, 0]) == [(1, 0), (2, 1)]
    assert best_pairs(worth, [9, 0, 0], [0, 0, 0]) == [(0, 0), (2, 1)]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_best_pairs_of_nothing(shape):
    assert best_pairs(np.zeros(shape), [0.5] * shape[0], [0.5] * shape[1]) == []


def test_convolutions_are_less_alike_the_more_they_differ():
    one = Window(16, 3, 1, (3, 3), (2, 2), (1, 1), (1, 1, 1, 1))
    worths = [
        likeness(Primitive(kinds.CONVOLUTION, one), Primitive(kinds.CONVOLUTION, other))
        for other in (one, replace(one, stride=(1, 1)), replace(one, outputs=8), replace(one, outputs=8, inputs=4))
    ]
    assert worths == sorted(worths, reverse=True)
    assert len(set(worths)) == 4
    assert likeness(Primitive(kinds.RELU), Primitive(kinds.SIGMOID)) > 0
    assert likeness(Primitive(kinds.RELU), Primitive(kinds.ADD)) == 0


def test_other_shape_nan_and_nothing_are_problems_not_exceptions():
    reference = np.ones((1, 2, 3), np.float32)
    assert figures(None, reference, TOLERANCE).problem == "no output"
    assert figures(np.ones((3, 2)), reference, TOLERANCE).problem == "shape 3x2, expected 1x2x3"
    assert "NaN" in figures(np.full((2, 3), np.nan), reference, TOLERANCE).problem
    assert figures(np.ones((2, 3), np.float32), reference, TOLERANCE)
    assert not figures(np.full((2, 3), 1.001, np.float32), reference, TOLERANCE)


def test_constants_are_no_evidence():
    assert not same_numbers(np.zeros(4, np.float32), np.zeros(4, np.float32), TOLERANCE)
    assert same_numbers(X.reshape(-1), X, TOLERANCE)


def test_channel_error_counts_in_the_channels_own_range():
    expected = np.array([[0, 100], [0, 2]], np.float32)
    off = expected + np.array([[0, 0], [0, 0.2]], np.float32)
    assert channel_error(off, expected) == pytest.approx(0.1, rel=1e-3)
    assert channel_error(np.full((2, 2), np.nan, np.float32), expected) == float("inf")


def layer(name, reads, *kinds_, type="Layer"):
    windows = [Window(2, 2) if kind == kinds.CONVOLUTION else None for kind in kinds_]
    return ConvertedLayer(name, type, tuple(reads), (name,), tuple(map(Primitive, kinds_, windows)))


class Fragile:
    """A runner that fails whenever one of some blobs is asked for."""

    def __init__(self, *broken):
        self.broken, self.calls = broken, 0

    def blobs(self, feed, names):
        self.calls += 1
        if bad := [name for name in names if name in self.broken]:
            raise ConversionError(f"no {bad[0]}")
        return dict.fromkeys(names, X)


def test_failure_late_in_the_graph_hides_nothing_before_it():
    layers = [layer(f"l{index}", ["x" if not index else f"l{index - 1}"], kinds.RELU) for index in range(100)]
    graph = ConvertedGraph((*layers, layer("side", ["l2"], kinds.RELU)))
    runner = Fragile("l70")
    found, failed = fetch(runner, {}, graph)
    assert sorted(found) == sorted([*(f"l{index}" for index in range(70)), "side"])
    assert failed == {"l70": "no l70"}
    assert runner.calls < 30


def test_ncnn_layers_are_lowered_to_what_they_compute():
    text = """7767517
7 9
Input x 0 1 x
Convolution c 1 1 x a 0=8 1=3 11=5 3=2 4=1 14=2 5=1 6=360 9=1
Split s 1 2 a b c
Swish w 1 1 b d
HardSigmoid h 1 1 c e
BinaryOp m 2 1 d e f 0=2
BinaryOp k 1 1 f g 0=3 1=1 2=6
"""
    graph = converted_graph(read_param(text.replace("7 9", "7 8"), "x"))
    kinds_ = {one.name: [step.kind for step in one.primitives] for one in graph.layers}
    assert kinds_ == {
        "c": [kinds.CONVOLUTION, kinds.RELU],
        "s": [],
        "w": [kinds.SIGMOID, kinds.MULTIPLY],
        "h": [kinds.SHIFT, kinds.CLIP, kinds.SCALE],
        "m": [kinds.MULTIPLY],
        "k": [kinds.SCALE],
    }
    window = graph.layers[0].primitives[0].window
    assert window == Window(8, 3, 1, (5, 3), (2, 2), (1, 1), (2, 1, 2, 1))


GRAPH = GraphSpec(name="init", family="lighttrack", mode="template", inputs=(), outputs=())


def test_files_that_cannot_be_read_are_reported(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"nonsense" * 9)
    with pytest.raises(ConversionError, match=r"a\.onnx"):
        reader_of("onnx")((tmp_path / "a.onnx",), GRAPH)
    (tmp_path / "a.param").write_text("nonsense")
    with pytest.raises(ConversionError, match=r"a\.param"):
        reader_of("ncnn")((tmp_path / "a.param", tmp_path / "a.bin"), GRAPH)


def test_layer_that_reads_what_comes_later_is_refused(tmp_path):
    text = "7767517\n3 3\nInput x 0 1 x\nReLU a 1 1 b a\nReLU b 1 1 a b\n"
    with pytest.raises(ConversionError, match="layer a takes blob 'b', which no layer before it gives"):
        converted_graph(read_param(text, "x"))
    path = onnx_file(tmp_path, ("b", "a"), ("a", "b"))
    with pytest.raises(ConversionError, match="layer a reads 'b', which no layer before it gives"):
        reader_of("onnx")((path,), GRAPH)


def test_two_layers_that_give_one_name_are_refused(tmp_path):
    """Otherwise a copy of a copy of itself would be looked for without end."""
    path = onnx_file(tmp_path, ("x", "a"), ("a", "x"))
    with pytest.raises(ConversionError, match="layer x gives 'x', which is there already"):
        reader_of("onnx")((path,), GRAPH)


def onnx_file(folder, *nodes):
    """Identities of one input ``x``: (what it reads, what it gives) each."""
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "a")]
    nodes = [onnx.helper.make_node("Identity", [reads], [gives]) for reads, gives in nodes]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", values[:1], values[1:])), folder / "m.onnx")
    return folder / "m.onnx"


@pytest.mark.parametrize("name", ["torch", "tflite", "../onnx"])
def test_format_whose_layers_nobody_reads_is_wrong_usage(name):
    """There is a torch_side, but no such format."""
    with pytest.raises(UsageError, match="cannot be read, known are ncnn, onnx and rknn"):
        reader_of(name)


def test_reader_of_a_format_is_found_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "toy_side.py").write_text("def read(files, graph):\n    return files, graph\n")
    monkeypatch.setattr("converter.checks.layers.__path__", [str(Path(kinds.__file__).parent), str(tmp_path)])
    monkeypatch.setattr("converter.checks.layers.walk.format_names", lambda: ["onnx", "toy"])
    assert reader_of("toy")(("a.toy",), GRAPH) == (("a.toy",), GRAPH)


def test_layer_that_gives_nothing_is_no_computing_layer():
    first = layer("a", "x", kinds.RELU)
    graph = ConvertedGraph((first, replace(first, name="sink", inputs=("a",), outputs=())))
    assert graph.computing == graph.order(["a"]) == [0]
    assert graph.readers == {}


def row(name, **changes):
    values = {"type": "ReLU", "blob": "b", "module": "head", "operation": "relu", "own": None}
    beside = Figures(None, 1e-6, 1e-4, 1e-6, 1.0, -1.0, 1.0)
    return LayerRow(layer=name, **{**values, "figures": beside, "matched": True, "passed": True, **changes})


def test_result_is_json_without_infinity():
    walk = LayerWalk("init", "ncnn", (row("bad", own=float("inf"), passed=False),), 0, None, True)
    assert walk
    assert json.loads(json.dumps(walk.as_dict(), allow_nan=False))["rows"][0]["own"] is None


def test_json_of_a_walk_has_the_figures_of_a_layer_beside_its_place():
    first = FirstBad("a", "ReLU", "head", "relu", "why", row("a", passed=False))
    result = LayerWalk("init", "ncnn", (first.row,), 0, first, False).as_dict()
    assert list(result["first_bad"]) == ["layer", "type", "module", "operation", "reason", "figures"]
    assert result["first_bad"]["figures"] == result["rows"][0]
    figures_ = ["problem", "max_abs", "allowed", "relative", "cosine", "minimum", "maximum"]
    place = ["layer", "type", "blob", "module", "operation"]
    assert list(result["rows"][0]) == [*place, *figures_, "own", "matched", "passed"]
    assert (result["matched"], result["total"], result["passed"]) == (1, 1, False)


def test_walk_without_a_match_or_with_a_wrong_output_is_no_pass():
    assert not LayerWalk("init", "ncnn", (), 0, None, True)
    wrong = LayerWalk("init", "ncnn", (row("a"),), 0, None, False)
    assert not wrong
    assert "output" in wrong.failure()
