"""ONNX models with int8 layers: where nodes come to stand, whole numbers, what is no layer for it, and reading."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.errors import ConversionError
from converter.formats.moments import Fed, Moments
from converter.formats.onnx.file import stored_precision
from converter.formats.onnx.layers import Point, layers_of
from converter.formats.onnx.observed import Rounding, observe
from converter.formats.onnx.quantiser import OnnxQuantiser
from converter.formats.onnx.ranges import Range
from converter.formats.onnx.runner import OnnxRunner
from converter.formats.onnx.whole import HOST, Style, whole
from converter.spec.tensors import GraphSpec, TensorSpec

X, Y = ("x", (1, 4, 6, 6)), ("y", (1, 8, 6, 6))


def conv(name, source, target, inputs, outputs, size=1, group=1, bias=True):
    """Node and tensors."""
    generator = np.random.default_rng(len(name))
    weight = generator.standard_normal((outputs, inputs // group, size, size)).astype(np.float32)
    tensors = [numpy_helper.from_array(weight, f"{name}.w")]
    names = [source, f"{name}.w"]
    if bias:
        tensors.append(numpy_helper.from_array(generator.standard_normal(outputs).astype(np.float32), f"{name}.b"))
        names.append(f"{name}.b")
    pads = [size // 2] * 4
    return helper.make_node("Conv", names, [target], name=name, group=group, pads=pads), tensors


def model_of(*parts, output=Y, opset=13):
    """Of nodes, and nodes with tensors."""
    nodes = [part[0] if isinstance(part, tuple) else part for part in parts]
    tensors = [tensor for part in parts if isinstance(part, tuple) for tensor in part[1]]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (X, output))
    graph = helper.make_graph(nodes, "g", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def fed(model, folder, output=Y, feeds=3):
    path = folder / "lighttrack_g.onnx"
    path.write_bytes(model.SerializeToString())
    inputs, outputs = (
        (TensorSpec(meaning=name, name=name, shape=shape, about="a tensor"),) for name, shape in (X, output)
    )
    graph = GraphSpec(name="g", family="lighttrack", mode="g", inputs=inputs, outputs=outputs)
    generator = np.random.default_rng(0)
    return Fed((path,), graph, [{"x": generator.standard_normal(X[1]).astype(np.float32)} for _ in range(feeds)])


def chain():
    """Three convolutions, the first two with a Relu behind."""
    return model_of(
        conv("a", "x", "a1", 4, 8),
        helper.make_node("Relu", ["a1"], ["a2"]),
        conv("bb", "a2", "b1", 8, 8, size=3, group=8, bias=False),
        helper.make_node("Relu", ["b1"], ["b2"]),
        conv("ccc", "b2", "y", 8, 8),
    )


def written(model, folder, *names, corrected=False):
    quantiser = OnnxQuantiser([fed(model, folder)], [])
    (folder / "out").mkdir(exist_ok=True)
    quantiser.write([f"g {name}" for name in names], corrected, folder / "out")
    return quantiser, onnx.load(folder / "out" / "lighttrack_g.onnx")


def kinds(model):
    """Node types behind each other, along the activations."""
    made, found = {tensor.name for tensor in model.graph.initializer}, []
    for node in model.graph.node:
        if node.input[0] not in made:
            found.append(node.op_type)
    return found


def test_layers_in_the_order_of_a_run_with_their_multiply_adds(tmp_path):
    quantiser, _ = written(chain(), tmp_path)
    assert [(layer.name, layer.graph, layer.multiply_adds) for layer in quantiser.layers] == [
        ("g a", "g", 36 * 4 * 8),
        ("g bb", "g", 36 * 9 * 8),
        ("g ccc", "g", 36 * 8 * 8),
    ]


def test_a_chain_stays_in_integers(tmp_path):
    _, model = written(chain(), tmp_path, "a", "bb", "ccc")
    pair = ["QuantizeLinear", "DequantizeLinear"]
    assert kinds(model) == [*pair, "Conv", "Relu", *pair, "Conv", "Relu", *pair, "Conv", *pair]
    assert [value.name for value in model.graph.output] == ["y"]


def test_a_float_convolution_between_is_kept_from_becoming_one_in_integers(tmp_path):
    quantiser, model = written(chain(), tmp_path, "a", "ccc")
    pair = ["QuantizeLinear", "DequantizeLinear"]
    assert kinds(model) == [*pair, "Conv", "Relu", *pair, "Clip", "Conv", "Relu", *pair, "Conv", *pair]
    assert all(quantiser.prove(["g a", "g ccc"], tmp_path / "out"))


def test_without_that_the_proof_fails(tmp_path):
    quantiser, model = written(chain(), tmp_path, "a", "ccc")
    clip = next(node for node in model.graph.node if node.op_type == "Clip")
    reader = next(node for node in model.graph.node if clip.output[0] in node.input)
    reader.input[0] = clip.input[0]
    model.graph.node.remove(clip)
    (tmp_path / "out/lighttrack_g.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ConversionError, match="onnxruntime computes 3 layers in integers, expected 2"):
        quantiser.prove(["g a", "g ccc"], tmp_path / "out")


def test_a_layer_that_the_file_has_no_integers_for_is_no_proof(tmp_path):
    quantiser, _ = written(chain(), tmp_path, "a")
    with pytest.raises(ConversionError, match="onnxruntime computes 1 layers in integers, expected 2"):
        quantiser.prove(["g a", "g ccc"], tmp_path / "out")


def test_weights_fit_into_seven_bits_and_the_others_into_bytes(tmp_path):
    _, model = written(chain(), tmp_path, "a")
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert arrays["a.w_int8"].dtype == np.int8
    assert 32 < np.abs(arrays["a.w_int8"].astype(int)).max() <= HOST.most == 64
    assert arrays["a.w_bias"].dtype == np.int32
    assert "a.w" not in arrays
    assert arrays["bb.w"].dtype == np.float32, "so few are not worth a node"


@pytest.mark.parametrize("corrected", [False, True])
def test_the_file_means_what_the_float_model_does(tmp_path, corrected):
    quantiser, _ = written(chain(), tmp_path, "a", "bb", "ccc", corrected=corrected)
    proofs = quantiser.prove([layer.name for layer in quantiser.layers], tmp_path / "out")
    assert len(proofs) == 3
    assert all(proofs)


def layer(bias, weight=1.0):
    model = model_of(conv("a", "x", "y", 4, 8))
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.full((8, 4, 1, 1), weight, np.float32), "a.w"))
    model.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.full(8, bias, np.float32), "a.b"))
    return layers_of(model, "g")[0]


def known(means=None, even=None):
    exact = Moments.of(np.random.default_rng(0).uniform(0, 2, (4, 500)))
    return Rounding(Range.between(0, 2), even, exact, exact.means if means is None else exact.means + means)


def test_a_bias_is_in_steps_of_both_scales():
    found = whole(layer(3.0), known(), corrected=False)
    steps = found.bias * found.bias_scales.astype(np.float64)
    assert steps == pytest.approx(np.full(8, 3.0), rel=1e-3)
    assert found.bias_scales == pytest.approx(found.scales * known().range.scale)


def test_where_weights_are_next_to_nothing_the_bias_still_fits():
    found = whole(layer(3.0, weight=1e-13), known(), corrected=False)
    assert np.abs(found.bias.astype(np.int64)).max() <= 2**30
    assert found.bias * found.bias_scales.astype(np.float64) == pytest.approx(np.full(8, 3.0), rel=1e-3)


def test_the_bias_makes_up_for_the_mean_that_rounding_moves():
    plain, corrected = (whole(layer(3.0), known(means=0.01), corrected=each) for each in (False, True))
    moved = (corrected.bias - plain.bias) * plain.bias_scales.astype(np.float64)
    assert moved == pytest.approx(np.full(8, -0.04), rel=0.05)


def test_a_channel_that_was_divided_is_multiplied_in_the_weights():
    even = np.array([1, 2, 3, 4], np.float32)
    found = whole(layer(0.0), known(even=even), corrected=False)
    kept = found.weights * found.scales[:, np.newaxis]
    assert kept == pytest.approx(np.tile(even, (8, 1)), abs=0.04)


def test_depthwise_behind_floats_is_evened_and_not_behind_int8():
    model = model_of(
        helper.make_node("Tanh", ["x"], ["t"]),
        conv("a", "t", "a1", 4, 4, size=3, group=4),
        conv("bb", "a1", "b1", 4, 4, size=3, group=4),
        conv("ccc", "b1", "y", 4, 8),
    )
    assert [layer.input for layer in layers_of(model, "g")] == [Point("t", True), Point("a1"), Point("b1")]


def swish():
    """A convolution far below zero in half of its channels, with x · sigmoid(x) behind it."""
    node, (weight, bias) = conv("a", "x", "a1", 4, 8)
    bias = numpy_helper.from_array(np.array([0, -50] * 4, np.float32), "a.b")
    return model_of(
        (node, [weight, bias]),
        helper.make_node("Sigmoid", ["a1"], ["s"]),
        helper.make_node("Mul", ["a1", "s"], ["y"]),
    )


def test_before_swish_channels_are_even_and_numbers_far_below_zero_have_no_steps(tmp_path):
    model = swish()
    layers = layers_of(model, "g")
    assert [layer.end for layer in layers] == [Point("a1", True)]
    found = observe(fed(model, tmp_path), layers).points[Point("a1", True)]
    lowest = found.range.ends[0] * found.even
    assert len(lowest) == 8
    assert (lowest[1::2] > -7).all()
    quantiser, written_model = written(model, tmp_path, "a")
    assert kinds(written_model)[-3:] == ["Mul", "Sigmoid", "Mul"]
    assert all(quantiser.prove(["g a"], tmp_path / "out"))
    source = fed(model, tmp_path)
    given = OnnxRunner(tmp_path / "out/lighttrack_g.onnx", source.graph)
    exact = OnnxRunner(source.files[0], source.graph).infer(source.feeds[0])["y"]
    assert np.abs(given.infer(source.feeds[0])["y"] - exact).max() < 0.02 * np.ptp(exact)


def test_products_of_two_tensors_and_scaled_ones_are_no_layers():
    weight = numpy_helper.from_array(np.ones((36, 36), np.float32), "w")
    model = model_of(
        helper.make_node("Reshape", ["x", "shape"], ["r"]),
        (helper.make_node("Gemm", ["r", "w"], ["g1"], alpha=0.5), [weight]),
        (helper.make_node("MatMul", ["g1", "g2"], ["m"]), []),
    )
    assert layers_of(model, "g") == []


def test_an_opset_without_scales_for_channels_is_refused(tmp_path):
    model = model_of(conv("a", "x", "y", 4, 8), opset=12)
    with pytest.raises(ConversionError, match="it has opset 12, expected 13 or later; pass --opset 13"):
        OnnxQuantiser([fed(model, tmp_path)], [])


def test_graphs_in_bytes_have_no_layers(tmp_path):
    quantiser = OnnxQuantiser([fed(chain(), tmp_path)], ["g"])
    assert list(quantiser.layers) == []


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_models_that_onnxruntimes_own_quantiser_made_are_int8(tmp_path, form):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.feeds = iter(source.feeds)

        def get_next(self):
            return next(self.feeds, None)

    source = fed(chain(), tmp_path)
    target = tmp_path / "theirs.onnx"
    quantize_static(source.files[0], target, Reader(), quant_format=QuantFormat[form], per_channel=True)
    assert stored_precision(target) == "int8"
    assert stored_precision(source.files[0]) == "fp32"


NPU = Style(most=127, zeros=True, in_bytes=False, guarded=False, products=False, apart=True)


def test_for_an_npu_weights_have_eight_bits_zeros_are_given_and_the_rest_stays_as_it_is(tmp_path):
    source = chain()
    quantiser = OnnxQuantiser([fed(source, tmp_path)], [], NPU)
    (tmp_path / "out").mkdir()
    quantiser.draft(["g a", "g ccc"], False, tmp_path / "out")
    model = onnx.load(tmp_path / "out" / "lighttrack_g.onnx")
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert 64 < np.abs(arrays["a.w_int8"].astype(int)).max() <= 127
    assert all(len(node.input) == 3 for node in model.graph.node if node.op_type == "DequantizeLinear")
    assert all(not arrays[name].any() for name in arrays if name.startswith(("a.w", "ccc.w")) and "zero" in name)
    before = {tensor.name: numpy_helper.to_array(tensor) for tensor in source.graph.initializer}
    assert np.array_equal(arrays["bb.w"], before["bb.w"])
    assert "Clip" not in kinds(model)


def test_for_an_npu_a_layer_that_gives_floats_stays_in_half(tmp_path):
    weight = np.random.default_rng(0).standard_normal((6, 8)).astype(np.float32)
    product = helper.make_node("MatMul", ["x", "m.w"], ["y"], name="m"), [numpy_helper.from_array(weight, "m.w")]
    model = model_of(product, output=("y", (1, 4, 6, 8)))
    shown = fed(model, tmp_path, output=("y", (1, 4, 6, 8)))
    assert [layer.name for layer in OnnxQuantiser([shown], []).layers] == ["g m"]
    assert not OnnxQuantiser([shown], [], NPU).layers
    model.graph.node[0].output[0] = "y1"
    model.graph.node.append(helper.make_node("Relu", ["y1"], ["y"]))
    assert not OnnxQuantiser([fed(model, tmp_path, output=("y", (1, 4, 6, 8)))], [], NPU).layers


def test_for_an_npu_what_others_read_as_floats_is_widened_apart(tmp_path):
    """a gives what b reads in integers and ccc in half; alone in int8, they read what it gives."""
    model = model_of(
        conv("a", "x", "a1", 4, 8),
        conv("b", "a1", "b1", 8, 8),
        conv("ccc", "a1", "c1", 8, 8),
        helper.make_node("Add", ["b1", "c1"], ["y"]),
    )
    quantiser = OnnxQuantiser([fed(model, tmp_path)], [], NPU)
    (tmp_path / "out").mkdir()

    def read(*names):
        quantiser.write([f"g {name}" for name in names], False, tmp_path / "out")
        found = onnx.load(tmp_path / "out" / "lighttrack_g.onnx")
        producers = {name: node.op_type for node in found.graph.node for name in node.output}
        sources = {node.name: node.input[0] for node in found.graph.node}
        assert producers[sources["b"]] == producers[sources["ccc"]] == "DequantizeLinear"
        return sources

    apart, together = read("a", "b"), read("a", "b", "ccc")
    assert apart["b"] != apart["ccc"] == "a1"
    assert together["b"] == together["ccc"] == "a1"


def test_a_channel_without_weights_has_no_scale_far_from_the_others(tmp_path):
    model = chain()
    weight = next(each for each in model.graph.initializer if each.name == "a.w")
    values = numpy_helper.to_array(weight).copy() * 1e-4
    values[3] = 0
    weight.CopyFrom(numpy_helper.from_array(values, "a.w"))
    _, made = written(model, tmp_path, "a")
    scales = next(numpy_helper.to_array(each) for each in made.graph.initializer if each.name == "a.w_scale")
    assert scales[3] == np.delete(scales, 3).max() < 1e-3
