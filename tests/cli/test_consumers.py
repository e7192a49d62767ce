"""Models as their consumers load them: by the names and files in the consumers' own sources, with no code of ours."""

import json

import onnx
import pytest
from consumer import answers, assert_close, export, extract, images, load, run, sigmoid

from commands import lt_export, lt_verify
from conftest import MOBILE, save_seeded
from converter.spec.presets import load_preset, preset_names

LIGHTTRACK = [name for name in preset_names() if not load_preset(name).archs]  # the others: test_nanotrack_consumers.py


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):
    """An export for every preset."""
    folders = {}
    for name in LIGHTTRACK:
        folders[name] = tmp_path_factory.mktemp("presets") / name
        done = export(tiny, folders[name], "--preset", name)
        assert done.code == 0, done.err
    return folders


def test_lighttrack_ncnn_is_what_the_cpp_demo_loads(made, tiny):
    folder, (z, x) = made["lighttrack-ncnn"], images(127, 288)
    zf = extract(load(folder, "lighttrack_init"), {"input1": z}, ["output.1"])[0]
    found = extract(load(folder, "lighttrack_update"), {"input1": zf, "input2": x}, ["output.1", "output.2"])
    assert_close([zf, *found], answers(tiny, z, x))


@pytest.mark.parametrize("template", [127, 128])
def test_android_single_is_one_model_that_the_template_goes_through_too(made, tiny, template):
    folder, (z, x) = made["android-single"], images(template, 256)
    assert sorted(path.name for path in folder.iterdir()) == [
        *("lighttrack-op.bin", "lighttrack-op.param", "manifest.json"),
    ]
    net = load(folder, "lighttrack-op")
    zf = extract(net, {"input": z}, ["745"])[0]
    found = extract(net, {"input": x, "temp": zf}, ["cls", "reg"])
    assert_close([zf, *found], answers(tiny, z, x))
    *again, xf = extract(net, {"input": x, "temp": zf}, ["cls", "reg", "745"])
    assert_close(again, found)
    assert_close([xf], extract(net, {"input": x}, ["745"]))


def test_android_single_is_written_for_the_ncnn_that_its_consumer_ships(made):
    types = [line.split()[0] for line in (made["android-single"] / "lighttrack-op.param").read_text().splitlines()[2:]]
    assert "Gemm" in types
    assert "MatMul" not in types
    manifest = json.loads((made["android-single"] / "manifest.json").read_text())
    assert manifest["formats"]["ncnn"]["oldest_ncnn"] == "20210720"


def test_pnnx_names(made, tiny):
    folder, (z, x) = made["pnnx"], images(127, 288)
    zf = extract(load(folder, "lighttrack_init"), {"in0": z}, ["out0"])[0]
    found = extract(load(folder, "lighttrack_update"), {"in0": zf, "in1": x}, ["out0", "out1"])
    assert_close([zf, *found], answers(tiny, z, x))


def test_rknn_is_three_models_of_opset_11(made, tiny):
    folder, (z, x) = made["rknn"], images(127, 288)
    zf = run(folder / "lighttrack_init.onnx", {"z": z})["zf"]
    xf = run(folder / "lighttrack_backbone.onnx", {"x": x})["xf"]
    found = run(folder / "lighttrack_neck_head.onnx", {"zf": zf, "xf": xf})
    assert_close([zf, found["cls"], found["reg"]], answers(tiny, z, x))
    for name in ("init", "backbone", "neck_head"):
        model = onnx.load(folder / f"lighttrack_{name}.onnx")
        assert [(one.domain, one.version) for one in model.opset_import] == [("", 11)]


def test_tensorrt_is_two_models_with_the_sigmoid_inside(made, tiny):
    folder, (z, x) = made["tensorrt"], images(128, 256)
    zf = run(folder / "lighttrack_init.onnx", {"z": z})["zf"]
    found = run(folder / "lighttrack_update.onnx", {"zf": zf, "x": x})
    _, logits, reg = answers(tiny, z, x)
    assert_close([zf, found["cls"], found["reg"]], [zf, sigmoid(logits), reg])
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["tracker"]["cls"] == "probability"
    cls = manifest["graphs"][1]["outputs"][0]
    assert (cls["meaning"], cls["activation"], cls["about"]) == (
        *("cls", "sigmoid", "foreground probability of every cell"),
    )


@pytest.mark.parametrize("name", LIGHTTRACK)
def test_an_export_for_a_consumer_is_verified_again(made, tiny, name):
    done = lt_verify(made[name], "--resume", tiny, "--layers", "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["verdict"] == "passed"
    assert [walk["graph"] for walk in result["layers"]] == [model["name"] for model in result["models"]] != []
    assert all(walk["matched"] == walk["total"] for walk in result["layers"])
    assert json.loads((made[name] / "manifest.json").read_text())["preset"] == name


def test_options_beside_a_preset_win(tiny, tmp_path):
    done = export(
        *(tiny, tmp_path / "out", "--preset", "lighttrack-ncnn", "--search-size", "256", "--rename", "output.2=boxes"),
        *("--rename", "init:zf=feat", "--sigmoid", "--json"),
    )
    assert done.code == 0, done.err
    manifest = json.loads(done.out)
    names = {
        graph["name"]: [tensor["name"] for tensor in graph["inputs"] + graph["outputs"]] for graph in manifest["graphs"]
    }
    assert names == {"init": ["input1", "feat"], "update": ["input1", "input2", "output.1", "boxes"]}
    assert manifest["tracker"]["search_size"] == 256
    assert manifest["tracker"]["cls"] == "probability"
    z, x = images(127, 256)
    zf, logits, reg = answers(tiny, z, x)
    feed = {"input1": zf, "input2": x}
    found = extract(load(tmp_path / "out", "lighttrack_update"), feed, ["output.1", "boxes"])
    assert_close(found, [sigmoid(logits), reg])


def test_a_preset_without_its_sigmoid(tiny, tmp_path):
    done = export(tiny, tmp_path / "out", "--preset", "tensorrt", "--no-sigmoid", "--opset", "13", "--json")
    assert done.code == 0, done.err
    manifest = json.loads(done.out)
    assert manifest["tracker"]["cls"] == "logit"
    assert manifest["formats"]["onnx"]["opset"] == 13
    z, x = images(128, 256)
    zf, logits, _ = answers(tiny, z, x)
    assert_close([run(tmp_path / "out/lighttrack_update.onnx", {"zf": zf, "x": x})["cls"]], [logits])


def test_a_name_that_an_inner_blob_has_is_made_free(tiny, tmp_path):
    """pnnx calls inner blobs 1, 2, 3 ..."""
    done = export(tiny, tmp_path / "out", "--rename", "zf=7", "--rename", "cls=9", "--json")
    assert done.code == 0, done.err
    z, x = images(127, 288)
    zf = extract(load(tmp_path / "out", "lighttrack_init"), {"z": z}, ["7"])[0]
    found = extract(load(tmp_path / "out", "lighttrack_update"), {"7": zf, "x": x}, ["9", "reg"])
    assert_close([zf, *found], answers(tiny, z, x))


def test_names_that_change_places(tiny, tmp_path):
    done = export(tiny, tmp_path / "out", "--rename", "cls=reg", "--rename", "reg=cls")
    assert done.code == 0, done.err
    z, x = images(127, 288)
    zf, logits, reg = answers(tiny, z, x)
    found = extract(load(tmp_path / "out", "lighttrack_update"), {"zf": zf, "x": x}, ["reg", "cls"])
    assert_close(found, [logits, reg])


def test_onnx_models_are_renamed_too(tiny, tmp_path):
    done = export(tiny, tmp_path / "out", "--format", "onnx", "--rename", "zf=output.1", "--rename", "x=745")
    assert done.code == 0, done.err
    z, x = images(127, 288)
    zf = run(tmp_path / "out/lighttrack_init.onnx", {"z": z})["output.1"]
    xf = run(tmp_path / "out/lighttrack_backbone.onnx", {"745": x})["xf"]
    found = run(tmp_path / "out/lighttrack_neck_head.onnx", {"output.1": zf, "xf": xf})
    assert_close([zf, found["cls"], found["reg"]], answers(tiny, z, x))


def test_one_model_stores_the_weights_once(seeded, exported, tmp_path):
    done = export(seeded, tmp_path / "out", "--split", "one", "-q", path_name=MOBILE)
    assert done.code == 0, done.err

    def size(folder):
        return sum(path.stat().st_size for path in folder.iterdir() if path.suffix in (".param", ".bin"))

    assert size(tmp_path / "out") < 0.62 * size(exported[0])


def test_presets_are_listed_without_a_checkpoint():
    done = lt_export("--list-presets")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == preset_names()
    rknn = "rknn                RKNN-Toolkit, three ONNX models named by meaning (onnx, split three, opset 11)"
    assert rknn in done.out.splitlines()


def test_a_failed_export_leaves_the_preset_before_it(made, tiny, tmp_path):
    other = save_seeded(tmp_path / "mobile.pth", MOBILE)
    before = (made["pnnx"] / "manifest.json").read_bytes()
    done = export(other, made["pnnx"], "--preset", "pnnx")
    assert done.code == 3
    assert "the weights fit --path-name back_04502514044521" in done.error_line
    assert (made["pnnx"] / "manifest.json").read_bytes() == before
