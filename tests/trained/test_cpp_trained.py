"""The C++ tracker around every family's models, on the clips: beside the procedure in Python, frame by frame."""

import json

import pytest
import stark

from commands import lt_cpp, lt_export, lt_verify

STARTS = {"bag.avi": "312,146,106,98", "cube.mpeg": "186,76,66,66", "face.mp4": "60,12,52,78"}
FRAMES = {"bag.avi": 196, "cube.mpeg": 79, "face.mp4": 120}
NETWORKS = {
    "lighttrack": ("LightTrackM.pth", ("--search-size", 256), ("bag.avi", "cube.mpeg", "face.mp4")),
    "three": ("LightTrackM.pth", ("--search-size", 288, "--split", "three"), ("face.mp4",)),
    "one, half": ("LightTrackM.pth", ("--search-size", 256, "--split", "one", "--half"), ("cube.mpeg",)),
    "nanotrack 1": ("nanotrackv1.pth", (), ("bag.avi", "cube.mpeg")),
    "nanotrack 2": ("nanotrackv2.pth", (), ("bag.avi", "face.mp4")),
    "nanotrack 3": ("nanotrackv3.pth", (), ("bag.avi", "cube.mpeg")),
    "stark": (None, ("--arch", stark.ARCH), ("bag.avi",)),
    "stark, masks": (None, ("--arch", stark.ARCH, "--masks"), ("face.mp4",)),
}
FLOOR = 0.99  # mean overlap where each goes its own way


@pytest.fixture(scope="module", params=NETWORKS)
def tracker(shared, ncnn_cpp, request, tmp_path_factory):
    """The export, the C++ tracker that was written for it, and clips."""
    folder = tmp_path_factory.mktemp("cpp")
    name, words, clips = NETWORKS[request.param]
    weights = shared / f"checkpoints/{name}" if name else stark.save(folder / "stark.pth.tar")
    done = lt_export("--resume", weights, "-o", folder / "export", "-q", *words)
    assert done.code == 0, done.err
    assert lt_cpp(folder / "export", "-o", folder / "cpp", "-q").code == 0
    return folder / "export", folder / "cpp", clips


def test_every_frame_is_that_of_python(shared, tracker, ncnn_cpp):
    export, folder, clips = tracker
    for clip in clips:
        words = ("--cpp", folder, "--clip", shared / "clips" / clip, "--box", STARTS[clip], "--json")
        done = lt_verify(export, *words, ncnn_DIR=str(ncnn_cpp))
        assert done.code == 0, done.err
        found = json.loads(done.out)
        assert (found["passed"], found["frames"], found["stage"]) == (True, FRAMES[clip] - 1, None)
        assert found["one_step"]["iou"]["least"] >= 0.9999
        assert found["one_step"]["other_cells"] == 0
        free = found["free"]["iou"]
        assert free["least"] >= 0.9999 if clip == "bag.avi" else free["mean"] >= FLOOR, (clip, free)
