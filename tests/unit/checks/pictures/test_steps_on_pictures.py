"""One step on the package's pictures: figures, limits of each precision, and what becomes of answers without sense."""

import json

import numpy as np
import pytest
from comparisons import NETWORK, models_of

from converter.checks.pictures.steps import PicturesReport, on_pictures
from converter.families.dimensions import dimensions_of
from converter.spec.model import TrackerModels

PAIRS = 30
TRACKER = TrackerModels(NETWORK, dimensions_of(NETWORK), models_of(NETWORK.graph_specs("two", dimensions_of(NETWORK))))
CELLS = TRACKER.dimensions.search_cells


def answer(cell=(8, 8), size=60.0, height=5.0):
    """Scores with a peak in a cell, and boxes of a size around every cell's centre."""
    cls = np.zeros((1, 1, CELLS, CELLS), np.float32)
    cls[0, 0, *cell] = height
    return {"zf": np.zeros(1, np.float32), "cls": cls, "reg": np.full((1, 4, CELLS, CELLS), size / 2, np.float32)}


class Fixed:
    """Answers the same to every crop, but for one pair."""

    def __init__(self, usual, odd=None, at=7):
        self.usual, self.odd, self.at, self.calls = usual, odd or usual, at, -1

    def infer(self, feed):
        self.calls += "x" in feed
        given = self.odd if self.calls == self.at else self.usual
        return {name: given[name] for name in (("cls", "reg") if "x" in feed else ("zf",))}


def result(usual=None, odd=None, precision="w8", expected=None):
    runner = Fixed(usual or answer(), odd)
    models = dict.fromkeys(TRACKER.models, runner)
    return on_pictures("ncnn", TRACKER, precision, models, [expected or answer()] * PAIRS)


def test_the_same_answers_pass_and_are_counted():
    found = result()
    assert found
    assert (found.steps.frames, found.steps.iou_mean, found.steps.other_cells) == (PAIRS, 1.0, 0)
    assert (found.format, found.sizes, found.failure()) == ("ncnn", NETWORK.sizes, "")


def test_the_limits_are_those_of_the_precision():
    smaller = answer(size=59.0)  # overlap 0.967
    assert not result(smaller)
    assert "mean overlap 0.967 in one step" in result(smaller).failure().replace("0.9669", "0.967")
    assert result(answer(size=59.5))  # 0.983
    assert not result(answer(size=59.5), precision="fp32")
    assert result().steps.limits == NETWORK.step_limits("w8")


def test_a_single_pair_decides():
    found = result(odd=answer(size=52.0))  # 0.75 in one of 30
    assert found.steps.iou_mean > 0.97
    assert not found
    assert "on the package's pictures: smallest overlap 0.75" in found.failure()
    assert found.worst == found.names[7]


def test_another_cell_is_another_box_however_near_its_score():
    """As wide a tie as outputs have would compare both boxes in the candidate's cell, and see no difference."""
    near, expected = answer(), answer()
    near["cls"][0, 0, 9, 9], expected["cls"][0, 0, 9, 9] = 5.05, 4.2  # 4e-3 of the range apart
    found = result(near, expected=expected)
    assert found.steps.other_cells == PAIRS
    assert not found


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_answer_that_is_not_finite_fails_and_names_the_pair(value):
    broken = answer()
    broken["reg"][0, 0, 0, 0] = value
    found = result(odd=broken)
    assert not found
    assert found.names[7] in found.failure()
    assert found.steps.frames == PAIRS - 1


def test_a_report_is_true_where_all_are_and_there_is_one():
    good, bad = result(), result(answer(size=30.0))
    assert PicturesReport((good,))
    assert not PicturesReport((good, bad))
    assert PicturesReport((good, bad)).failure() == bad.failure()
    assert not PicturesReport(())
    assert PicturesReport(()).failure() == "no step on the package's pictures was compared"


def test_the_section_names_the_worst_pair_and_the_json_has_the_figures():
    good = result(odd=answer(size=56.0))
    report = PicturesReport((good,))
    section = report.section()
    assert good.worst in section.summary
    assert "over 30 pairs of the package's pictures" in report.sentence()
    (entry,) = json.loads(json.dumps(report.as_dict()))
    assert (entry["passed"], entry["frames"], entry["worst"]) == (True, PAIRS, good.worst)
    assert entry["limits"]["smallest"] == 0.8
    assert PicturesReport(()).section().summary == "Nothing was compared."
