"""What an ``.rknn`` is built from says how, and what goes into it as what."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from converter.errors import ConversionError
from converter.formats.rknn.build import without_metadata
from converter.formats.rknn.recipe import Recipe, about, interface, read_recipe, write_recipe
from converter.formats.rknn.reported import reported
from converter.formats.rknn.runner import as_given, differing
from converter.spec.tensors import TensorSpec

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
INSIDE = Recipe(target="rk3588", toolkit="2.5.0", images=["x"], mean=MEAN, std=STD)
OUTSIDE = Recipe(target="rk3588", toolkit="2.5.0")
X = TensorSpec(name="x", meaning="x", about="search crop", shape=(1, 3, 4, 6))


def model() -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"]), helper.make_node("Identity", ["zf"], ["w"])],
        "g",
        [
            helper.make_tensor_value_info("zf", TensorProto.FLOAT, [1, 8, 2, 2]),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 4, 6]),
        ],
        [
            helper.make_tensor_value_info("w", TensorProto.FLOAT, [1, 8, 2, 2]),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 4, 6]),
        ],
    )
    made = helper.make_model(graph)
    helper.set_model_props(made, {"graph": "update"})
    return made


def saved(path, recipe):
    made = model()
    if recipe:
        write_recipe(made, recipe)
    path.write_bytes(made.SerializeToString())
    return path


def test_a_recipe_is_read_as_it_was_written_and_what_else_was_said_stays(tmp_path):
    path = saved(tmp_path / "m.rknn.onnx", INSIDE)
    assert read_recipe(path) == INSIDE
    assert about(path)["graph"] == "update"


def test_the_manifest_says_what_the_toolkit_and_others_said(tmp_path):
    told = {"operators": ["Conv"], "on_cpu": ["Exp /e"], "warnings": ["w"], "target": "rv1126b", "int8": 3}
    found = about(saved(tmp_path / "m.rknn.onnx", INSIDE.model_copy(update=told)))
    assert (found["operators"], found["operators_on_cpu"], found["warnings"]) == (["Conv"], ["Exp /e"], ["w"])
    assert found["layers_in_int8"] == 3
    assert found["reported_to_differ"] == reported("rv1126b", ["Conv"])


def test_a_file_without_one_is_refused(tmp_path):
    with pytest.raises(ConversionError, match=r"m\.rknn\.onnx does not say how an \.rknn is built from it"):
        read_recipe(saved(tmp_path / "m.rknn.onnx", None))


def test_a_damaged_one_is_refused(tmp_path):
    made = model()
    helper.set_model_props(made, {"rknn": '{"target": "rk3588", "toolkit": 2}'})
    (tmp_path / "m.rknn.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(ConversionError, match="damaged: toolkit"):
        read_recipe(tmp_path / "m.rknn.onnx")


def test_the_toolkit_is_told_the_channels_of_every_input():
    inputs = [("zf", 2), ("x", 3)]
    assert INSIDE.normalisation(inputs) == ([[0.0, 0.0], MEAN], [[1.0, 1.0], STD])
    assert OUTSIDE.normalisation(inputs) is None


def test_the_manifest_says_layout_and_dtype_of_every_tensor(tmp_path):
    found = about(saved(tmp_path / "m.rknn.onnx", INSIDE))
    assert found["inputs"] == {
        "zf": {"layout": "NCHW", "dtype": "float32", "shape": [1, 8, 2, 2]},
        "x": {"layout": "NHWC", "dtype": "uint8", "shape": [1, 4, 6, 3], "mean": MEAN, "std": STD},
    }
    assert found["outputs"]["y"] == {"layout": "NCHW", "dtype": "float32", "shape": [1, 3, 4, 6]}
    outside = about(saved(tmp_path / "m.rknn.onnx", OUTSIDE))
    assert outside["inputs"]["x"] == {"layout": "NCHW", "dtype": "float32", "shape": [1, 3, 4, 6]}


def test_an_interface_is_names_and_shapes(tmp_path):
    inputs, outputs = interface(saved(tmp_path / "m.rknn.onnx", INSIDE))
    assert (list(inputs), inputs["x"], list(outputs)) == (["zf", "x"], (1, 3, 4, 6), ["w", "y"])


def test_crops_become_the_pixels_that_they_were():
    pixels = np.random.default_rng(0).integers(0, 256, (1, 4, 6, 3), np.uint8)
    crop = ((pixels / 255 - np.array(MEAN) / 255) / (np.array(STD) / 255)).astype(np.float32).transpose(0, 3, 1, 2)
    given = as_given(INSIDE, X, crop)
    assert given.dtype == np.uint8
    assert np.array_equal(given, pixels)
    assert as_given(OUTSIDE, X, crop) is crop


@pytest.mark.parametrize("wrong", [0.2, 400.0, -300.0])
def test_what_was_no_pixel_is_refused(wrong):
    crop = np.zeros((1, 3, 4, 6), np.float32) + np.float32((10 + wrong - 123.675) / 58.395)
    with pytest.raises(ConversionError, match="x is not made of 8-bit pixels"):
        as_given(INSIDE, X, crop)


def test_what_a_file_says_of_itself_is_no_part_of_a_build():
    one, other = model(), model()
    write_recipe(one, INSIDE)
    assert without_metadata(one.SerializeToString()) == without_metadata(other.SerializeToString())
    assert not onnx.load_from_string(without_metadata(one.SerializeToString())).metadata_props


def test_bytes_that_differ_between_two_builds_count_for_nothing():
    built, again, published = bytearray(400), bytearray(400), bytearray(400)
    again[100:104], published[102:106] = b"abcd", b"efgh"
    assert differing(bytes(published), bytes(built), bytes(again)) == 0


def test_a_byte_elsewhere_counts():
    built, again, published = bytearray(400), bytearray(400), bytearray(400)
    again[100:104], published[300] = b"abcd", 1
    assert differing(bytes(published), bytes(built), bytes(again)) == 1


def test_a_file_of_another_length_is_another():
    assert differing(bytes(390), bytes(400), bytes(400)) == 10
