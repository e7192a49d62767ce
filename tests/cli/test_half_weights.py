"""--half: weights as IEEE halves, beside the float32 export."""

import json

import numpy as np
import onnx
import pytest
import torch
from consumer import answers, assert_close, export, extract, images, load, run
from onnx import numpy_helper

from commands import lt_verify
from conftest import contents, save_seeded
from converter.formats.ncnn.weights import load_model

EPS = 1e-5
BOTH = ("--format", "ncnn", "--format", "onnx")


@pytest.fixture(scope="module")
def halves(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("half") / "tiny"
    done = export(tiny, folder, "--half", *BOTH, "--json")
    assert done.code == 0, done.err
    return folder, json.loads(done.out)


def exact(checkpoint, path):
    """The same network with weights that are halves also after the batch norms are folded into them."""
    saved_one = torch.load(checkpoint, weights_only=True)
    state = saved_one["state_dict"]
    for key, value in state.items():
        if value.dim() > 1:
            state[key] = value.half().float()
        elif key.endswith("running_var"):
            state[key] = torch.full_like(value, 1 - EPS)
            state[key.replace("running_var", "weight")] = torch.where(value > value.median(), 2.0, 0.5)
    torch.save(saved_one, path)
    return path


def test_the_manifest_and_the_proof_say_half(halves):
    _, manifest = halves
    assert manifest["precision"] == "half"
    assert manifest["verification"]["tolerances"]["reg"] == {"atol": 0.0, "rtol": 1e-2}
    checks = manifest["verification"]["checks"]
    assert {check["format"] for check in checks} == {"ncnn", "onnx"}
    assert all(check["passed"] for check in checks)


def test_ncnn_weights_are_the_nearest_halves_and_all_else_is_as_before(halves, tiny_export):
    for name in ("init", "update"):
        graph, stored = load_model(*(halves[0] / f"lighttrack_{name}{suffix}" for suffix in (".param", ".bin")))
        _, before = load_model(*(tiny_export / f"lighttrack_{name}{suffix}" for suffix in (".param", ".bin")))
        assert (halves[0] / f"lighttrack_{name}.param").read_bytes() == (
            (tiny_export / f"lighttrack_{name}.param").read_bytes()
        )
        tags = set()
        for layer, arrays, old in zip(graph.layers, stored.arrays, before.arrays, strict=True):
            for array, was in zip(arrays, old, strict=True):
                tags.add((array.role, array.tag))
                if array.role == "weight" and layer.type != "BatchNorm":
                    assert array.tag == 0x01306B47
                    np.testing.assert_array_equal(array.values(), was.values().astype(np.float16).astype(np.float32))
                else:
                    assert array == was
        assert {role for role, tag in tags if tag == 0x01306B47} == {"weight"}
        assert ("bias", None) in tags


def test_onnx_weights_are_halves_between_float_inputs_and_outputs(halves, tiny):
    folder, (z, x) = halves[0], images(127, 288)
    for name in ("init", "backbone", "neck_head"):
        model = onnx.load(folder / f"lighttrack_{name}.onnx")
        onnx.checker.check_model(model, full_check=True)
        for value in (*model.graph.input, *model.graph.output):
            assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        arrays = [numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
        convolved = [array for array in arrays if array.ndim == 4]
        assert convolved
        assert all(array.dtype == np.float16 for array in convolved)
        assert all(array.dtype == np.float32 for array in arrays if array.ndim == 1 and array.dtype.kind == "f")
    zf = run(folder / "lighttrack_init.onnx", {"z": z})["zf"]
    xf = run(folder / "lighttrack_backbone.onnx", {"x": x})["xf"]
    found = run(folder / "lighttrack_neck_head.onnx", {"zf": zf, "xf": xf})
    for one, other in zip([zf, found["cls"], found["reg"]], answers(tiny, z, x), strict=True):
        assert np.abs(one - other).max() < 1e-2 * np.ptp(other)


def test_weights_that_are_halves_answer_as_exactly_as_float32(tiny, tmp_path):
    checkpoint = exact(tiny, tmp_path / "exact.pth")
    done = export(checkpoint, tmp_path / "half", "--half", *BOTH, "--rtol", "5e-5", "--json")
    assert done.code == 0, done.err
    z, x = images(127, 288)
    expected = answers(checkpoint, z, x)
    zf = extract(load(tmp_path / "half", "lighttrack_init"), {"z": z}, ["zf"])[0]
    found = extract(load(tmp_path / "half", "lighttrack_update"), {"zf": zf, "x": x}, ["cls", "reg"])
    assert_close([zf, *found], expected)
    assert export(checkpoint, tmp_path / "float", *BOTH, "-q").code == 0
    for name in ("init", "update"):
        one, other = (
            load_model(*(tmp_path / kind / f"lighttrack_{name}{suffix}" for suffix in (".param", ".bin")))[1].arrays
            for kind in ("half", "float")
        )
        for array, was in zip(sum(one, ()), sum(other, ()), strict=True):
            np.testing.assert_allclose(array.values(), was.values(), rtol=0, atol=1e-7)  # of folding the batch norms


def test_a_weight_that_no_half_can_hold(tiny, tmp_path):
    """An earlier export stays."""
    saved_one = torch.load(tiny, weights_only=True)
    state = saved_one["state_dict"]
    key = next(key for key, value in state.items() if value.dim() == 4)
    state[key] = state[key] * 1e6
    torch.save(saved_one, tmp_path / "large.pth")
    assert export(tiny, tmp_path / "out", "-q").code == 0
    before = contents(tmp_path / "out")
    for format in ("ncnn", "onnx"):
        done = export(tmp_path / "large.pth", tmp_path / "out", "--half", "--format", format)
        assert done.code == 4
        assert "--half: " in done.error_line
        assert "and the largest half is 65504; leave --half out" in done.error_line
        assert contents(tmp_path / "out") == before


def test_lt_verify_of_half_weights(halves, tiny):
    done = lt_verify(halves[0], "--resume", tiny, "--layers", "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["precision"] == "half"
    assert [walk["graph"] for walk in result["layers"]] == ["init", "update", "init", "backbone", "neck_head"]
    assert "wider tolerance" not in " ".join(done.err.split())
    assert all(walk["matched"] == walk["total"] for walk in result["layers"])


def test_half_weights_may_decide_between_cells_that_are_nearly_equal(tiny, tmp_path):
    """The two best cells differ by 1.3e-5 of the range on this noise: more than a tie in float32, less than in half."""
    done = export(tiny, tmp_path / "out", "--half", "--search-size", 128, "--seed", 75, "--json")
    assert done.code == 0, done.err
    verified = lt_verify(tmp_path / "out", "--resume", tiny, "--json")
    assert verified.code == 0, verified.err
    for checks in (json.loads(each.out)["verification"]["checks"] for each in (done, verified)):
        cells = [check["best_cell"] for check in checks if check["feed"] == "noise, fine" and check["best_cell"]]
        assert [(cell["same"], cell["tie"], cell["passed"]) for cell in cells] == [(False, True, True)] * 2


@pytest.mark.usefixtures("pnnx_runs")
def test_two_runs_give_the_same_bytes(halves, tiny, tmp_path):
    assert export(tiny, tmp_path / "out", "--half", *BOTH, "-q").code == 0
    for path in halves[0].iterdir():
        if path.suffix in (".param", ".bin", ".onnx"):
            assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()


@pytest.mark.parametrize("stage", ["20", "31"])
def test_other_networks_in_half(tmp_path, stage):
    path_name = f"back_00000000000000000000+cls_002222222+reg_012222222_ops_{stage}"
    checkpoint = save_seeded(tmp_path / "some.pth", path_name)
    done = export(checkpoint, tmp_path / "out", "--half", "--split", "one", "--json", path_name=path_name)
    assert done.code == 0, done.err
    manifest = json.loads(done.out)
    assert (manifest["path_name"], manifest["precision"]) == (path_name, "half")
    assert manifest["verification"]["status"] == "passed"
    stored = (tmp_path / "out/lighttrack_single.bin").stat().st_size
    assert 2 * manifest["parameters"] < stored < 2.5 * manifest["parameters"]
