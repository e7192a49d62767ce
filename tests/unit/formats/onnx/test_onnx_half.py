"""Half weights in ONNX models: the arithmetic stays float32, so answers are those of rounded weights, bit for bit."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.errors import ConversionError
from converter.formats.onnx.file import files_beside, part_of, stored_precision
from converter.formats.onnx.half import WEIGHTS, store_halves
from converter.util import process
from converter.util.content import Content, content_of

FLOAT = TensorProto.FLOAT


def draw(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def model(nodes, weights, opset=11, shape=(1, 3, 9, 9), outputs=("y",)):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    made = onnx.shape_inference.infer_shapes(made, strict_mode=True)
    onnx.checker.check_model(made, full_check=True)
    return made


def conv(opset=11):
    return model(
        [
            helper.make_node("Conv", ["x", "w", "b"], ["c"], kernel_shape=[3, 3]),
            helper.make_node("Relu", ["c"], ["r"]),
            helper.make_node("Mul", ["r", "scale"], ["y"]),
        ],
        {"w": draw(5, 3, 3, 3), "b": draw(5) / 3, "scale": draw(1, 5, 1, 1) / 3},
        opset,
    )


def gemm(opset=11):
    return model(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)],
        {"w": draw(6, 20), "b": draw(6) / 3},
        opset,
        (2, 20),
    )


def matmul(opset=11):
    return model(
        [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Add", ["m", "b"], ["y"])],
        {"w": draw(20, 6), "b": draw(6) / 3},
        opset,
        (2, 20),
    )


def deconvolution(opset=11):
    return model(
        [helper.make_node("ConvTranspose", ["x", "w", "b"], ["y"], kernel_shape=[3, 3], strides=[2, 2])],
        {"w": draw(3, 4, 3, 3), "b": draw(4) / 3},
        opset,
    )


def stored(model):
    return {tensor.name: tensor for tensor in model.graph.initializer}


def rounded(model, names=("w",)):
    """The same model with weights that were halves once."""
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    for name, tensor in stored(copy).items():
        if name in names:
            values = numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, name))
    return copy


def run(model):
    process.send_nothing()
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    assert [one.type for one in (*session.get_inputs(), *session.get_outputs())] == ["tensor(float)"] * (
        1 + len(session.get_outputs())
    )
    return session.run(None, {"x": draw(*session.get_inputs()[0].shape, seed=1)})


@pytest.mark.parametrize("opset", [11, 13, 17])
@pytest.mark.parametrize("build", [conv, gemm, matmul, deconvolution])
def test_answers_are_those_of_rounded_weights_exactly(build, opset):
    plain, made = build(opset), build(opset)
    store_halves(made)
    onnx.checker.check_model(made, full_check=True)
    (answer,), (expected,), (exact,) = run(made), run(rounded(plain)), run(plain)
    assert answer.dtype == np.float32
    assert np.array_equal(answer, expected)
    assert not np.array_equal(answer, exact)
    np.testing.assert_allclose(answer, exact, atol=0.02)


@pytest.mark.parametrize("build", [conv, gemm, matmul, deconvolution])
def test_weights_are_rounded_to_nearest_and_all_else_is_as_it_was(build):
    before, made = build(), build()
    store_halves(made)
    new, old = stored(made), stored(before)
    assert new.keys() == {name if name != "w" else "w_half" for name in old}
    values = numpy_helper.to_array(new["w_half"])
    assert values.dtype == np.float16
    assert np.array_equal(values, numpy_helper.to_array(old["w"]).astype(np.float16))
    for name in old.keys() - {"w"}:
        assert new[name].SerializeToString() == old[name].SerializeToString()
    cast, *nodes = made.graph.node
    assert (cast.op_type, list(cast.input), list(cast.output)) == ("Cast", ["w_half"], ["w"])
    assert [attribute.i for attribute in cast.attribute] == [FLOAT]
    assert [node.SerializeToString() for node in nodes] == [node.SerializeToString() for node in before.graph.node]
    assert (made.graph.input, made.graph.output) == (before.graph.input, before.graph.output)
    assert len(made.SerializeToString()) < len(before.SerializeToString()) + 120


def test_half_the_bytes():
    def build():
        return model([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": draw(200, 100)}, 11, (2, 200))

    made = build()
    store_halves(made)
    assert len(made.SerializeToString()) < 0.51 * len(build().SerializeToString())


def ties_and_subnormals():
    low = 2.0**-24
    values = [1 + 2**-11, 1 + 3 * 2**-11, 1 + 2**-11 + 2**-20, low, low / 2, 1.5 * low, 1023 * low, -low, 65519.0, -0.0]
    return np.array([values], np.float32).T


def test_halves_are_nearest_ties_to_even_and_subnormals_stay():
    made = model([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": ties_and_subnormals()}, 11, (1, 10))
    store_halves(made)
    low = 2.0**-24
    expected = [1, 1 + 2**-9, 1 + 2**-10, low, 0, 2 * low, 1023 * low, -low, 65504, 0]
    (tensor,) = made.graph.initializer
    assert numpy_helper.to_array(tensor).astype(np.float64).ravel().tolist() == expected
    assert np.signbit(numpy_helper.to_array(tensor).ravel()[-1])


def test_weight_of_two_nodes_is_stored_and_widened_once():
    def build():
        nodes = [
            helper.make_node("MatMul", ["x", "w"], ["a"]),
            helper.make_node("MatMul", ["a", "w"], ["b"]),
            helper.make_node("MatMul", ["b", "v"], ["y"]),
        ]
        return model(nodes, {"w": draw(8, 8), "v": draw(8, 8, seed=2)}, 11, (2, 8))

    made = build()
    store_halves(made)
    onnx.checker.check_model(made, full_check=True)
    assert [node.op_type for node in made.graph.node] == ["Cast", "Cast", "MatMul", "MatMul", "MatMul"]
    assert stored(made).keys() == {"w_half", "v_half"}
    assert np.array_equal(run(made)[0], run(rounded(build(), ("w", "v")))[0])


def test_what_is_no_weight_stays():
    """A product of two computed matrices, a stored left side, a vector, and limits."""
    nodes = [
        helper.make_node("MatMul", ["left", "x"], ["a"]),
        helper.make_node("Transpose", ["a"], ["t"], perm=[1, 0]),
        helper.make_node("MatMul", ["t", "a"], ["b"]),
        helper.make_node("Clip", ["b", "low", "high"], ["c"]),
        helper.make_node("Add", ["c", "plane"], ["d"]),
        helper.make_node("MatMul", ["d", "vector"], ["y"]),
    ]
    weights = {
        "left": draw(4, 4),
        "low": np.float32(-1),
        "high": np.float32(1),
        "plane": draw(6, 6) / 3,
        "vector": draw(6) / 3,
    }
    made = model(nodes, weights, 11, (4, 6))
    before = made.SerializeToString()
    store_halves(made)
    assert made.SerializeToString() == before


def test_weights_of_another_type_stay():
    nodes = [
        helper.make_node("Cast", ["x"], ["d"], to=TensorProto.DOUBLE),
        helper.make_node("MatMul", ["d", "w"], ["m"]),
        helper.make_node("Cast", ["m"], ["y"], to=FLOAT),
    ]
    made = model(nodes, {"w": draw(6, 6).astype(np.float64)}, 11, (4, 6))
    before = made.SerializeToString()
    store_halves(made)
    assert made.SerializeToString() == before


def test_convolution_without_bias_and_empty_graph():
    made = model([helper.make_node("Conv", ["x", "w"], ["y"])], {"w": draw(2, 3, 1, 1)})
    store_halves(made)
    assert [node.op_type for node in made.graph.node] == ["Cast", "Conv"]
    plain = model([helper.make_node("Relu", ["x"], ["y"])], {})
    before = plain.SerializeToString()
    store_halves(plain)
    assert plain.SerializeToString() == before


def test_weights_that_are_halves_already_stay():
    made = conv()
    store_halves(made)
    once = made.SerializeToString()
    store_halves(made)
    assert made.SerializeToString() == once


@pytest.mark.parametrize("value", [65520.0, -65520.0, 1e6, np.inf, np.nan])
def test_weight_that_no_half_holds_is_refused_by_name(value):
    weights = draw(20, 6)
    weights[3, 2] = value
    made = model([helper.make_node("MatMul", ["x", "head.w"], ["y"])], {"head.w": weights}, 11, (2, 20))
    with pytest.raises(ConversionError) as caught:
        store_halves(made)
    assert str(caught.value) == (
        f"--half: head.w has a weight of {abs(value):.4g}, and the largest half is 65504; leave --half out"
    )


def test_largest_weight_that_a_half_holds():
    weights = draw(20, 6)
    weights[3, 2] = np.nextafter(np.float32(65520), np.float32(0))
    made = model([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": weights}, 11, (2, 20))
    store_halves(made)
    assert numpy_helper.to_array(made.graph.initializer[0])[3, 2] == 65504


def test_biases_may_be_larger_than_a_half():
    made = model(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"])], {"w": draw(20, 6), "b": np.float32([1e6] * 6)}, 11, (2, 20)
    )
    store_halves(made)
    assert run(made)[0].min() > 9e5


def test_layers_whose_second_input_is_a_weight():
    assert WEIGHTS == {"Conv": 1, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1}


def content(made):
    return Content.holding(Path("a.onnx"), made.SerializeToString())


def two_convs():
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["c"]), helper.make_node("Conv", ["c", "v"], ["y"])]
    return model(nodes, {"w": draw(5, 3, 3, 3), "b": draw(5), "v": draw(2, 5, 1, 1)})


def test_precision_is_that_of_every_weight():
    made = two_convs()
    assert stored_precision(content(made)) == "fp32"
    store_halves(made)
    assert stored_precision(content(made)) == "half"
    (second,) = [tensor for tensor in made.graph.initializer if tensor.name == "v_half"]
    second.CopyFrom(numpy_helper.from_array(draw(2, 5, 1, 1), "v_half"))
    assert stored_precision(content(made)) == "mixed"
    assert stored_precision(content(model([helper.make_node("Relu", ["x"], ["y"])], {}))) is None


def in_bytes(*more):
    """Two convolutions, the second's weight in bytes behind a DequantizeLinear, and nodes before all."""
    nodes = [
        *more,
        helper.make_node("DequantizeLinear", ["v8", "s"], ["v"], axis=0),
        helper.make_node("Conv", ["q" if more else "x", "w"], ["c"]),
        helper.make_node("Conv", ["c", "v"], ["y"]),
    ]
    scales = {"s": np.ones(2, np.float32), "one": np.float32(1)}
    return model(nodes, {"w": draw(5, 3, 3, 3), "v8": np.ones((2, 5, 1, 1), np.int8), **scales}, 13)


def test_weights_in_bytes_are_no_int8_arithmetic():
    assert stored_precision(content(in_bytes())) == "w8"
    quantises = [
        helper.make_node("QuantizeLinear", ["x", "one"], ["x8"]),
        helper.make_node("DequantizeLinear", ["x8", "one"], ["q"]),
    ]
    assert stored_precision(content(in_bytes(*quantises))) == "int8"


def test_weights_that_lie_elsewhere_are_taken_in(tmp_path):
    made, path = two_convs(), tmp_path / "a.onnx"
    onnx.save_model(made, path, save_as_external_data=True, location="a.data", size_threshold=0)
    files = [content_of(path), content_of(tmp_path / "a.data")]
    assert files_beside(files[0]) == ("a.data",)
    assert files_beside(content(two_convs())) == ()
    part = onnx.load_from_string(part_of(files[0], ["y"], files[1:]))
    expected = {tensor.name: numpy_helper.to_array(tensor) for tensor in two_convs().graph.initializer}
    for tensor in part.graph.initializer:
        np.testing.assert_array_equal(numpy_helper.to_array(tensor), expected[tensor.name])
    with pytest.raises(ConversionError, match=r"a\.onnx keeps '[wvb]' in a file that is not there"):
        part_of(files[0], ["y"])


@pytest.mark.parametrize("place", ["../a.data", "/etc/passwd"])
def test_weights_outside_of_the_folder_are_refused(place):
    made = two_convs()
    tensor = made.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    with pytest.raises(ConversionError, match=rf"a\.onnx keeps weights in '{place}', expected a file beside it"):
        files_beside(content(made))
