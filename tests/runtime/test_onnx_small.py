"""Weights of ONNX models in a byte each: what is int8 and what is not, and that onnxruntime computes what was meant."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.formats.moments import Fed
from converter.formats.onnx import DISABLE_QDQ
from converter.formats.onnx.file import stored_precision
from converter.formats.onnx.small import shrink
from converter.spec.tensors import GraphSpec, TensorSpec

SPREAD = np.array([0.1, 1.0, 3.0], np.float32).reshape(1, 3, 1, 1)


def tensor(name, *shape):
    return TensorSpec(name=name, meaning=name, about=name, shape=shape)


GRAPH = GraphSpec(
    name="a", family="none", mode="none", inputs=(tensor("x", 1, 3, 8, 8),), outputs=(tensor("y", 1, 10),)
)


def draw(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


WEIGHTS = {
    "few": draw(16, 3, 3, 3),
    "few bias": draw(16),
    "many": draw(64, 16, 3, 3),
    "many bias": draw(64),
    "deep": draw(64, 1, 3, 3),
    "deep bias": draw(64),
    "sums": draw(20, 64),
    "sums bias": draw(20),
    "product": draw(20, 50),
    "last": draw(50, 10),
}


def written(path, **changes):
    """A model's files and what it is shown, its inputs far from zero and of different spread."""
    same = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["x", "few", "few bias"], ["a"], **same),
        helper.make_node("Conv", ["a", "many", "many bias"], ["b"], **same),
        helper.make_node("Conv", ["b", "deep", "deep bias"], ["c"], group=64, **same),
        helper.make_node("GlobalAveragePool", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["e"]),
        helper.make_node("Gemm", ["e", "sums", "sums bias"], ["f"], transB=1),
        helper.make_node("MatMul", ["f", "product"], ["g"]),
        helper.make_node("MatMul", ["g", "last"], ["y"]),
    ]
    ends = [
        [helper.make_tensor_value_info(each.name, TensorProto.FLOAT, each.shape) for each in side]
        for side in (GRAPH.inputs, GRAPH.outputs)
    ]
    weights = [numpy_helper.from_array(array, name) for name, array in {**WEIGHTS, **changes}.items()]
    made = helper.make_model(
        helper.make_graph(nodes, "g", *ends, weights), opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    )
    onnx.save(made, path)
    feeds = [{"x": (draw(1, 3, 8, 8, seed=seed) + 2) * SPREAD} for seed in range(4)]
    return Fed((path,), GRAPH, feeds)


@pytest.fixture
def small(tmp_path):
    fed = written(tmp_path / "small.onnx")
    shrink([fed])
    return fed


def tensors(fed):
    return {each.name: numpy_helper.to_array(each) for each in onnx.load(fed.files[0]).graph.initializer}


def answers(fed, *names, disabled="1"):
    """Of the blobs on every feed."""
    model = onnx.load(fed.files[0])
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry(DISABLE_QDQ, disabled)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return [session.run(list(names) or None, feed) for feed in fed.feeds]


def widened(fed):
    """Name of a weight to the values that stand for it."""
    stored = tensors(fed)
    found = {}
    for node in onnx.load(fed.files[0]).graph.node:
        if node.op_type == "DequantizeLinear":
            values, scales = (stored[name] for name in node.input)
            sides = [1] * values.ndim
            sides[node.attribute[0].i] = -1
            found[node.output[0]] = values.astype(np.float32) * scales.reshape(sides)
    return found


@pytest.mark.parametrize(("name", "scales"), [("many", 64), ("sums", 64), ("product", 20)])
def test_products_have_scales_of_their_inputs(small, name, scales):
    """Of outputs, onnxruntime would take them for a product in int8."""
    assert tensors(small)[f"{name}_scale"].shape == (scales,)


def test_weights_of_convolutions_and_products_are_int8_with_the_channels_scales(small):
    assert stored_precision(small.files[0]) == "w8"
    found = widened(small)
    assert {"many", "sums", "product"} <= found.keys() <= {"many", "sums", "product", "deep"}
    for name, values in found.items():
        assert tensors(small)[f"{name}_int8"].dtype == np.int8
        assert np.sqrt(((values - WEIGHTS[name]) ** 2).mean()) < 0.02
    assert {"few", "last"} <= tensors(small).keys()  # too small to pay
    for name in ("few", "last"):
        np.testing.assert_array_equal(tensors(small)[name], WEIGHTS[name])


@pytest.mark.parametrize("disabled", ["0", "1"])
def test_onnxruntime_computes_with_the_widened_values(small, tmp_path, disabled):
    stored = tensors(small)
    biases = {name: stored[name] for name in WEIGHTS if name.endswith("bias")}
    halves = {name: stored[f"{name}_half"].astype(np.float32) for name in WEIGHTS if f"{name}_half" in stored}
    wide = written(tmp_path / "wide.onnx", **widened(small), **biases, **halves)
    full = written(tmp_path / "full.onnx")
    for (found,), (expected,), (exact,) in zip(
        answers(small, disabled=disabled), answers(wide), answers(full), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.ptp(exact))
        assert np.abs(found - exact).max() < 0.03 * np.ptp(exact)


def test_biases_make_up_for_the_mean_of_what_weights_are_off_by(small, tmp_path):
    full = written(tmp_path / "full.onnx")
    mean, exact = (np.mean([found for (found,) in answers(each, "f")], (0, 1)) for each in (small, full))
    off = mean - exact
    plain = off - (tensors(small)["sums bias"] - WEIGHTS["sums bias"])
    assert np.abs(off).mean() < np.abs(plain).mean()


def test_weights_that_another_node_reads_too_are_left(tmp_path):
    fed = written(tmp_path / "a.onnx")
    model = onnx.load(fed.files[0])
    model.graph.node.insert(0, helper.make_node("Identity", ["many"], ["unused"]))
    onnx.save(model, fed.files[0])
    shrink([fed])
    assert "many" not in widened(fed)
    assert "sums" in widened(fed)


def test_what_two_models_have_is_stored_the_same_in_both(tmp_path):
    one, other = written(tmp_path / "a.onnx"), written(tmp_path / "b.onnx", last=draw(50, 10, seed=7))
    shrink([one, other])
    first, second = tensors(one), tensors(other)
    assert first.keys() == second.keys()
    for name in first.keys() - {"last"}:
        np.testing.assert_array_equal(first[name], second[name])


def test_a_channel_of_zeros_has_a_scale_and_stays_zero(tmp_path):
    silent = WEIGHTS["many"].copy()
    silent[3] = 0
    fed = written(tmp_path / "a.onnx", many=silent)
    shrink([fed])
    scales = tensors(fed)["many_scale"]
    assert scales[3] == 1
    assert (scales > 0).all()
    assert not widened(fed)["many"][3].any()


def test_the_scale_of_a_channel_may_cut_its_largest_weight(tmp_path):
    """One weight is 1, all others whole steps of 0.98 / 127: cut to 0.98, it is off and they are exact."""
    step = np.float32(0.98 / 127)
    weights = np.rint(WEIGHTS["many"] * 40).clip(-120, 120).astype(np.float32) * step
    weights[:, 0, 0, 0] = 1
    fed = written(tmp_path / "a.onnx", many=weights)
    shrink([fed])
    np.testing.assert_allclose(tensors(fed)["many_scale"], step, rtol=1e-5)
