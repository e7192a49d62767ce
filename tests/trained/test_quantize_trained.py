"""lt-quantize with the trained tracker on the beginnings of two clips: int8 models that follow."""

import json
from itertools import islice

import cv2
import pytest

from commands import lt_quantize, lt_verify
from converter.track.frames import open_clip

FRAMES = 24
CLIPS = (("bag.avi", "312,146,106,98"), ("cube.mpeg", "186,76,66,66"))
FAST = ("--samples", 12, "--frames", 6)


@pytest.fixture(scope="module")
def words(shared, tmp_path_factory):
    """The trained tracker and the first frames of two clips."""
    folder = tmp_path_factory.mktemp("clips")
    words = [shared / "checkpoints/LightTrackM.pth", *FAST, "--json"]
    for name, box in CLIPS:
        (folder / name).mkdir()
        for index, frame in enumerate(islice(open_clip(shared / "clips" / name).frames(), FRAMES)):
            assert cv2.imwrite(str(folder / name / f"{index}.png"), frame[..., ::-1])
        words += ["--clip", folder / name, "--box", box]
    return words


@pytest.fixture(scope="module")
def small(words, tmp_path_factory):
    folder = tmp_path_factory.mktemp("int8") / "small"
    done = lt_quantize(*words, "-o", folder)
    assert done.code == 0, done.err
    return folder, json.loads(done.out)


def test_int8_follows_two_targets_in_less_than_a_third_of_the_bytes(small):
    points = {point["name"]: point for point in small[1]["points"]}
    chosen = points[small[1]["chosen"]]
    assert chosen["bytes"] < 0.3 * points["fp32"]["bytes"]
    assert chosen["int8_share"] > 0.5
    for each in (*chosen["clips"], *chosen["left_out"]):
        assert each["passed"]
        assert each["one_step_mean"] >= 0.97
        assert each["one_step_smallest"] >= 0.8
        assert each["free_running_mean"] >= each["floor"] - 0.04
    assert points["fp32"]["clips"][0]["one_step_mean"] > 0.9999


def test_lt_verify_agrees_on_a_clip(small, shared):
    clip = ("--clip", shared / "clips/bag.avi", "--box", CLIPS[0][1], "--json")
    done = lt_verify(small[0], "--resume", shared / "checkpoints/LightTrackM.pth", *clip)
    report = json.loads(done.out)["clip"]
    assert report["limits"]["smallest"] == 0.8
    assert report["candidates"][0]["one_step"]["judged"]["iou_mean"] > 0.96
    assert report["candidates"][0]["passed"] == (done.code == 0)
