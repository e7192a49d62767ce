"""Rockchip's toolkit and its simulator: a small model built, run, broken; an export made and verified.

They need what ``lt-setup rknn`` builds (``make test-rknn``), and say so where it is missing.
"""

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from commands import SUPPORT, lt_export, lt_verify
from conftest import TINY
from converter.errors import ConversionError
from converter.formats.rknn.build import Built, build
from converter.formats.rknn.process import Toolkit
from converter.formats.rknn.recipe import Recipe, read_recipe, write_recipe
from converter.formats.rknn.runner import RknnBlobs, RknnRunner, simulate
from converter.spec.tensors import GraphSpec, TensorSpec

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
SIDE = 16
# what somebody writes who has the toolkit alone: builds, gives pixels, prints numbers
BY_HAND = """
import sys, numpy
from rknn.api import RKNN
model = RKNN()
mean, std = [[{mean}, [0.0] * 3]], [[{std}, [1.0] * 3]]
assert model.config(target_platform="rk3588", mean_values=mean[0], std_values=std[0]) == 0
assert model.load_onnx(model=sys.argv[1]) == 0
assert model.build(do_quantization=False) == 0
assert model.init_runtime() == 0
given = numpy.load(sys.argv[2])
(output,) = model.inference(inputs=[given["x"], given["zf"]], data_format=["nhwc", "nchw"])
numpy.save(sys.argv[3], output)
"""


def tensor(name: str, *shape: int) -> TensorSpec:
    return TensorSpec(name=name, meaning=name, about=name, shape=shape)


GRAPH = GraphSpec(
    name="update",
    family="lighttrack",
    mode="update",
    inputs=(tensor("x", 1, 3, SIDE, SIDE), tensor("zf", 1, 3, SIDE, SIDE)),
    outputs=(tensor("cls", 1, 4, SIDE, SIDE),),
)


def small_model(operator: str = "Relu") -> onnx.ModelProto:
    """cls = conv(operator(conv(x) - zf)); both inputs are of one shape, so that they can be swapped."""
    weights = np.random.default_rng(0).normal(0, 0.3, (2, 3, 3, 3, 3)).astype(np.float32)
    last = np.random.default_rng(1).normal(0, 0.3, (4, 3, 1, 1)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Sub", ["a", "zf"], ["b"]),
        helper.make_node(operator, ["b"], ["c"]),
        helper.make_node("Conv", ["c", "last"], ["cls"], kernel_shape=[1, 1]),
    ]
    values = {side: [(each.name, each.shape) for each in getattr(GRAPH, side)] for side in ("inputs", "outputs")}
    graph = helper.make_graph(
        nodes,
        "small",
        *([helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in values[side]] for side in values),
        [numpy_helper.from_array(weights[0], "first"), numpy_helper.from_array(last, "last")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)


def pixels() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)


def feed() -> dict[str, np.ndarray]:
    crop = ((pixels() - np.float32(MEAN)) / np.float32(STD)).transpose(0, 3, 1, 2).astype(np.float32)
    zf = np.random.default_rng(3).normal(size=(1, 3, SIDE, SIDE)).astype(np.float32)
    return {"x": np.ascontiguousarray(crop), "zf": zf}


def expected() -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(small_model().SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feed())[0]


def far(found: np.ndarray) -> float:
    """As a share of the range."""
    return float(np.abs(found - expected()).max() / np.ptp(expected()))


@pytest.fixture(scope="session")
def recipe(rknn_toolkit) -> Recipe:
    return Recipe(target="rk3588", toolkit=rknn_toolkit.toolkit, images=["x"], mean=MEAN, std=STD)


@pytest.fixture(scope="session")
def published(rknn_toolkit, recipe, tmp_path_factory) -> tuple[Path, Path]:
    """A small model as an export has it: the ``.rknn``, and what it was built from."""
    folder = tmp_path_factory.mktemp("small")
    model = small_model()
    built = built_alone(rknn_toolkit, model.SerializeToString(), recipe)
    (folder / "m.rknn").write_bytes(built.data)
    write_recipe(model, recipe.model_copy(update=built.found))
    (folder / "m.rknn.onnx").write_bytes(model.SerializeToString())
    return folder / "m.rknn", folder / "m.rknn.onnx"


def built_alone(root, source: bytes, recipe: Recipe) -> Built:
    toolkit = Toolkit(root, "rknn small")
    try:
        return build(toolkit, source, recipe, [("x", 3), ("zf", 3)], runs=False)
    finally:
        toolkit.stop()


@pytest.fixture(scope="session")
def runner(published):
    made = RknnRunner(*published, GRAPH)
    yield made
    made.stop()


def test_the_simulator_answers_within_half_precision(runner):
    assert far(runner.infer(feed())["cls"]) < 5e-3


def test_other_code_with_the_toolkit_alone_gets_the_same_numbers(runner, published, rknn_toolkit, tmp_path):
    np.savez(tmp_path / "given.npz", x=pixels(), zf=feed()["zf"])
    script = tmp_path / "by_hand.py"
    script.write_text(BY_HAND.format(mean=MEAN, std=STD))
    source = tmp_path / "m.onnx"
    source.write_bytes(published[1].read_bytes())
    words = [rknn_toolkit.python, script, source, tmp_path / "given.npz", tmp_path / "found.npy"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, cwd=tmp_path, check=False, timeout=600)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    assert np.array_equal(np.load(tmp_path / "found.npy"), runner.infer(feed())["cls"])


def test_swapped_inputs_and_another_layout_are_other_numbers(runner, recipe):
    """The comparison sees both: they are far outside what half precision does."""
    toolkit, given = runner._toolkit, feed()
    swapped = {"x": given["zf"], "zf": given["x"]}
    outside = recipe.model_copy(update={"images": None})
    inputs = [GRAPH.inputs[0], GRAPH.inputs[1]]
    assert far(simulate(toolkit, outside, inputs, swapped)[0]) > 0.05
    turned = {"x": pixels().transpose(0, 2, 1, 3), "zf": given["zf"]}
    _, outputs = toolkit.call("infer", turned, inputs=["x", "zf"], layouts=["nhwc", "nchw"])
    assert far(outputs["0"]) > 0.05
    nchw = {"x": pixels().transpose(0, 3, 1, 2).copy(), "zf": given["zf"]}
    with pytest.raises(ConversionError, match="inference failed"):
        toolkit.call("infer", nchw, inputs=["x", "zf"], layouts=["nhwc", "nchw"])
    assert far(runner.infer(given)["cls"]) < 5e-3  # and it goes on answering


def test_a_stale_file_is_refused(published, tmp_path):
    data = bytearray(published[0].read_bytes())
    data[len(data) // 2] ^= 1
    stale = tmp_path / "m.rknn"
    stale.write_bytes(data)
    refused = RknnRunner(stale, published[1], GRAPH)
    with pytest.raises(
        ConversionError, match=r"m\.rknn is not what rknn-toolkit2 .* it is stale, or of another source"
    ):
        refused.infer(feed())
    refused.stop()


def test_a_wrong_mean_is_another_file_and_other_numbers(rknn_toolkit, published, recipe, tmp_path):
    wrong = read_recipe(published[1]).model_copy(update={"mean": [0.0, 0.0, 0.0]})
    model = small_model()
    write_recipe(model, wrong)
    (tmp_path / "m.rknn.onnx").write_bytes(model.SerializeToString())
    refused = RknnRunner(published[0], tmp_path / "m.rknn.onnx", GRAPH)
    with pytest.raises(ConversionError, match="it is stale, or of another source"):
        refused.infer(feed())
    assert far(simulate(refused._toolkit, recipe, GRAPH.inputs, feed())[0]) > 0.05
    refused.stop()


def test_inner_tensors_come_from_a_build_of_their_own(published):
    values = RknnBlobs(published[1], GRAPH).blobs(feed(), ["a", "c"])
    assert {name: each.shape for name, each in values.items()} == {"a": (1, 3, SIDE, SIDE), "c": (1, 3, SIDE, SIDE)}
    assert np.allclose(np.maximum(values["a"] - feed()["zf"], 0), values["c"], atol=0.05)


def test_a_chip_without_half_precision_is_the_toolkits_own_words(rknn_toolkit, recipe):
    with pytest.raises(ConversionError, match=r"build failed \(returned -1\): .*rv1106.* not support do_quantization"):
        built_alone(rknn_toolkit, small_model().SerializeToString(), recipe.model_copy(update={"target": "rv1106"}))


def test_an_operator_that_the_toolkit_lacks_is_named(rknn_toolkit, recipe):
    with pytest.raises(ConversionError, match=r"(load_onnx|build) failed .*"):
        built_alone(rknn_toolkit, small_model("NoSuchOperator").SerializeToString(), recipe)


def test_an_error_that_the_toolkit_prints_and_answers_with_0_is_one(rknn_toolkit, recipe):
    """Its compiler cannot say a stride of 50 to the NPU, and the simulator does not notice."""
    model = small_model()
    last = model.graph.node[-1]
    last.attribute.append(helper.make_attribute("strides", [50, 50]))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("cls", TensorProto.FLOAT, [1, 4, 1, 1]))
    with pytest.raises(
        ConversionError, match=r"build failed \(and returned 0\): REGTASK: The bit width of field value"
    ):
        built_alone(rknn_toolkit, model.SerializeToString(), recipe)


def test_what_the_toolkit_says_of_a_model_is_in_its_source_and_held_to_it(rknn_toolkit, published, recipe, tmp_path):
    source = onnx.load(published[1])
    (tmp_path / "m.rknn.onnx").write_bytes(published[1].read_bytes())
    own = read_recipe(tmp_path / "m.rknn.onnx")
    assert own.operators
    assert "Sub" in own.operators
    assert own.on_cpu == []
    write_recipe(source, own.model_copy(update={"operators": ["Conv"]}))
    (tmp_path / "m.rknn.onnx").write_bytes(source.SerializeToString())
    refused = RknnRunner(published[0], tmp_path / "m.rknn.onnx", GRAPH)
    with pytest.raises(ConversionError, match=r"m\.rknn\.onnx says otherwise of its operators than rknn-toolkit2"):
        refused.infer(feed())
    refused.stop()


def test_an_operator_that_the_npu_lacks_is_named(rknn_toolkit, recipe):
    built = built_alone(rknn_toolkit, small_model("Exp").SerializeToString(), recipe)
    assert [line.split()[0] for line in built.on_cpu] == ["Exp"]
    assert "Exp" not in built.operators


def test_a_killed_build_is_an_error_and_leaves_nothing(rknn_toolkit, recipe):
    toolkit = Toolkit(rknn_toolkit, "rknn small")

    def kill():
        while toolkit._child is None:
            time.sleep(0.05)
        time.sleep(0.5)
        os.kill(toolkit._child.process.pid, signal.SIGKILL)

    threading.Thread(target=kill).start()
    with pytest.raises(ConversionError, match="build: the toolkit's process was ended by SIGKILL"):
        build(toolkit, small_model().SerializeToString(), recipe, [("x", 3), ("zf", 3)], runs=False)
    toolkit.stop()
    assert not toolkit.work.exists()


def test_an_export_is_made_and_verified(rknn_toolkit, tiny, tmp_path):
    wide = ("--rtol", "0.2", "--config", SUPPORT / "random_rknn.yaml")
    sizes = ("--path-name", TINY, "--search-size", "144")
    made = lt_export(tiny, *sizes, *wide, "--format", "rknn", "--target", "rk3588", "--output", tmp_path / "out")
    assert made.code == 0, made.err
    assert "simulated on this PC" in made.out
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["precision"] == "half"
    assert manifest["formats"]["rknn"]["target"] == "rk3588"
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".rknn", ".onnx", ".json"}
    done = lt_verify(tmp_path / "out", "--resume", tiny, *wide)
    assert done.code == 0, done.err
    assert "simulated on this PC" in done.out
