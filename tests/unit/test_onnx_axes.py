"""ONNX models for several sizes: which axes are left open, and what is said of the others."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from converter.config import network_for
from converter.errors import ConversionError
from converter.layout import ModelFile, setups
from converter.naming import Naming
from converter.onnx_export import check, free_axes, state_outputs
from converter.options import ExportOptions
from converter.spec import GraphSpec, TensorSpec


def options(**changes):
    network = network_for(None)[1]
    return ExportOptions(
        arch="A", checkpoint=Path("a"), output=Path("o"), network=network, formats=("onnx",), **changes
    )


def axes_of(**changes):
    files = dict.fromkeys(use.file for setup in setups(options(**changes)) for use in setup.uses["onnx"])
    return {file.stem.removeprefix("lighttrack_"): free_axes(file) for file in files}


def test_a_model_of_one_size_has_no_open_axis():
    assert axes_of() == {"init": {}, "backbone": {}, "neck_head": {}}
    assert axes_of(search_sizes=(288, 256), split="two") == {"init": {}, "update_288": {}, "update_256": {}}


def test_height_and_width_are_open_where_sizes_differ():
    found = axes_of(dynamic_search=True, split="two")
    assert found == {
        "init": {},
        "update": {name: {2: f"{name}_height", 3: f"{name}_width"} for name in ("x", "cls", "reg")},
    }
    assert axes_of(dynamic_search=True)["neck_head"].keys() == {"xf", "cls", "reg"}


def test_open_axes_are_of_the_name_in_the_file_and_called_by_the_meaning():
    naming = Naming(blobs={"update": {"x": "in1", "cls": "out0", "reg": "out1"}})
    assert axes_of(dynamic_search=True, split="two", naming=naming)["update"] == {
        "in1": {2: "x_height", 3: "x_width"},
        "out0": {2: "cls_height", 3: "cls_width"},
        "out1": {2: "reg_height", 3: "reg_width"},
    }


GRAPH = GraphSpec(
    name="g",
    mode="template",
    inputs=(TensorSpec(name="a", meaning="x", about="", shape=(1, 3, 8, 8)),),
    outputs=(TensorSpec(name="b", meaning="xf", about="", shape=(1, 3, 8, 8)),),
)
LARGER = GRAPH.model_copy(
    update={
        key: (getattr(GRAPH, key)[0].model_copy(update={"shape": (1, 3, 16, 16)}),) for key in ("inputs", "outputs")
    }
)
AXES = free_axes(ModelFile("onnx", "g", GRAPH, LARGER))


def model(given, back):
    graph = helper.make_graph(
        [helper.make_node("Relu", ["a"], ["b"])],
        "g",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, given)],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, back)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)


OPEN = ([1, 3, "x_height", "x_width"], ["batch", 3, "xf_height", "xf_width"])


def test_known_sizes_of_outputs_are_stated_and_open_ones_left():
    assert AXES == {"a": {2: "x_height", 3: "x_width"}, "b": {2: "xf_height", 3: "xf_width"}}
    made = model(*OPEN)
    written = onnx.load_from_string(state_outputs(made, GRAPH, AXES))
    dims = written.graph.output[0].type.tensor_type.shape.dim
    assert [size.dim_value or size.dim_param for size in dims] == [1, 3, "xf_height", "xf_width"]
    assert written == made
    check(written, GRAPH, "exporting", AXES)


@pytest.mark.parametrize(
    ("given", "back", "words"),
    [
        (OPEN[0], OPEN[1], "outputs became b batchx3xxf_heightxxf_width FLOAT, expected b 1x3x"),
        ([1, 3, 8, 8], [1, 3, 8, 8], "inputs became a 1x3x8x8 FLOAT, expected a 1x3xx_heightxx_width FLOAT"),
        ([1, 3, "x_width", "x_height"], [1, 3, "x_width", "x_height"], "inputs became"),
    ],
)
def test_other_open_axes_are_no_model_of_ours(given, back, words):
    with pytest.raises(ConversionError) as caught:
        check(model(given, back), GRAPH, "exporting", AXES)
    assert f"exporting g: {words}" in str(caught.value)


def test_open_axes_where_none_belong_are_refused():
    with pytest.raises(ConversionError, match="inputs became a 1x3xx_heightxx_width FLOAT, expected a 1x3x8x8 FLOAT"):
        check(model(*OPEN), GRAPH, "exporting")
    check(model([1, 3, 8, 8], [1, 3, 8, 8]), GRAPH, "exporting")
