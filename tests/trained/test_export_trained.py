"""The trained tracker exported: files that other code runs, with the official answers."""

import json

import numpy as np
from consumer import assert_close, extract, load, run

from commands import lt_export


def test_the_trained_tracker_in_ncnn(shared, tmp_path):
    done = lt_export("--resume", shared / "checkpoints/LightTrackM.pth", "-o", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["checkpoint"]["epoch"] == 30
    golden = np.load(shared / "golden/lighttrackm_127_288.npz")
    (zf,) = extract(load(tmp_path / "out", "lighttrack_init"), {"z": golden["z"]}, ["zf"])
    update = load(tmp_path / "out", "lighttrack_update")
    answers = extract(update, {"zf": zf, "x": golden["x"]}, ["cls", "reg"])
    assert_close([zf, *answers], [golden[name] for name in ("zf", "cls", "reg")])


def test_the_trained_tracker_in_onnx(shared, tmp_path):
    checkpoint = shared / "checkpoints/LightTrackM.pth"
    done = lt_export("--resume", checkpoint, "-o", tmp_path / "out", "--format", "onnx", "-q")
    assert done.code == 0, done.err
    golden = np.load(shared / "golden/lighttrackm_127_288.npz")
    zf = run(tmp_path / "out/lighttrack_init.onnx", {"z": golden["z"]})["zf"]
    xf = run(tmp_path / "out/lighttrack_backbone.onnx", {"x": golden["x"]})["xf"]
    answers = run(tmp_path / "out/lighttrack_neck_head.onnx", {"zf": zf, "xf": xf})
    assert_close([zf, xf, answers["cls"], answers["reg"]], [golden[name] for name in ("zf", "xf", "cls", "reg")])
