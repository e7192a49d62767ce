"""What a comparison of a C++ tracker says of its frames."""

from dataclasses import replace
from pathlib import Path

import pytest

from converter.checks.cpp.report import CppReport, Frame
from converter.checks.cpp.stages import Difference
from converter.families.family import Estimate
from converter.proof.boxes import Box

BOX = Box(10.0, 20.0, 40.0, 30.0)
SEEN = Estimate(BOX, 0.9)
SAME = Frame(1, SEEN, SEEN, SEEN, True)


def report(*frames, difference=None, problem=None):
    return CppReport(Path("cpp"), "clip", BOX, frames, difference, problem)


def moved(x, score=0.9):
    return Estimate(Box(10.0 + x, 20.0, 40.0, 30.0), score)


def test_frames_that_are_the_same_pass():
    found = report(SAME, replace(SAME, index=2))
    assert found
    assert found.as_dict()["one_step"] == {"iou": {"least": 1.0, "mean": 1.0}, "score_max": 0.0, "other_cells": 0}


def test_where_each_goes_its_own_way_nothing_is_judged():
    assert report(replace(SAME, free=moved(30)))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (report(), "no frame was compared"),
        (report(SAME, replace(SAME, index=2, step=moved(0.01))), "frame 2: one step overlaps by 0.9995"),
        (report(replace(SAME, step=moved(0, 0.9002))), "scores differ by 0.0002 in one step"),
        (report(SAME, replace(SAME, index=7, same_cell=False)), "frame 7: one step chose another best cell"),
        (report(SAME, problem="it ended by signal 11"), "it ended by signal 11"),
        (
            report(SAME, difference=Difference(3, "window", "ranks", 0.5, 0.25)),
            "the first stage that differs is window",
        ),
    ],
)
def test_what_does_not_pass_says_why(found, said):
    assert not found
    assert said in found.failure()
