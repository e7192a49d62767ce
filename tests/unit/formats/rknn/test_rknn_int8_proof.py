"""int8 in RKNN models, as far as it goes without the toolkit: what passes for the same numbers, and what files say."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.formats.format import format_of, judged_as
from converter.formats.rknn.proof import layer_proof
from converter.formats.rknn.recipe import Recipe, write_recipe
from converter.spec.tensors import GraphSpec, TensorSpec

STEP = 0.1
EXPECTED = np.arange(200) * STEP


def proof(difference):
    return layer_proof("backbone a", STEP, EXPECTED + difference, EXPECTED)


def one(steps):
    """A single number is off by so many steps."""
    return np.where(np.arange(len(EXPECTED)) == 7, steps * STEP, 0)


@pytest.mark.parametrize("difference", [0, STEP, one(7), one(-7)])
def test_what_the_factors_of_an_npu_come_to_passes(difference):
    found = proof(difference)
    assert found
    assert found.difference == pytest.approx(np.abs(difference).max() / EXPECTED.max())


@pytest.mark.parametrize("difference", [one(9), one(-9), 3 * STEP, one(np.nan), np.nan])
def test_other_numbers_do_not(difference):
    assert not proof(difference)


def saved(folder, *kinds):
    """A source with a node of each kind."""
    tensors = [numpy_helper.from_array(np.float32(0.1), "s"), numpy_helper.from_array(np.uint8(3), "zero")]
    nodes, source = [], "x"
    for kind in kinds:
        nodes.append(helper.make_node(kind, [source, "s", "zero"], [f"{source}_"]))
        source += "_"
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in ("x", source))
    graph = helper.make_graph(nodes, "g", [x], [y], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    write_recipe(model, Recipe(target="rk3588", toolkit="2.5.0"))
    path = folder / "m.rknn.onnx"
    path.write_bytes(model.SerializeToString())
    return folder / "m.rknn", path


def test_a_source_that_rounds_is_of_an_int8_model(tmp_path):
    assert format_of("rknn").precision(saved(tmp_path, "QuantizeLinear", "DequantizeLinear")) == "int8"
    assert format_of("rknn").precision(saved(tmp_path)) == "half"


def test_int8_models_are_judged_as_such_and_others_as_what_the_npu_computes_in():
    assert judged_as(["rknn"], "int8") == "int8"
    assert judged_as(["rknn"], "half") == "rknn"


def test_a_draft_is_what_the_source_says_in_floats(tmp_path):
    _, source = saved(tmp_path, "QuantizeLinear", "DequantizeLinear")
    given = TensorSpec(name="x", meaning="x", about="x", shape=(1, 3))
    graph = GraphSpec(
        name="g", family="lighttrack", mode="g", inputs=(given,), outputs=(given.model_copy(update={"name": "x__"}),)
    )
    runner = format_of("rknn").load_draft([source], graph)
    assert np.allclose(runner.infer({"x": np.float32([[0.14, -0.2, 99]])})["x__"], [[0.1, -0.2, 25.2]])
    assert onnx.load(source).metadata_props
