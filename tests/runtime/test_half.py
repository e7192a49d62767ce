"""The half-precision report on real graphs: our sums against ncnn's, and networks made to overflow."""

import shutil

import numpy as np
import pytest
from comparisons import comparison_of
from default_inputs import noise_feed
from half_models import Model, reported, scalable_pair, specs

from conftest import TINY
from converter.checks.half import sums
from converter.checks.half.analysis import fp16_report
from converter.checks.half.masks import protect_files
from converter.errors import ConversionError, UsageError
from converter.formats.ncnn.param import load_param, read_param
from converter.formats.ncnn.slots import slots_of
from converter.formats.ncnn.weights import load_model
from converter.proof.feeds import Feed
from converter.spec.config import network_for
from converter.spec.tensors import GraphSpec, TensorSpec


@pytest.fixture
def model(tiny_export, tmp_path):
    folder = tmp_path / "export"
    shutil.copytree(tiny_export, folder)
    return Model(folder, specs(path_name=TINY))


@pytest.fixture
def feeds(model):
    images = [tensor for graph in model.graphs for tensor in graph.inputs if tensor.meaning in ("z", "x")]
    return [noise_feed(0, images, network_for(None)[1].preprocess)]


def test_sound_network_passes(model, feeds):
    report = model.report(feeds)
    assert report, report.failure()
    assert report.protect == {}
    assert report.not_analysed == ()
    assert report.feeds == ("noise, fine",)
    assert {layer.graph for layer in report.layers} == {"init", "update"}
    assert len(report.layers) == sum(len(load_param(model.files(name)[0]).layers) for name in ("init", "update"))


@pytest.mark.parametrize("size", ["tiny", "mobile"])
def test_every_layer_with_sums_computes_as_ncnn_does(size, tiny_export, exported):
    graphs = specs(path_name=TINY) if size == "tiny" else specs()
    model = Model(tiny_export if size == "tiny" else exported[0], graphs)
    images = [tensor for graph in graphs for tensor in graph.inputs if tensor.meaning in ("z", "x")]
    report = model.report([noise_feed(1, images, network_for(None)[1].preprocess)])
    assert report.not_analysed == ()
    with_sums = [layer for layer in report.layers if layer.sum_bound is not None]
    assert len(with_sums) > len(report.layers) / 4
    assert all(layer.type in SUMS for layer in with_sums)


SUMS = ("Convolution", "ConvolutionDepthWise", "InnerProduct", "MatMul", "Gemm", "BatchNorm")
HAND_MADE = """7767517
{layers} {blobs}
Input x 0 1 x
Split split 1 11 x x0 x1 x2 x3 x4 x5 x6 x7 x8 x9 x10
Convolution relu 1 1 x0 a0 0=8 1=3 4=1 5=1 6=576 9=1
Convolution leaky 1 1 a0 a1 0=8 1=3 11=1 2=2 4=2 14=0 15=1 5=1 6=192 9=2 -23310=1,0.1
Convolution clip 1 1 a1 a2 0=12 1=1 5=0 6=96 9=3 10=-1.0,1.0
Convolution sigmoid 1 1 a2 a3 0=16 1=3 3=2 4=-233 5=1 6=1728 9=4
Convolution mish 1 1 a3 a4 0=4 1=3 4=-234 5=1 6=576 9=5
Convolution hardswish 1 1 a4 a 0=4 1=1 5=1 6=16 9=6 -23310=2,0.2,0.5
ConvolutionDepthWise depthwise 1 1 x1 b0 0=8 1=5 11=3 3=2 13=1 4=2 14=1 5=1 6=120 7=8 9=1
ConvolutionDepthWise grouped 1 1 b0 b 0=16 1=3 4=1 5=1 6=288 7=4
Pooling gap 1 1 x2 c0 0=1 4=1
InnerProduct inner 1 1 c0 c1 0=10 1=1 2=80 9=4
Split split_c 1 3 c1 c2 c3 c4
BatchNorm bn1 1 1 c2 c5 0=10 1=1.0e-3
UnaryOp tanh 1 1 c3 c6 0=16
BinaryOp rdiv 1 1 c4 c7 0=8 1=1 2=0.5
BinaryOp max 2 1 c5 c6 c8 0=4
BinaryOp sub 2 1 c8 c7 c 0=1
Pooling max 1 1 x3 d0 0=0 1=2 2=2
Pooling average 1 1 d0 d1 0=1 1=2 2=2 5=1
Permute order2 1 1 d1 d2 0=2
Permute order3 1 1 d2 d3 0=3
Permute order4 1 1 d3 d4 0=4
Permute order5 1 1 d4 d5 0=5
Permute order1 1 1 d5 d 0=1
Reshape matrix 1 1 x4 e0 0=-1 1=8
Split split_e 1 4 e0 e1 e2 e3 e4
Permute turned 1 1 e1 e5 0=1
MatMul product 2 1 e2 e5 e6
MatMul transposed 2 1 e3 e4 e7 0=1
Gemm gemm 2 1 e6 e7 e8 2=1 3=0 0=0.5
Gemm constant 1 1 e8 e9 3=1 5=1 6=1 7=0 8=6 9=8 10=4
Softmax softmax 1 1 e9 e10 0=1 1=1
BatchNorm bn2 1 1 e10 e11 0=8
LayerNorm norm 1 1 e11 e12 0=6 1=1.0e-5
InnerProduct rows 1 1 e12 e 0=5 1=1 2=30 9=1
Clip clip6 1 1 x5 f0 0=0.0 1=6.0
HardSwish hs 1 1 f0 f1 0=0.1666667 1=0.5
ReLU leak 1 1 x6 f2 0=0.2
Concat concat 2 1 f1 f2 f3 0=0
UnaryOp abs 1 1 f3 f4 0=0
BinaryOp shift 1 1 f4 f4b 0=0 1=1 2=0.5
BinaryOp pow 1 1 f4b f5 0=6 1=1 2=1.5
BinaryOp rsub 1 1 f5 f6 0=7 1=1 2=0.25
BinaryOp min 1 1 f6 f7 0=5 1=1 2=2.0
BinaryOp rpow 1 1 f7 f8 0=9 1=1 2=1.5
BinaryOp div 1 1 f8 f9 0=3 1=1 2=3.0
UnaryOp sqrt 1 1 f9 f10 0=5
UnaryOp log 1 1 f10 f11 0=8
UnaryOp exp 1 1 f11 f 0=7
MemoryData memory 0 1 m0 0=8
BinaryOp scale 2 1 x7 m0 g0 0=2
BinaryOp add 1 1 g0 g1 0=0 1=1 2=-1.5
Dropout drop 1 1 g1 g2
Sigmoid sig 1 1 g2 g3
HardSigmoid hsig 1 1 g3 g4
TanH tanh2 1 1 g4 g5
Noop noop 1 1 g5 g6
BatchNorm bn3 1 1 g6 g7 0=8 1=1.0e-5
Swish swish 1 1 g7 g8
Flatten flat 1 1 g8 g
MatMul batched 2 1 x8 x9 h 0=1
PReLU odd 1 1 x10 i0 0=8
ReLU after 1 1 i0 i
"""


@pytest.fixture
def hand_made(tmp_path):
    """One graph with every known layer, most of them used in several ways, and PReLU, which is not known."""
    lines = HAND_MADE.splitlines()[2:]
    blobs = sum(int(line.split()[3]) for line in lines)
    table = read_param(HAND_MADE.format(layers=len(lines), blobs=blobs), "hand")
    draw = np.random.default_rng(0)
    data = b""
    for layer in table.layers:
        for slot in slots_of(layer):
            values = draw.uniform(0.3, 1, slot.count) if slot.role == "variance" else draw.normal(0, 0.3, slot.count)
            data += b"\0\0\0\0" * slot.tagged + values.astype("<f4").tobytes()
    param, weights = tmp_path / "lighttrack_hand.param", tmp_path / "lighttrack_hand.bin"
    param.write_text(table.text())
    weights.write_bytes(data)
    outputs = tuple(TensorSpec(name=name, meaning=name, about="", shape=(1,)) for name in table.output_blobs())
    image = TensorSpec(name="x", meaning="x", about="", shape=(1, 8, 14, 18))
    return Model(
        tmp_path, (GraphSpec(name="hand", family="lighttrack", mode="hand", inputs=(image,), outputs=outputs),)
    )


def test_every_known_layer_computes_as_ncnn_does(hand_made):
    feed = Feed("noise", {"x": np.random.default_rng(3).normal(0, 0.5, (1, 8, 14, 18)).astype(np.float32)})
    report = hand_made.report([feed])
    assert [(layer.layer, layer.problem) for layer in report.not_analysed] == [("odd", "type PReLU is not known")]
    assert report.as_dict()["not_analysed"][0]["layer"] == "odd"
    assert report, report.failure()


def test_a_layer_that_is_computed_otherwise_is_not_analysed(hand_made, monkeypatch):
    feed = Feed("noise", {"x": np.random.default_rng(3).normal(0, 0.5, (1, 8, 14, 18)).astype(np.float32)})
    monkeypatch.setitem(sums._FUSED, 4, lambda x: x)
    report = hand_made.report([feed])
    other = [layer.layer for layer in report.not_analysed]
    assert other == ["sigmoid", "inner", "odd"]
    assert "our arithmetic is off ncnn's by" in report.not_analysed[0].problem
    assert report.not_analysed[0].sum_bound is None


def test_bound_is_the_sum_of_magnitudes(hand_made):
    feed = Feed("noise", {"x": np.random.default_rng(3).normal(0, 0.5, (1, 8, 14, 18)).astype(np.float32)})
    report = hand_made.report([feed])
    table, weights = load_model(*hand_made.files("hand"))
    at = [layer.name for layer in table.layers].index("inner")
    weight, bias = (array.values() for array in weights.arrays[at])
    pooled = np.abs(feed.tensors["x"][0].mean((1, 2)))
    expected = (np.abs(weight).reshape(10, 8) @ pooled + np.abs(bias)).max()
    assert reported(report, "hand", "inner").sum_bound == pytest.approx(expected, rel=1e-4)
    for name in ("gap", "swish", "max", "softmax", "flat"):
        assert reported(report, "hand", name).sum_bound is None
    for layer in report.layers:
        if layer.sum_bound is not None and layer.type in ("MatMul", "BatchNorm", "Gemm"):
            assert layer.sum_bound >= layer.largest * 0.999


def test_overflow_inside_one_layer_is_found_and_cured(model, feeds):
    sound, exact = model.report(feeds), model.answers(feeds[0])
    first, second = scalable_pair(model, sound)
    found = reported(sound, "update", first)
    model.scale("update", first, second, 65504 / (found.sum_bound * found.largest) ** 0.5)
    before = model.answers(feeds[0])
    for name, values in before.items():
        assert np.abs(values - exact[name]).max() <= 1e-4 * np.ptp(exact[name])
    report = model.report(feeds)
    assert not report
    assert report.protect == {"update": (first,)}
    assert report.leaving == ()
    assert report.failure().startswith(f"sums in half can pass 65504 inside 1 layer, first {first} of update")

    text = model.files("update")[0].read_text().splitlines()
    init = model.files("init")[0].read_bytes()
    params = {name: model.files(name)[0] for name in ("init", "update")}
    assert protect_files(params, report.protect) == {"update": (first,)}
    after = model.files("update")[0].read_text().splitlines()
    changed = [(old, new) for old, new in zip(text, after, strict=True) if old != new]
    assert [(old.split()[1], new) for old, new in changed] == [(first, f"{changed[0][0]} 31=1")]
    assert model.files("init")[0].read_bytes() == init
    assert protect_files(params, report.protect) == {}

    cured = model.report(feeds)
    assert cured, cured.failure()
    assert reported(cured, "update", first).masked
    for name, values in model.answers(feeds[0]).items():
        assert np.array_equal(values, before[name]), name


def test_overflow_in_winograds_transform_is_found(model, feeds):
    """A 3x3 convolution whose own sums stay small, but whose transformed input does not fit."""
    sound = model.report(feeds)
    first, second = scalable_pair(model, sound, kernel=3)
    factor = 2.0 ** np.floor(np.log2(60000 / reported(sound, "update", first).largest))
    model.scale("update", first, second, factor)
    report = model.report(feeds)
    assert second in report.protect["update"]
    assert report.leaving == ()
    assert reported(report, "update", second).sum_bound > 65504
    assert reported(report, "update", second).largest == reported(sound, "update", second).largest


CANCELS = """7767517
3 3
Input x 0 1 x
Convolution cancels 1 1 x y 0=4 1=1 6=64
Swish after 1 1 y out
"""


def test_sum_that_overflows_on_its_way_is_found_and_cured(tmp_path):
    """Eight channels add up to 131072, eight take it away again: the blob is small."""
    (tmp_path / "lighttrack_cancels.param").write_text(CANCELS)
    weights = np.repeat(np.float32([[8192] * 8 + [-8192] * 8]), 4, axis=0)
    (tmp_path / "lighttrack_cancels.bin").write_bytes(b"\0\0\0\0" + weights.tobytes())
    image = TensorSpec(name="x", meaning="x", about="", shape=(1, 16, 3, 3))
    out = TensorSpec(name="out", meaning="out", about="", shape=(1, 4, 3, 3))
    model = Model(tmp_path, (GraphSpec(name="cancels", family="lighttrack", mode="", inputs=(image,), outputs=(out,)),))
    image = np.full((1, 16, 3, 3), 2, np.float32)
    image[0, 0] += 2**-9
    report = model.report([Feed("flat", {"x": image})])
    assert report.protect == {"cancels": ("cancels",)}
    found = reported(report, "cancels", "cancels")
    assert (found.high, found.sum_bound) == (16, 2.0**18 + 16)
    protect_files({"cancels": model.files("cancels")[0]}, report.protect)
    cured = model.report([Feed("flat", {"x": image})])
    assert cured


def test_blob_that_leaves_the_range_is_not_protected(model, feeds):
    sound = model.report(feeds)
    first, second = scalable_pair(model, sound)
    factor = 2.0 ** np.ceil(np.log2(70000 / reported(sound, "update", first).largest))
    model.scale("update", first, second, factor)
    report = model.report(feeds)
    assert not report
    assert [layer.layer for layer in report.leaving] == [first]
    assert report.protect == {}
    assert f"of layer {first} in update reaches" in report.failure()
    assert "set use_fp16_storage = false" in report.failure()
    assert protect_files({"update": model.files("update")[0]}, report.protect) == {}


def test_input_that_leaves_the_range_is_named(model, feeds):
    first = next(layer.name for layer in load_param(model.files("init")[0]).layers if layer.type == "Convolution")
    factor = 2.0**17
    model.scale("init", "", first, factor)
    large = Feed("large", {**feeds[0].tensors, "z": feeds[0].tensors["z"] * np.float32(factor)})
    report = model.report([large])
    assert [(layer.graph, layer.type, layer.blob) for layer in report.leaving] == [("init", "Input", "z")]
    assert report.protect == {}
    assert "blob z of layer in0 in init reaches" in report.failure()


def test_mask_that_corrupts_memory_is_reported(model, feeds):
    param = model.files("update")[0]
    first, _ = scalable_pair(model, model.report(feeds))
    param.write_text(load_param(param).with_param(first, 31, 3).text())
    report = model.report(feeds)
    assert not report
    assert report.failure().startswith(f"31=3 on layer {first} of update: ")
    assert report.protect == {}


def test_ranges_are_the_extremes_over_all_inputs(model, feeds):
    small = Feed("small", {name: values * np.float32(1e-6) for name, values in feeds[0].tensors.items()})
    both = model.report([feeds[0], small])
    alone = [model.report([feed]) for feed in (feeds[0], small)]
    for layer, one, other in zip(both.layers, *(report.layers for report in alone), strict=True):
        assert layer.largest == max(one.largest, other.largest)
        assert layer.smallest == min(filter(None, (one.smallest, other.smallest)), default=0)
        assert layer.subnormal == pytest.approx((one.subnormal + other.subnormal) / 2)
        bounds = [found.sum_bound for found in (one, other) if found.sum_bound is not None]
        assert layer.sum_bound == max(bounds, default=None)
    image = reported(alone[1], "init", "in0")
    assert image.subnormal > 0.9
    assert image.zero < 0.1


def test_nothing_to_look_at_is_wrong_usage(model, feeds):
    with pytest.raises(UsageError, match="expected ncnn models"):
        fp16_report({}, comparison_of(model.graphs, feeds, [{}], format="onnx"), {})
    with pytest.raises(UsageError, match="expected inputs"):
        model.report([])


def test_input_that_nothing_gives_is_named(model, feeds):
    with pytest.raises(ConversionError, match="nothing gives its input 'x'"):
        model.report([Feed("z only", {"z": feeds[0].tensors["z"]})])


def test_damaged_weights_are_refused(model, feeds):
    comparison = comparison_of(model.graphs, feeds, [{}], named="lighttrack_{}")
    runners = dict.fromkeys(comparison.tracker.models, None)
    path = model.files("update")[1]
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ConversionError, match=r"^lighttrack_update\.bin: cut off"):
        fp16_report({each: each.paths(model.folder) for each in runners}, comparison, runners)
