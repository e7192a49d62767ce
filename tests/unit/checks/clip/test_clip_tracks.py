"""Tracks as CSV."""

import csv

import pytest
from clips import report, row

from converter.checks.clip.one_step import Step
from converter.checks.clip.tracks import check_tracks, write_tracks
from converter.errors import UsageError


def lines(path):
    return list(csv.reader(path.read_text().splitlines()))


STEP = {"ncnn": Step(0.9995, True, 0.0)}
ROWS = [row(0, ncnn=1.0, onnx=1.0), row(1, STEP, lost=("cut", "jump"), ncnn=0.987654321, onnx=None)]


def test_all_models_side_by_side(tmp_path):
    write_tracks(tmp_path / "t.csv", report(ROWS, onnx="frame 1: gave up"))
    header, first, second = lines(tmp_path / "t.csv")
    values = ("x", "y", "w", "h", "score")
    assert header[:6] == ["frame", *(f"reference_{name}" for name in values)]
    assert header[6:13] == [f"ncnn_{name}" for name in (*values, "iou", "one_step_iou")]
    assert header[13:] == [*(f"onnx_{name}" for name in (*values, "iou", "one_step_iou")), "lost"]
    box = ["20.0000", "30.0000", "40.0000"]
    own = ["10.5000", *box, "0.5000", "1.000000", ""]  # the first frame is given: nobody steps
    assert first == ["0", "10.0000", *box, "0.7500", *own, *own, ""]
    ncnn = ["11.5000", *box, "0.5000", "0.987654", "0.999500"]
    assert second == ["1", "11.0000", *box, "0.7500", *ncnn, *[""] * 7, "cut jump"]


def test_an_earlier_file_is_replaced_and_nothing_else_is_left(tmp_path):
    (tmp_path / "t.csv").write_text("old")
    write_tracks(tmp_path / "t.csv", report(ROWS))
    assert len(lines(tmp_path / "t.csv")) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_a_file_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    for target in (tmp_path / "folder.csv", tmp_path / "none" / "t.csv"):
        for act in (check_tracks, lambda path: write_tracks(path, report(ROWS))):
            with pytest.raises(UsageError, match=f"^--tracks {target}: "):
                act(target)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]
    check_tracks(tmp_path / "t.csv")
