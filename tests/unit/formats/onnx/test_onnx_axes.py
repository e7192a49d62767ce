"""ONNX models for several sizes: which axes are left open, and what is said of the others."""

from pathlib import Path

import pytest
from onnx import TensorProto, helper

from converter.errors import ConversionError
from converter.exporting.plan import plan_export
from converter.formats.onnx.convert import check, free_axes, state_outputs
from converter.formats.onnx.file import rename_values
from converter.formats.source import Source
from converter.spec.config import network_for
from converter.spec.naming import Naming
from converter.spec.options import ExportOptions
from converter.spec.tensors import GraphSpec, TensorSpec


def options(**changes):
    network = network_for(None)[1]
    return ExportOptions(
        arch="A", checkpoint=Path("a"), output=Path("o"), network=network, formats=("onnx",), **changes
    )


def axes_of(**changes):
    sources = [source for source in plan_export(options(**changes)).sources if source.format == "onnx"]
    return {source.stem.removeprefix("lighttrack_"): free_axes(source) for source in sources}


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


def test_open_axes_are_of_the_meaning_whatever_the_file_calls_it():
    naming = Naming(blobs={"update": {"x": "in1", "cls": "out0", "reg": "out1"}})
    assert axes_of(dynamic_search=True, split="two", naming=naming)["update"] == {
        "x": {2: "x_height", 3: "x_width"},
        "cls": {2: "cls_height", 3: "cls_width"},
        "reg": {2: "reg_height", 3: "reg_width"},
    }


GRAPH = GraphSpec(
    name="g",
    family="lighttrack",
    mode="template",
    inputs=(TensorSpec(name="a", meaning="x", about="", shape=(1, 3, 8, 8)),),
    outputs=(TensorSpec(name="b", meaning="xf", about="", shape=(1, 3, 8, 8)),),
)
LARGER = GRAPH.model_copy(
    update={
        key: (getattr(GRAPH, key)[0].model_copy(update={"shape": (1, 3, 16, 16)}),) for key in ("inputs", "outputs")
    }
)
AXES = free_axes(Source("onnx", "g", GRAPH, LARGER))


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
    assert AXES == {"x": {2: "x_height", 3: "x_width"}, "xf": {2: "xf_height", 3: "xf_width"}}
    exported = model(*OPEN)
    rename_values(exported, {"a": "x", "b": "xf"})  # the exporter calls tensors by their meaning
    state_outputs(exported, GRAPH, AXES)
    rename_values(exported, {"x": "a", "xf": "b"})
    dims = exported.graph.output[0].type.tensor_type.shape.dim
    assert [size.dim_value or size.dim_param for size in dims] == [1, 3, "xf_height", "xf_width"]
    check(exported, GRAPH, "exporting", AXES)


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


def test_values_change_names_all_at_once_and_what_is_in_the_way_makes_room():
    def named(*names):
        a, b, c = names
        nodes = [helper.make_node("Relu", [a], [b]), helper.make_node("Neg", [b], [c])]
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in (a, c)]
        return helper.make_graph(nodes, "g", values[:1], values[1:])

    swapped, moved = helper.make_model(named("x", "745", "y")), helper.make_model(named("x", "745", "y"))
    rename_values(swapped, {"x": "y", "y": "x"})
    assert swapped.graph == named("y", "745", "x")
    rename_values(moved, {"y": "745"})
    assert moved.graph == named("x", "value0", "745")
