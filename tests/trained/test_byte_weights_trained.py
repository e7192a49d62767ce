"""--precision w8 with the trained trackers: the bytes, the boxes on pictures and on a clip, and what is refused."""

import json
import shutil

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from commands import lt_export, lt_verify
from converter.formats.ncnn.weights import TABLE, load_model
from converter.util.atomic import write

MOST = 2.4e6  # bytes of a format's models
FACE = "60,12,52,78"


@pytest.fixture(scope="module")
def small(shared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("w8") / "lighttrack"
    words = ("--precision", "w8", "--share-weights", "--format", "ncnn", "--format", "onnx", "--json")
    done = lt_export(shared / "checkpoints/LightTrackM.pth", "-o", folder, *words)
    assert done.code == 0, done.err
    return folder, json.loads(done.out)


@pytest.fixture
def changed(small, tmp_path):
    return shutil.copytree(small[0], tmp_path / "changed")


@pytest.mark.parametrize("suffixes", [(".param", ".bin"), (".onnx", ".data")])
def test_a_format_is_less_than_a_fifth_of_float32(small, suffixes):
    assert sum(path.stat().st_size for path in small[0].iterdir() if path.suffix in suffixes) < MOST


def test_boxes_are_where_the_networks_are(small):
    judged = {each["format"]: each for each in small[1]["verification"]["pictures"]}
    assert judged.keys() == {"ncnn", "onnx"}
    for each in judged.values():
        assert each["iou_mean"] > 0.99
        assert each["iou_smallest"] > 0.97
        assert each["other_cells"] == 0


def test_a_clip_is_followed(small, shared):
    checkpoint, clip = shared / "checkpoints/LightTrackM.pth", shared / "clips/face.mp4"
    done = lt_verify(small[0], "--resume", checkpoint, "--clip", clip, "--box", FACE, "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)["clip"]
    assert report["floor"]["iou_mean"] > 0.95
    for candidate in report["candidates"]:
        steps = candidate["one_step"]["judged"]
        assert steps["iou_mean"] > 0.985
        assert steps["iou_smallest"] > 0.95
        assert candidate["iou"]["mean"] > report["floor"]["iou_mean"] - 0.04


def refused(folder, shared, format):
    """What is said of changed files: their outputs pass with any tolerance, so that the boxes decide."""
    words = ("--format", format, "--rtol", "1000", "--json")
    done = lt_verify(folder, "--resume", shared / "checkpoints/LightTrackM.pth", *words)
    assert done.code == 1
    result = json.loads(done.out)
    (judged,) = result["pictures"]
    assert judged["passed"] is False
    assert any("on the package's pictures: " in problem for problem in result["problems"])


def tables_of(graph, stored):
    """Indices of the layers with a table."""
    return [index for index in range(len(graph.layers)) if any(array.tag == TABLE for array in stored.arrays[index])]


def test_a_table_of_zeros_is_refused(changed, shared):
    """Of one layer in the middle."""
    graph, stored = load_model(changed / "lighttrack_update.param", changed / "lighttrack.bin")
    tables = tables_of(graph, stored)
    middle = tables[len(tables) // 2]

    def silent(index, array):
        if index != middle or array.tag != TABLE:
            return array
        return array.with_table(np.zeros(256, np.float32), np.frombuffer(array.data, "u1", array.count, 1024))

    write(changed / "lighttrack.bin", stored.mapped(silent).data())
    refused(changed, shared, "ncnn")


def test_one_value_of_a_table_that_is_far_off_is_refused(changed, shared):
    """Of a convolution in the middle: the value of most weights, fifty times as far from zero as the farthest."""
    graph, stored = load_model(changed / "lighttrack_update.param", changed / "lighttrack.bin")
    middle = [index for index in tables_of(graph, stored) if graph.layers[index].type == "Convolution"]

    def far(index, array):
        if index != middle[len(middle) // 2] or array.tag != TABLE:
            return array
        table, indices = (
            np.frombuffer(array.data, "<f4", 256).copy(),
            np.frombuffer(array.data, "u1", array.count, 1024),
        )
        table[np.bincount(indices, minlength=256).argmax()] = 50 * np.abs(table).max()
        return array.with_table(table, indices)

    write(changed / "lighttrack.bin", stored.mapped(far).data())
    refused(changed, shared, "ncnn")


def test_scales_that_are_off_are_refused(changed, shared):
    """Those of all weights of the head, by a third."""
    path = changed / "lighttrack_neck_head.onnx"
    model = onnx.load(path, load_external_data=True)
    for scale in [tensor for tensor in model.graph.initializer if tensor.name.endswith("_scale")]:
        scale.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(scale) * np.float32(4 / 3), scale.name))
    onnx.save(model, path)
    refused(changed, shared, "onnx")


@pytest.mark.parametrize("version", [1, 2, 3])
def test_nanotrack(shared, tmp_path, version):
    words = ("--arch", f"NanoTrackV{version}", "--precision", "w8", "--format", "ncnn", "--format", "onnx", "--json")
    done = lt_export(shared / f"checkpoints/nanotrackv{version}.pth", "-o", tmp_path / "export", *words)
    assert done.code == 0, done.err
    for each in json.loads(done.out)["verification"]["pictures"]:
        assert each["iou_mean"] > 0.98
        assert each["iou_smallest"] > 0.9
