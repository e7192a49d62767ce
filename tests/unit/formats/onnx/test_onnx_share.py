"""One file of weights for several ONNX models: what goes into it, once, and what stays."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.errors import ConversionError
from converter.formats.onnx.file import files_beside
from converter.formats.onnx.share import share

FLOAT = TensorProto.FLOAT


def draw(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def save(path, weights, as_numbers=False):
    """x through a matrix product for every weight, and a sum with ``b``."""
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    if as_numbers:
        tensors = [
            helper.make_tensor(each.name, FLOAT, each.dims, numpy_helper.to_array(each).ravel()) for each in tensors
        ]
    shape = numpy_helper.from_array(np.array([1, *[1] * 39, 8], np.int64), "shape")
    nodes, blob = [], "x"
    for name in weights:
        kind = "Add" if name.startswith("b") else "MatMul"
        nodes.append(helper.make_node(kind, [blob, name], [f"{name}_of"]))
        blob = f"{name}_of"
    nodes.append(helper.make_node("Reshape", [blob, "shape"], ["y"]))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", FLOAT, (1, 8))],
        [helper.make_tensor_value_info("y", FLOAT, (1, *[1] * 39, 8))],
        [*tensors, shape],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def answer(path):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": draw(1, 8, seed=9)})[0]


def kept(path):
    """Name -> (offset, length) of what a model keeps elsewhere."""
    model = onnx.load(path, load_external_data=False)
    places = {
        tensor.name: {each.key: each.value for each in tensor.external_data} for tensor in model.graph.initializer
    }
    assert all(place["location"] == "all.data" for place in places.values() if place)
    return {name: (int(place["offset"]), int(place["length"])) for name, place in places.items() if place}


def test_what_two_models_have_is_there_once_and_they_answer_as_before(tmp_path):
    common, small = draw(8, 8), draw(8)
    save(tmp_path / "one.onnx", {"w": common, "b": small, "v": draw(8, 8, seed=1)})
    save(tmp_path / "two.onnx", {"other": draw(8, 8, seed=2), "same": common}, as_numbers=True)
    before = {name: answer(tmp_path / name) for name in ("one.onnx", "two.onnx")}
    share(tmp_path, ["one", "two"], "all.data")
    assert (tmp_path / "all.data").stat().st_size == 3 * 256
    assert kept(tmp_path / "one.onnx") == {"w": (0, 256), "v": (256, 256)}
    assert kept(tmp_path / "two.onnx") == {"other": (512, 256), "same": (0, 256)}
    assert [files_beside(tmp_path / name) for name in before] == [("all.data",)] * 2
    for name, array in before.items():
        np.testing.assert_array_equal(answer(tmp_path / name), array)


def test_tensors_begin_where_memory_is_aligned(tmp_path):
    save(tmp_path / "one.onnx", {"w": draw(8, 9), "v": draw(9, 8)})
    before = answer(tmp_path / "one.onnx")
    share(tmp_path, ["one"], "all.data")
    assert kept(tmp_path / "one.onnx") == {"w": (0, 288), "v": (320, 288)}
    np.testing.assert_array_equal(answer(tmp_path / "one.onnx"), before)


def test_a_model_that_is_none_afterwards_is_refused(tmp_path, monkeypatch):
    save(tmp_path / "one.onnx", {"w": draw(8, 8)})
    monkeypatch.setattr("converter.formats.onnx.share.write", lambda path, data: path.write_bytes(data[:-300]))
    with pytest.raises(ConversionError, match=r"^sharing the weights of one: not a valid ONNX model: "):
        share(tmp_path, ["one"], "all.data")
