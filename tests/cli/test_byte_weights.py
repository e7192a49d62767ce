"""--precision w8: a byte for each weight, judged by the boxes of one step on the package's pictures."""

import json
import shutil
from functools import partial

import numpy as np
import onnx
import pytest
from clips import save_video
from consumer import export

from commands import lt_verify
from conftest import TINY, contents, save_seeded
from converter.formats.ncnn.weights import HALF, TABLE, load_model
from converter.util.atomic import write

BOTH = ("--format", "ncnn", "--format", "onnx", "--share-weights")


@pytest.fixture(scope="module")
def steady(once):
    """Seeded weights whose best cells stand out, as trained ones do: rounding does not move them."""
    return once("steady.pth", partial(save_seeded, path_name=TINY, seed=2))


@pytest.fixture(scope="module")
def small(steady, tmp_path_factory):
    folder = tmp_path_factory.mktemp("w8") / "tiny"
    done = export(steady, folder, "--precision", "w8", *BOTH, "--golden", folder / "golden", "--json")
    assert done.code == 0, done.err
    return folder, json.loads(done.out)


def ncnn_model(folder, name="update", weights="lighttrack.bin"):
    return load_model(folder / f"lighttrack_{name}.param", folder / weights)


def test_the_manifest_says_w8_and_what_it_was_judged_by(small):
    _, manifest = small
    assert manifest["precision"] == "w8"
    judged = {each["format"]: each for each in manifest["verification"]["pictures"]}
    assert set(judged) == {"ncnn", "onnx"}
    for each in judged.values():
        assert each["passed"]
        assert each["frames"] == 30
        assert (each["limits"]["iou"], each["limits"]["smallest"]) == (0.97, 0.8)
        assert each["iou_mean"] >= 0.97
        assert each["iou_smallest"] >= 0.8
    feeds = manifest["verification"]["feeds"]
    assert {"picture 'rings'", "noise, smooth"} <= {*feeds}
    assert "noise, fine" not in feeds
    assert manifest["verification"]["left_out"].startswith("'noise, fine' was left out: ")


def test_ncnn_weights_are_tables_and_layers_that_pay_halves(small, tiny_export):
    _, stored = ncnn_model(small[0])
    tags = {array.tag: 0 for arrays in stored.arrays for array in arrays}
    for array in (array for arrays in stored.arrays for array in arrays):
        tags[array.tag] += array.count
    assert set(tags) <= {TABLE, HALF, None}
    assert tags[TABLE] > tags[HALF] > 0
    one, two = (sum(path.stat().st_size for path in folder.glob("*.bin")) for folder in (small[0], tiny_export))
    assert one < 0.3 * two


def test_onnx_weights_are_int8_with_a_scale_for_every_channel(small):
    folder, manifest = small
    assert manifest["formats"]["onnx"]["opset"] == 13
    assert manifest["formats"]["onnx"]["session_options"] == {"session.disable_quant_qdq": "1"}
    for name in ("init", "backbone", "neck_head"):
        model = onnx.load(folder / f"lighttrack_{name}.onnx")
        assert model.opset_import[0].version == 13
        onnx.checker.check_model(model, full_check=True)
        tensors = {tensor.name: tensor for tensor in model.graph.initializer}
        widened = [node for node in model.graph.node if node.op_type == "DequantizeLinear"]
        assert widened
        for node in widened:
            weight, scale = (tensors[each] for each in node.input)
            assert (weight.data_type, scale.data_type) == (onnx.TensorProto.INT8, onnx.TensorProto.FLOAT)
            assert list(scale.dims) == [weight.dims[node.attribute[0].i]]


def test_a_second_export_has_the_same_bytes(small, steady, tmp_path):
    again = export(steady, tmp_path / "again", "--precision", "w8", *BOTH, "--golden", tmp_path / "again/golden")
    assert again.code == 0, again.err
    shutil.copytree(small[0], tmp_path / "first")
    for folder in ("first", "again"):
        shutil.rmtree(tmp_path / folder / "golden")
    assert contents(tmp_path / "again") == contents(tmp_path / "first")


def test_verify_reads_the_precision_from_the_files_and_judges_on_the_pictures(small, steady):
    done = lt_verify(small[0], "--resume", steady, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["precision"] == "w8"
    assert [(each["format"], each["passed"]) for each in result["pictures"]] == [("ncnn", True), ("onnx", True)]
    assert any("session.disable_quant_qdq" in line for line in result["notes"])


def test_with_golden_vectors_alone_it_is_verified_in_part(small, tmp_path):
    """Outputs say little of such models, and no box was looked at."""
    page = tmp_path / "report.md"
    done = lt_verify(small[0], "--json", "--report", page)
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert (result["precision"], "pictures" in result) == ("w8", False)
    assert any("only outputs were compared; pass --resume CHECKPOINT for the boxes" in line for line in result["notes"])
    told = lt_verify(small[0])
    assert told.out.startswith("verified in part: the outputs of")
    assert "boxes were not judged, pass --resume CHECKPOINT" in told.out.splitlines()[0]
    text = page.read_text()
    assert "Verified in part" in text.splitlines()[0]
    assert "Boxes on the package's pictures (--resume)" in text


def test_golden_vectors_of_fine_noise_are_left_out_too(small, steady, tmp_path):
    """Those of an export in float32 have it."""
    vectors = tmp_path / "golden"
    assert export(steady, tmp_path / "full", *BOTH, "--golden", vectors).code == 0
    done = lt_verify(small[0], "--golden", vectors, "--json")
    assert done.code == 0, done.err
    feeds = json.loads(done.out)["verification"]["feeds"]
    assert "noise, smooth" in feeds
    assert "noise, fine" not in feeds


def test_loose_files_are_judged_by_boxes_too(small, steady):
    folder = small[0]
    files = [f"--{name}={folder / f'lighttrack_{name}.param'}" for name in ("init", "update")]
    done = lt_verify(*files, "--resume", steady, "--path-name", TINY, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert (result["precision"], result["pictures"][0]["passed"]) == ("w8", True)


def test_the_manifest_cannot_make_other_files_w8(tiny_export, tiny, tmp_path):
    shutil.copytree(tiny_export, tmp_path / "export")
    path = tmp_path / "export/manifest.json"
    path.write_text(path.read_text().replace('"precision": "fp32"', '"precision": "w8"'))
    done = lt_verify(tmp_path / "export", "--resume", tiny, "--json")
    result = json.loads(done.out)
    assert (done.code, result["precision"]) == (1, "fp32")
    assert "pictures" not in result


def test_weights_that_do_not_track_are_refused_with_figures(small, steady, tmp_path):
    """Every table rounded to eight values."""
    shutil.copytree(small[0], tmp_path / "export")
    _, stored = ncnn_model(tmp_path / "export")

    def coarse(index, array):
        if array.tag != TABLE:
            return array
        table = np.frombuffer(array.data, "<f4", 256)
        steps = np.linspace(table[0], table[-1], 8)
        nearest = steps[np.abs(table[:, np.newaxis] - steps).argmin(1)].astype("<f4")
        return array.with_table(nearest, np.frombuffer(array.data, "u1", array.count, 1024))

    write(tmp_path / "export/lighttrack.bin", stored.mapped(coarse).data())
    done = lt_verify(tmp_path / "export", "--resume", steady, "--format", "ncnn", "--rtol", "100", "--json")
    result = json.loads(done.out)
    assert done.code == 1
    assert result["pictures"][0]["passed"] is False
    assert "ncnn at 127/288 on the package's pictures: mean overlap" in done.err + str(result["problems"])


def test_a_clip_is_held_to_its_smallest_overlap_and_its_floor(small, steady, tmp_path):
    clip = save_video(tmp_path / "drawn.avi", 4)
    done = lt_verify(small[0], "--resume", steady, "--clip", clip, "--box", "40,30,20,16", "--json")
    limits = json.loads(done.out)["clip"]["limits"]
    assert limits == {"iou": 0.97, "smallest": 0.8, "score": 0.1, "other_cells": 0.1, "below_floor": 0.04}


def test_models_whose_boxes_are_elsewhere_are_not_published(tiny, tmp_path):
    """A network without a best cell: rounding moves it."""
    done = export(tiny, tmp_path / "export", "--precision", "w8", *BOTH, "--json", "--rtol", "1")
    result = json.loads(done.out)
    assert (done.code, result["error"]["exit_code"]) == (1, 1)
    assert [each["passed"] for each in result["pictures"]] == [True, False]
    assert "onnx at 127/288 on the package's pictures: " in done.err
    assert not (tmp_path / "export").exists()


def test_int8_is_not_for_lt_export(tiny, tmp_path):
    done = export(tiny, tmp_path / "export", "--precision", "int8")
    assert done.code == 2
    assert "--precision int8: int8 arithmetic has to be fitted to clips, which lt-quantize makes" in done.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--format", "onnx", "--opset", "12"),
            "--opset 12 with --precision w8: expected opset 13 or later, for a scale for every channel",
        ),
        (("--preset", "tensorrt", "--opset", "11"), "--opset 11 with --precision w8: expected opset 13 or later"),
        (("--half",), "--precision w8 beside --half: pass one of the two"),
        (("--format", "rknn", "--target", "rk3588"), "--precision w8: an NPU computes in half; leave it out"),
    ],
)
def test_what_does_not_go_together_is_refused(tiny, tmp_path, options, message):
    done = export(tiny, tmp_path / "export", "--precision", "w8", *options)
    assert done.code == 2
    assert message in done.err
    assert not (tmp_path / "export").exists()
