"""One step: two answers read by a tracker in one state; figures of many, and their limits."""

import numpy as np
import pytest
from clips import DIMENSIONS, SPEC, START, BrightModel, frame

from converter.checks.clip.models import NoisyModel, SharedModel
from converter.checks.clip.one_step import Step, one_step, steps_of
from converter.families.family import Reading, family_of
from converter.proof.boxes import Box
from converter.spec.tensors import StepLimits, Tolerance

LIMITS = StepLimits(iou=0.9, score=0.01, other_cells=0.1)


@pytest.fixture
def tracker():
    """In the first frame, with the answer of the reference in the second."""
    model = BrightModel()
    procedure = family_of(SPEC.family).procedure(model, SPEC, DIMENSIONS)
    procedure.start(frame(0), START)
    return procedure, model.track(*procedure.look(frame(1)))


def test_the_box_is_the_one_before_smoothing(tracker):
    procedure, answer = tracker
    reading = procedure.read(answer)
    assert reading.box.values == pytest.approx((31, 20, 16, 12), abs=2)  # frame 1's rectangle
    large = {**answer, "reg": 2 * answer["reg"]}
    assert procedure.read(large).box.w == pytest.approx(2 * reading.box.w)
    assert procedure.follow(large, frame(1)).box.w < 1.9 * START.w  # the size follows slowly


def test_reading_leaves_the_tracker_where_it_is(tracker):
    procedure, answer = tracker
    first = procedure.read(answer)
    one_step(procedure, {**answer, "reg": 3 * answer["reg"]}, answer, 1e-5)
    assert procedure.read(answer).box == first.box
    assert one_step(procedure, answer, answer, 1e-5) == Step(1.0, True, 0.0)


def test_an_answer_that_is_off_overlaps_less(tracker):
    procedure, answer = tracker
    step = one_step(procedure, {**answer, "reg": answer["reg"] * np.float32(1.05)}, answer, 1e-5)
    assert step.iou == pytest.approx(1 / 1.05**2, abs=0.01)
    assert step.same_cell


class Cells:
    """A procedure whose cells have boxes that share nothing."""

    def read(self, answer, cell=None):
        row, column = cell or np.unravel_index(int(answer["cls"].argmax()), answer["cls"].shape[-2:])
        return Reading(Box(100.0 * column + answer["shift"], 100.0 * row, 50, 50), 0.5, answer["cls"])


def scores(first, second):
    maps = np.zeros((1, 1, 2, 2), np.float32)
    maps[0, 0, 0, 0], maps[0, 0, 1, 1] = first, second
    return maps


def test_cells_that_rank_alike_are_the_same_decision_and_compared_in_one_cell():
    reference = {"cls": scores(1.0, 0.999), "shift": 0}
    other = {"cls": scores(0.999, 1.0), "shift": 1}
    step = one_step(Cells(), other, reference, tie=0.01)
    assert step.same_cell
    assert step.iou == pytest.approx(49 / 51)
    step = one_step(Cells(), other, reference, tie=1e-5)
    assert (step.iou, step.same_cell) == (0.0, False)


def test_a_box_without_area_overlaps_itself():
    """A network that tracks nothing gives some; two of them are no mismatch."""

    class Empty:
        def read(self, answer, cell=None):
            return Reading(Box(5.0 + answer["shift"], 5, 0, 0), 0.5, answer["cls"])

    answers = [{"cls": scores(1, 0), "shift": shift} for shift in (0.0, 0.0, 3.0)]
    assert one_step(Empty(), answers[1], answers[0], 1e-5).iou == 1.0
    assert one_step(Empty(), answers[2], answers[0], 1e-5).iou == 0.0


def test_figures_of_several_frames():
    steps = steps_of({3: Step(0.9, True, 0.0), 5: Step(1.0, True, 0.01), 9: Step(0.8, False, 0.002)}, LIMITS)
    assert (steps.frames, steps.iou_smallest, steps.iou_smallest_frame, steps.other_cells) == (3, 0.8, 9, 1)
    assert steps.iou_mean == pytest.approx(0.9)
    assert (steps.score_max, steps.score_mean) == (0.01, pytest.approx(0.004))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (Step(0.0, True, 0.0), "mean overlap 0.899 in one step over 10 frames, expected 0.9 or more (smallest 0.00 in"),
        (Step(1.0, True, 0.0101), "the score is off by 1.1e-02, expected 0.01 or less"),
    ],
)
def test_each_limit_decides(changed, reason):
    frames = {index: Step(0.999 if changed.iou < 1 else 0.95, True, 0.01) for index in range(9)}
    good = steps_of({**frames, 9: Step(0.95, False, 0.01)}, LIMITS)
    assert good  # one of ten may choose another cell
    bad = steps_of({**frames, 9: changed}, LIMITS)
    assert not bad
    assert reason in "".join(bad.reasons())
    assert len(bad.reasons()) == 1


def test_a_single_frame_decides_where_the_limits_say_so():
    frames = {index: Step(1.0, True, 0.0) for index in range(9)}
    limits = StepLimits(iou=0.9, smallest=0.8)
    assert steps_of({**frames, 9: Step(0.8, True, 0.0)}, limits)
    bad = steps_of({**frames, 9: Step(0.799, True, 0.0)}, limits)
    assert bad.reasons() == ["smallest overlap 0.799 in one step, in frame 9, expected 0.8 or more"]
    assert steps_of({**frames, 9: Step(0.0, True, 0.0)}, StepLimits(iou=0.9))


def test_one_more_frame_with_another_cell_than_allowed_fails():
    frames = {index: Step(1.0, index > 1, 0.0) for index in range(10)}
    bad = steps_of(frames, LIMITS)
    assert bad.reasons() == ["another best cell in 2 frames, expected in 1 or less"]
    assert not bad


def test_nothing_compared_is_no_pass():
    nothing = steps_of({}, LIMITS)
    assert not nothing
    assert nothing.reasons() == ["no frame was compared"]


def test_noise_is_as_large_as_the_tolerance_and_no_larger():
    answer = {"cls": np.linspace(0, 10, 20000, dtype=np.float32), "reg": np.zeros(5, np.float32)}

    class Fixed:
        def track(self, x, mask=None):
            return answer

    tolerances = {"cls": Tolerance(atol=0.5, rtol=0.1)}
    noisy = [NoisyModel(Fixed(), tolerances, seed).track(np.zeros(1)) for seed in (0, 0, 1)]
    off = noisy[0]["cls"] - answer["cls"]
    assert 1.49 < np.abs(off).max() <= 1.5 + 1e-5
    assert abs(off.mean()) < 0.02
    assert noisy[0]["cls"].dtype == np.float32
    assert np.array_equal(noisy[0]["cls"], noisy[1]["cls"])
    assert not np.array_equal(noisy[0]["cls"], noisy[2]["cls"])
    assert noisy[0]["reg"] is answer["reg"]


def test_a_crop_seen_in_this_frame_is_not_run_again():
    class Counting:
        calls = 0

        def track(self, x, mask=None):
            self.calls += 1
            return {"cls": x + (0 if mask is None else mask)}

    counting = Counting()
    shared, crop, mask = SharedModel(counting), np.zeros((1, 3)), np.ones((1, 3))
    first = shared.track(crop)
    assert shared.track(crop.copy()) is first
    assert shared.saved > 0
    assert shared.track(crop, mask) is not first
    assert shared.track(crop + 1) is not first
    assert counting.calls == len(shared.seconds) == 3
    shared.next_frame()
    shared.track(crop)
    assert counting.calls == 4
