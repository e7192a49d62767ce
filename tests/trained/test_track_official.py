"""lt-track with the trained models beside the official tracker, over the clips, and beside lt-verify."""

import csv

import numpy as np
import pytest

from commands import lt_export, lt_track, lt_verify
from converter.proof.boxes import Box, overlap

CLIPS = {"bag.avi": "312,146,106,98", "cube.mpeg": "186,76,66,66", "face.mp4": "60,12,52,78"}


@pytest.fixture(scope="module")
def trained(shared, tmp_path_factory):
    """The trained tracker in both formats, with the official settings."""
    folder = tmp_path_factory.mktemp("trained") / "export"
    words = ("--search-size", 256, "--format", "ncnn", "--format", "onnx", "--output", folder)
    done = lt_export(shared / "checkpoints/LightTrackM.pth", *words)
    assert done.code == 0, done.err
    return folder


def track_in(path, prefix=""):
    """Boxes and scores of a table."""
    with path.open() as reader:
        rows = list(csv.DictReader(reader))
    boxes = [Box(*(float(row[prefix + name]) for name in "xywh")) for row in rows]
    return boxes, np.array([float(row[prefix + "score"]) for row in rows])


@pytest.mark.parametrize("format", ["ncnn", "onnx"])
@pytest.mark.parametrize("name", CLIPS)
def test_it_tracks_as_the_official_tracker_does(trained, shared, tmp_path, name, format):
    table = tmp_path / "own.csv"
    words = (trained, shared / "clips" / name, "--box", CLIPS[name], "--format", format, "--csv", table)
    done = lt_track(*words)
    assert done.code == 0, done.err
    boxes, scores = track_in(table)
    official, largest = track_in(shared / f"golden/{name.partition('.')[0]}_official_track.csv")
    assert len(boxes) == len(official) > 70
    assert min(map(overlap, boxes, official)) > 0.9998
    # ours is the chosen cell's score, which is the largest in all but a few frames and never above it
    assert (largest - scores).min() > -1e-4
    assert "target never lost" in done.out.splitlines()[0]


@pytest.mark.parametrize("format", ["ncnn", "onnx"])
def test_it_writes_what_lt_verify_writes(trained, shared, tmp_path, format):
    clip, box = shared / "clips/face.mp4", CLIPS["face.mp4"]
    weights = ("--resume", shared / "checkpoints/LightTrackM.pth", "--format", format)
    done = lt_verify(trained, *weights, "--clip", clip, "--box", box, "--tracks", tmp_path / "tracks.csv", "-q")
    assert done.code == 0, done.err
    assert lt_track(trained, clip, "--box", box, "--format", format, "--csv", tmp_path / "own.csv", "-q").code == 0
    own, theirs = track_in(tmp_path / "own.csv"), track_in(tmp_path / "tracks.csv", f"{format}_")
    assert own[0] == theirs[0]
    assert (own[1] == theirs[1]).all()
