"""ONNX files that protobuf reads and that are none all the same."""

import onnx
import pytest
from onnx import TensorProto, helper

from converter.checks.layers.onnx_side import read
from converter.errors import ConversionError
from converter.formats.onnx.file import read_onnx


def written(path, *nodes):
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("x", "y")]
    model = helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:]))
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("node", "problem"),
    [
        (helper.make_node("Conv", ["x"], ["y"], group="one"), "layer y: attribute group is .*, expected an integer"),
        (helper.make_node("Conv", ["x"], ["y"], strides=1), "layer y: attribute strides is '1', expected integers"),
        (helper.make_node("Conv", ["x"], ["y"], pads=["a"]), "layer y: attribute pads is .*, expected integers"),
    ],
)
def test_an_attribute_of_another_kind_is_named(tmp_path, node, problem):
    with pytest.raises(ConversionError, match=problem):
        read((written(tmp_path / "a.onnx", node),), None)


def test_nodes_without_inputs_or_outputs(tmp_path):
    nodes = [helper.make_node(kind, ["x"], []) for kind in ("Conv", "Constant")]
    nodes += [helper.make_node(kind, [], [kind]) for kind in ("Identity", "Constant")]
    path = written(tmp_path / "a.onnx", *nodes)
    assert read_onnx(path).shapes == {}
    assert read((path,), None).layers == ()


def test_a_name_that_is_no_text(tmp_path):
    path = written(tmp_path / "a.onnx", helper.make_node("Relu", ["x"], ["y"], name="good"))
    path.write_bytes(path.read_bytes().replace(b"good", b"\xff\xfe\xfd\xfc"))
    assert isinstance(onnx.load(path).graph.node[0].name, bytes), "protobuf refuses it now: this check can go"
    with pytest.raises(ConversionError, match=r"a\.onnx is no ONNX model: the name .* in it is no UTF-8"):
        read_onnx(path)
