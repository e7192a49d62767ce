"""The trained versions' exports on clips, through the command line."""

import json

import pytest

from commands import lt_export, lt_verify

ANOTHER = {"nanotrackv1.pth": "cube.mpeg", "nanotrackv2.pth": "face.mp4", "nanotrackv3.pth": "cube.mpeg"}
STARTS = {"bag.avi": "312,146,106,98", "cube.mpeg": "186,76,66,66", "face.mp4": "60,12,52,78"}


@pytest.fixture(scope="module", params=[1, 2, 3])
def exported(shared, request, tmp_path_factory):
    """The checkpoint and its export in both formats; not to be changed."""
    checkpoint = shared / f"checkpoints/nanotrackv{request.param}.pth"
    folder = tmp_path_factory.mktemp("clip") / f"v{request.param}"
    done = lt_export(checkpoint, "--format", "ncnn", "--format", "onnx", "-o", folder, "-q")
    assert done.code == 0, done.err
    return checkpoint, folder


def on_clip(shared, exported, clip):
    """What was found of every format: in one step, and free running."""
    checkpoint, folder = exported
    options = ("--clip", shared / "clips" / clip, "--box", STARTS[clip], "--json")
    done = lt_verify(folder, "--resume", checkpoint, *options)
    assert done.code == 0, done.err
    candidates = json.loads(done.out)["clip"]["candidates"]
    assert {candidate["name"] for candidate in candidates} == {"ncnn", "onnx"}
    return candidates


def test_exports_follow_the_official_tracker_over_a_clip_for_good(shared, exported):
    for candidate in on_clip(shared, exported, "bag.avi"):
        assert candidate["one_step"]["judged"]["frames"] == 195
        assert candidate["one_step"]["judged"]["iou_mean"] >= 0.9999
        assert candidate["iou"]["mean"] >= 0.9999


def test_exports_take_the_steps_of_the_official_tracker(shared, exported):
    for candidate in on_clip(shared, exported, ANOTHER[exported[0].name]):
        judged = candidate["one_step"]["judged"]
        assert (judged["iou_mean"] >= 0.9999, judged["other_cells"]) == (True, 0)
