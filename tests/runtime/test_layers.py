"""The walk over real models, sound and damaged: the layer that was damaged is the one that is named."""

import numpy as np
import onnx
import pytest
import torch
from damage import INSERTED, Ncnn, Onnx, as_others_write_it
from exports import export_to
from layer_walks import Tracker, matched

from commands import lt_export
from conftest import MOBILE, TINY
from converter.formats.ncnn.param import read_param


@pytest.fixture(scope="module")
def tracker(tiny):
    return Tracker(tiny, TINY)


@pytest.fixture(scope="module")
def onnx_export(tiny, tmp_path_factory):
    return export_to(tiny, tmp_path_factory.mktemp("onnx") / "tiny", "--format", "onnx")


@pytest.fixture
def ncnn_model(tiny_export):
    """A graph of the smallest network's export, to be damaged."""

    def model(graph):
        param = tiny_export / f"lighttrack_{graph}.param"
        return Ncnn(read_param(param.read_text(), param.name), param.with_suffix(".bin").read_bytes())

    return model


@pytest.fixture
def onnx_model(onnx_export):
    return lambda graph: Onnx(onnx.load(onnx_export / f"lighttrack_{graph}.onnx"))


@pytest.mark.parametrize("graph", ["init", "update"])
def test_sound_ncnn_model_has_no_bad_layer_and_all_are_matched(tracker, tiny_export, graph):
    stem = tiny_export / f"lighttrack_{graph}"
    walk = tracker.walk("ncnn", graph, (stem.with_suffix(".param"), stem.with_suffix(".bin")))
    assert walk
    assert (walk.first_bad, walk.rounding, matched(walk)) == (None, 0, 1.0)
    assert all(row.matched and row.passed and row.figures.cosine > 0.999999 for row in walk.rows)
    assert all(row.figures.max_abs <= 0.3 * row.figures.allowed for row in walk.rows)


@pytest.mark.parametrize("graph", ["init", "backbone", "neck_head"])
def test_sound_onnx_model_has_no_bad_layer_and_all_are_matched(tracker, onnx_export, graph):
    walk = tracker.walk("onnx", graph, (onnx_export / f"lighttrack_{graph}.onnx",))
    assert walk
    assert (walk.first_bad, walk.rounding, matched(walk)) == (None, 0, 1.0)
    assert all(row.figures.max_abs <= 0.3 * row.figures.allowed for row in walk.rows)


def test_layers_are_matched_with_the_modules_whose_weights_they_hold(tracker, tiny_export):
    stem = tiny_export / "lighttrack_update"
    walk = tracker.walk("ncnn", "update", (stem.with_suffix(".param"), stem.with_suffix(".bin")))
    modules = [row.module for row in walk.rows if row.type.startswith(("Convolution", "InnerProduct"))]
    expected = [
        name for name, one in tracker.network.named_modules() if isinstance(one, torch.nn.Conv2d) and name in modules
    ]
    assert len(modules) == len(set(modules)) == sum(isinstance(m, torch.nn.Conv2d) for m in tracker.network.modules())
    assert sorted(modules) == sorted(expected)
    first = walk.rows[0]
    assert (first.module, first.operation) == ("features.conv_stem", "convolution + native_batch_norm")


def test_layers_read_from_those_before_them_and_one_gives_the_output(tracker, tiny_export):
    stem = tiny_export / "lighttrack_init"
    rows = tracker.walk("ncnn", "init", (stem.with_suffix(".param"), stem.with_suffix(".bin"))).rows
    assert rows[0].reads == ()
    assert all(row.reads and max(row.reads) < place for place, row in enumerate(rows) if place)
    assert {place for row in rows for place in row.reads} == set(range(len(rows) - 1))
    assert {len(row.reads) for row in rows if row.type == "BinaryOp"} == {2}
    assert "reads" not in rows[1].as_dict()


def test_mobile_network_is_matched_whole(seeded, exported):
    folder, _ = exported
    tracker = Tracker(seeded, MOBILE)
    for graph in ("init", "update"):
        stem = folder / f"lighttrack_{graph}"
        walk = tracker.walk("ncnn", graph, (stem.with_suffix(".param"), stem.with_suffix(".bin")))
        assert walk
        assert matched(walk) == 1.0


def scaled(factor):
    return lambda array: array * np.float32(factor)


def one_changed(array):
    array.flat[array.size // 2] += np.abs(array).max()
    return array


def words(model, layer, change, begin=1, end=None):
    model.weights[layer.name][begin:end] = change(model.weights[layer.name][begin:end])
    return layer.name


NCNN = {
    "all weights of a convolution": ("update", lambda m: words(m, m.find("Convolution", 2), scaled(1.05), 1, 99)),
    "one weight of a depthwise convolution": (
        "update",
        lambda m: words(m, m.find("ConvolutionDepthWise", 1), one_changed),
    ),
    "weights of an InnerProduct": ("init", lambda m: words(m, m.find("InnerProduct", 2), scaled(1.3))),
    "a bias": ("init", lambda m: words(m, m.find("InnerProduct", 1), lambda a: a + 1, -2)),
    "a batch norm's slope": ("update", lambda m: words(m, m.find("BatchNorm"), scaled(0.9), 0, 20)),
    "NaN among the weights": ("update", lambda m: words(m, m.find("Convolution", 1), lambda a: a * np.nan, 5, 6)),
    "stride": ("init", lambda m: m.set(m.find("ConvolutionDepthWise", 1), p3=1, p13=1)),
    "padding": ("init", lambda m: m.set(m.find("ConvolutionDepthWise", 0), p4=0, p14=0, p15=0, p16=0)),
    "kernel": ("init", lambda m: m.set(m.find("ConvolutionDepthWise", 1), p1=5, p11=5)),
    "dilation": ("update", lambda m: m.set(m.find("ConvolutionDepthWise", -1), p2=2, p12=2)),
    "a fused activation dropped": ("update", lambda m: m.set(m.find("InnerProduct", 2), p9=0)),
    "a tower's fused activation dropped": ("update", lambda m: m.set(m.find("Convolution", -2), p9=0)),
    "a fused activation added": ("init", lambda m: m.set(m.find("Convolution", 3), p9=1)),
    "another fused activation": ("update", lambda m: m.set(m.find("InnerProduct", -1), p9=1)),
    "Swish became Noop": ("update", lambda m: m.become(m.find("Swish", 3), "Noop")),
    "Swish became ReLU": ("init", lambda m: m.become(m.find("Swish", 0), "ReLU")),
    "Swish taken out": ("init", lambda m: m.remove(m.find("Swish", 2))),
    "HardSigmoid's slope": ("init", lambda m: m.set(m.find("HardSigmoid", 1), p0=0.2)),
    "HardSigmoid became Sigmoid": ("update", lambda m: m.become(m.find("HardSigmoid", 0), "Sigmoid")),
    "HardSigmoid became Noop": ("init", lambda m: m.become(m.find("HardSigmoid", 0), "Noop")),
    "multiplication became addition": ("update", lambda m: m.set(m.find("BinaryOp", 0, 2), p0=0)),
    "addition became maximum": ("init", lambda m: m.set(m.find("BinaryOp", 1, 2), p0=4)),
    "the last factor": ("update", lambda m: m.set(m.find("BinaryOp", -1), p2=8.0)),
    "mean became maximum": ("init", lambda m: m.set(m.find("Pooling", 1), p0=0)),
    "permutation": ("update", lambda m: m.set(m.find("Permute"), p0=0)),
    "shape": ("update", lambda m: m.set(m.find("Reshape", -1), p0=72, p1=18)),
    "ReLU inserted": ("update", lambda m: m.insert(m.find("ConvolutionDepthWise", -1), "ReLU")),
    "factor inserted": ("init", lambda m: m.insert(m.find("Convolution", 2), "BinaryOp", "0=2", "1=1", "2=1.5")),
}


@pytest.mark.parametrize("damage", NCNN)
def test_damaged_ncnn_layer_is_named(tracker, ncnn_model, tmp_path, damage):
    graph, hurt = NCNN[damage]
    model = ncnn_model(graph)
    guilty = hurt(model)
    walk = tracker.walk("ncnn", graph, model.write(tmp_path))
    assert not walk
    assert walk.first_bad.layer == guilty, walk.failure()
    assert guilty in walk.failure()


def test_multiplication_taken_out_is_named_where_it_is_missed(tracker, ncnn_model, tmp_path):
    """What was multiplied with is left without a reader: the runtime then has one more output."""
    model = ncnn_model("update")
    product = model.find("BinaryOp", 0, 2)
    (reader,) = (one.name for one in model.layers if product.outputs[0] in one.inputs)
    model.remove(product)
    walk = tracker.walk("ncnn", "update", model.write(tmp_path))
    assert walk.first_bad.layer == reader
    assert "without mul in between" in walk.first_bad.reason


def test_layer_that_reads_another_blob_is_named(tracker, onnx_model, tmp_path):
    model = onnx_model("backbone")
    skip = model.find("Add", 0, 0)
    skip.input[1] = skip.input[0]
    walk = tracker.walk("onnx", "backbone", model.write(tmp_path))
    assert walk.first_bad.layer == skip.name


def test_model_that_onnxruntime_refuses_is_walked_up_to_the_fault(tracker, onnx_model, tmp_path):
    """Shapes that do not fit each other: the model as a whole is not even loaded."""
    model = onnx_model("init")
    guilty = model.find("Conv", 1)
    model.attribute(guilty, "strides", 2, 2)
    walk = tracker.walk("onnx", "init", model.write(tmp_path))
    assert walk.first_bad.layer == guilty.name
    assert any(row.figures.problem == "no output" for row in walk.rows)


ONNX = {
    "all weights of a Conv": ("backbone", lambda m: m.weight(m.find("Conv", 5), 1, scaled(1.05))),
    "one weight of a Conv": ("neck_head", lambda m: m.weight(m.find("Conv", 4), 1, one_changed)),
    "a bias": ("init", lambda m: m.weight(m.find("Conv", 0), 2, one_changed)),
    "a batch norm's mean": ("neck_head", lambda m: m.weight(m.find("BatchNormalization"), 3, one_changed)),
    "strides": ("backbone", lambda m: m.attribute(m.find("Conv", 6), "strides", 1, 1)),
    "pads": ("init", lambda m: m.attribute(m.find("Conv", 1), "pads", 0, 0, 0, 0)),
    "Relu became Identity": ("neck_head", lambda m: m.become(m.find("Relu", 2), "Identity")),
    "Relu became Tanh": ("backbone", lambda m: m.become(m.find("Relu", 1), "Tanh")),
    "Sigmoid became Identity": ("backbone", lambda m: m.become(m.find("Sigmoid", 3), "Identity")),
    "Clip became Relu": ("init", lambda m: m.become(m.find("Clip", 0), "Tanh")),
    "Relu taken out": ("neck_head", lambda m: m.remove(m.find("Relu", 1))),
    "Mul of a swish taken out": ("init", lambda m: m.remove(m.find("Mul", 0, 0), keep=1)),
    "the constant of an Add": ("init", lambda m: m.weight(m.find("Add", 1, 1), 1, scaled(0.5))),
    "the constant of a Div": ("backbone", lambda m: m.weight(m.find("Div", 0), 1, scaled(1.2))),
    "permutation": ("neck_head", lambda m: m.attribute(m.find("Transpose"), "perm", 0, 1, 2)),
    "shape": ("neck_head", lambda m: m.weight(m.find("Reshape", -1), 1, lambda a: [1, 256, 72, 18])),
    "mean became maximum": ("backbone", lambda m: m.become(m.find("GlobalAveragePool", 1), "GlobalMaxPool")),
    "Sigmoid inserted before a swish's": ("init", lambda m: m.insert(m.find("Conv", 5), "Sigmoid")),
    "Sigmoid inserted": ("neck_head", lambda m: m.insert(m.find("Conv", 3), "Sigmoid")),
}


@pytest.mark.parametrize("damage", ONNX)
def test_damaged_onnx_node_is_named(tracker, onnx_model, tmp_path, damage):
    graph, hurt = ONNX[damage]
    model = onnx_model(graph)
    guilty = hurt(model)
    walk = tracker.walk("onnx", graph, model.write(tmp_path))
    assert not walk
    assert walk.first_bad.layer == guilty, walk.failure()


@pytest.mark.parametrize("graph", ["init", "update"])
def test_ncnn_model_as_others_write_it_is_sound_and_matched(tracker, ncnn_model, tmp_path, graph):
    walk = tracker.walk("ncnn", graph, as_others_write_it(ncnn_model(graph), seed=1).write(tmp_path))
    assert walk, walk.failure()
    assert matched(walk) > 0.95


@pytest.mark.parametrize("type", ["Swish", "HardSigmoid"])
def test_damage_in_a_model_as_others_write_it_is_named(tracker, ncnn_model, tmp_path, type):
    model = as_others_write_it(ncnn_model("init"), seed=2)
    part = model.find("Sigmoid", 1) if type == "Swish" else model.find("BinaryOp", 0, 1)
    guilty = model.become(part, "Noop")
    walk = tracker.walk("ncnn", "init", model.write(tmp_path))
    assert walk.first_bad.layer == guilty, walk.failure()


def test_onnx_model_without_names_and_not_simplified_is_matched(tracker, tiny, tmp_path):
    done = lt_export(
        *("--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out", "--format", "onnx", "--no-simplify"),
        *("--split", "two", "--opset", "17"),
    )
    assert done.code == 0, done.err
    for graph in ("init", "update"):
        model = Onnx(onnx.load(tmp_path / f"out/lighttrack_{graph}.onnx"))
        model.without_names()
        walk = tracker.walk("onnx", graph, model.write(tmp_path))
        assert walk, walk.failure()
        assert matched(walk) > 0.95
        guilty = model.find("Conv", 4)
        model.weight(guilty, 1, scaled(1.1))
        walk = tracker.walk("onnx", graph, model.write(tmp_path))
        assert walk.first_bad.layer == guilty.output[0]


def test_walk_leaves_the_network_as_it_was(tracker, tiny_export):
    before = {name: dict(vars(module)) for name, module in tracker.network.named_modules()}
    stem = tiny_export / "lighttrack_init"
    tracker.walk("ncnn", "init", (stem.with_suffix(".param"), stem.with_suffix(".bin")))
    assert {name: dict(vars(module)) for name, module in tracker.network.named_modules()} == before


def test_inserted_name_is_no_layer_of_the_export(tiny_export):
    assert INSERTED not in (tiny_export / "lighttrack_update.param").read_text()
