"""The trained tracker's exports on clips, through the command line: chaos passes, an error does not."""

import json
import shutil
from itertools import islice

import cv2
import numpy as np
import pytest
from clip_setting import Setting

from commands import lt_export, lt_verify
from conftest import MOBILE
from converter.proof.boxes import Box
from converter.track.frames import open_clip

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FACE = Box(60, 12, 52, 78)  # in frames of 176x144


@pytest.fixture(scope="module")
def checkpoint(shared):
    return shared / "checkpoints/LightTrackM.pth"


@pytest.fixture(scope="module")
def export(checkpoint, tmp_path_factory):
    """Not to be changed."""
    folder = tmp_path_factory.mktemp("clip") / "export"
    done = lt_export(checkpoint, "-o", folder, "-q")
    assert done.code == 0, done.err
    return folder


@pytest.fixture(scope="module")
def spliced(shared, tmp_path_factory):
    """A folder of pictures: 12 frames of a face, then 18 of a bag."""
    folder = tmp_path_factory.mktemp("clip") / "spliced"
    folder.mkdir()
    frames = [frame for name, count in (("face.mp4", 12), ("bag.avi", 18)) for frame in first(shared, name, count)]
    for index, frame in enumerate(frames):
        assert cv2.imwrite(str(folder / f"{index}.png"), cv2.resize(frame, (480, 360))[..., ::-1])
    return folder


def first(shared, name, count):
    return list(islice(open_clip(shared / "clips" / name).frames(), count))


def on_clip(export, checkpoint, clip, *options):
    box = f"{60 * 480 / 176},{12 * 2.5},{52 * 480 / 176},{78 * 2.5}"
    done = lt_verify(export, "--resume", checkpoint, "--clip", clip, "--box", box, "--json", *options)
    return done, json.loads(done.out)["clip"]


def test_an_exact_export_passes_where_its_own_track_cannot_be_compared(export, checkpoint, spliced, tmp_path):
    done, clip = on_clip(export, checkpoint, spliced, "--tracks", tmp_path / "t.csv", "--report", tmp_path / "r.md")
    assert done.code == 0, done.err
    assert clip["lost_frames"][0] == 12
    assert "cut" in clip["frames"][12]["lost"]
    (candidate,) = clip["candidates"]
    held, lost = candidate["one_step"]["held"], candidate["one_step"]["lost"]
    assert held["frames"] + lost["frames"] == 29
    assert lost["frames"] >= 11
    for steps in (held, lost):  # from one state there is no chaos, lost or not
        assert steps["iou_smallest"] > 0.9999
        assert steps["other_cells"] == 0
        assert steps["score_max"] < 1e-5
    assert clip["floor"]["iou_smallest"] < 0.99  # what noise of the tolerance's size costs by itself
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert lines[0].endswith(",ncnn_one_step_iou,lost")
    assert [line.rpartition(",")[2] != "" for line in lines[1:]] == [
        index in clip["lost_frames"] for index in range(30)
    ]
    assert "The reference has lost the target in" in (tmp_path / "r.md").read_text()


def test_outputs_that_are_off_by_a_twentieth_fail(export, checkpoint, spliced, tmp_path):
    wrong = shutil.copytree(export, tmp_path / "wrong")
    path = wrong / "lighttrack_update.param"
    text = path.read_text()
    assert text.count("2=16.0") == 1
    path.write_text(text.replace("2=16.0", "2=16.8"))
    done, clip = on_clip(wrong, checkpoint, spliced)
    assert done.code == 1
    assert not clip["passed"]
    assert 0.85 < clip["candidates"][0]["one_step"]["held"]["iou_mean"] < 0.95
    assert "mean overlap 0.9" in done.error_line


def test_half_weights_are_judged_as_half(checkpoint, spliced, tmp_path):
    done = lt_export(checkpoint, "-o", tmp_path / "half", "--half", "-q")
    assert done.code == 0, done.err
    done, clip = on_clip(tmp_path / "half", checkpoint, spliced)
    assert done.code == 0, done.err
    assert clip["min_iou"] == 0.9995
    held = clip["candidates"][0]["one_step"]["held"]
    assert 0.9997 < held["iou_mean"] < 0.99999
    assert held["score_max"] < 2e-4
    done, clip = on_clip(tmp_path / "half", checkpoint, spliced, "--min-iou", "0.99999")
    assert done.code == 1
    assert clip["min_iou"] == 0.99999


class Shown:
    """The right models, shown crops that were prepared otherwise."""

    def __init__(self, model, change):
        self.model, self.change = model, change

    def template(self, z, mask=None):
        self.model.template(self.change(z), mask)

    def track(self, x, mask=None):
        return self.model.track(self.change(x), mask)


def test_wrong_preprocessing_fails(export, checkpoint, shared, tmp_path):
    setting = Setting(checkpoint, MOBILE, 288)
    mean, std = (np.array(values, np.float32).reshape(1, 3, 1, 1) for values in (MEAN, STD))
    changes = {
        "exchanged": lambda crop: np.ascontiguousarray(((crop * std + mean)[:, ::-1] - mean) / std, np.float32),
        "without": lambda crop: crop * std + mean,
    }
    clip = tmp_path / "face"
    clip.mkdir()
    for index, frame in enumerate(first(shared, "face.mp4", 12)):
        assert cv2.imwrite(str(clip / f"{index}.png"), frame[..., ::-1])
    models = {
        name: Shown(setting.candidate(export, "ncnn", "two"), change)
        for name, change in {"right": lambda crop: crop, **changes}.items()
    }
    right, *wrong = setting.run(clip, FACE, models).candidates
    assert right
    assert right.held.frames == 11
    for candidate in wrong:
        assert not candidate
        assert candidate.held.iou_mean < 0.99


def test_a_stream_does_not_say_how_long_it_is(shared):
    assert [open_clip(shared / "clips" / name).length for name in ("bag.avi", "cube.mpeg")] == [196, 0]
