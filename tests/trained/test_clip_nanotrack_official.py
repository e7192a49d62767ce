"""The three trained versions over the clips, beside the boxes of the official tracker."""

import csv

import pytest
from clip_setting import nanotrack_model

from converter.families.family import family_of
from converter.network.load import one_thread
from converter.proof.boxes import Box
from converter.track.frames import open_clip

STARTS = {"bag.avi": Box(312, 146, 106, 98), "cube.mpeg": Box(186, 76, 66, 66), "face.mp4": Box(60, 12, 52, 78)}
ROUNDED = 5e-5  # the golden files have four decimals


@pytest.mark.parametrize("clip", STARTS)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_boxes_and_scores_are_the_official_ones(shared, version, clip):
    with (shared / f"golden/{clip.partition('.')[0]}_nanotrack_v{version}.csv").open() as reader:
        golden = [[float(row[key]) for key in ("x", "y", "w", "h", "score")] for row in csv.DictReader(reader)]
    model, spec, dimensions = nanotrack_model(shared / f"checkpoints/nanotrackv{version}.pth", version)
    tracker = family_of(spec.family).procedure(model, spec, dimensions)
    with one_thread():
        frames = open_clip(shared / "clips" / clip).frames()
        estimates = [tracker.start(next(frames), STARTS[clip]), *map(tracker.step, frames)]
    assert len(estimates) == len(golden) > 70
    for estimate, (*box, score) in zip(estimates, golden, strict=True):
        assert estimate.box.values == pytest.approx(box, rel=0, abs=1e-3)
        assert estimate.score == pytest.approx(score, rel=0, abs=1e-5 + ROUNDED)
