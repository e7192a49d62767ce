"""NanoTrack's procedure, each rule against a slow and simple statement of it."""

import math

import numpy as np
import pytest
from clips import frame

from converter.errors import UsageError, VerificationError
from converter.families.dimensions import dimensions_of
from converter.families.family import constants_of, family_of
from converter.families.nanotrack.tracking import NanoTrackProcedure
from converter.families.siamese import Constants, crop
from converter.proof.boxes import Box
from converter.proof.compare import compare_decision
from converter.spec.config import network_for
from converter.spec.dimensions import Dimensions

FAMILY = family_of("nanotrack")
SPEC = network_for("NanoTrackV1")[1]
INSIDE = SPEC.with_scores("softmax")
START = Box(30, 20, 16, 12)
FRAME = (120, 90)  # width, height
V1, V3 = (dimensions_of(network_for(f"NanoTrackV{version}")[1]) for version in (1, 3))


def answer_of(seed, cells=16):
    generator = np.random.default_rng(seed)
    return {
        "cls": generator.normal(0, 2, (1, 2, cells, cells)).astype(np.float32),
        "loc": generator.uniform(5, 60, (1, 4, cells, cells)).astype(np.float32),
    }


class Scripted:
    """Answers the same to every crop and keeps what it was shown."""

    def __init__(self, answer):
        self.answer, self.template_crop, self.crops = answer, None, []

    def template(self, z):
        self.template_crop = z

    def track(self, x):
        self.crops.append(x)
        return self.answer


def started(answer, box=START, spec=SPEC, dimensions=V1):
    model = Scripted(answer)
    tracker = FAMILY.procedure(model, spec, dimensions)
    tracker.start(frame(0), box)
    return tracker, model


def with_tracker(**constants):
    return SPEC.model_copy(update={"tracker": {**SPEC.tracker, **constants}})


def softmax(background, foreground):
    return math.exp(foreground) / (math.exp(background) + math.exp(foreground))


def padded(w, h):
    return math.sqrt((w + (w + h) / 2) * (h + (w + h) / 2))


def times(ratio):
    return ratio if ratio > 1 else 1 / ratio


def next_state(answer, centre, sides, constants, cells):
    """One step in plain Python, cell by cell: (centre, sides, score)."""
    scale = 127 / padded(*sides)  # the config's context amount is one half
    best = None
    for row in range(cells):
        for column in range(cells):
            left, top, right, bottom = (float(value) for value in answer["loc"][0, :, row, column])
            w, h = left + right, top + bottom
            score = softmax(*(float(value) for value in answer["cls"][0, :, row, column]))
            worse = times(padded(w, h) / padded(sides[0] * scale, sides[1] * scale))
            worse *= times((sides[0] / sides[1]) / (w / h))
            penalty = math.exp((1 - worse) * constants.penalty_k)
            hann = [0.5 - 0.5 * math.cos(2 * math.pi * n / (cells - 1)) for n in (row, column)]
            share = constants.window_influence
            rank = penalty * score * (1 - share) + hann[0] * hann[1] * share
            if best is None or rank > best[0]:
                away = (16 * (column - cells // 2) + (right - left) / 2, 16 * (row - cells // 2) + (bottom - top) / 2)
                best = rank, away, (w, h), score, penalty * score * constants.lr
    _, away, new, score, rate = best
    centre = [min(max(old + shift / scale, 0), most) for old, shift, most in zip(centre, away, FRAME, strict=True)]
    sides = [
        min(max(old + rate * (side / scale - old), 10), most) for old, side, most in zip(sides, new, FRAME, strict=True)
    ]
    return centre, sides, score


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("dimensions", [V1, V3], ids=["16 cells", "15 cells"])
def test_step_is_what_a_plain_computation_gives(seed, dimensions):
    cells = dimensions.score_size
    answer = answer_of(seed, cells)
    tracker, _ = started(answer, dimensions=dimensions)
    centre, sides = (30 + 7.5, 20 + 5.5), (16, 12)
    for index in range(1, 6):
        estimate = tracker.step(frame(index))
        centre, sides, score = next_state(answer, centre, sides, constants_of(SPEC, Constants), cells)
        assert estimate.box.values == pytest.approx(Box.around(centre, sides).values, rel=1e-6, abs=1e-6)
        assert estimate.score == pytest.approx(score, rel=1e-6)


def test_v3_has_fifteen_cells():
    assert (V1.score_size, V3.score_size) == (16, 15)


def test_the_first_box_is_given_back():
    tracker, _ = started(answer_of(0))
    assert tracker.start(frame(0), START).box == START
    assert tracker.start(frame(0), START).score == 1.0


def test_the_sides_follow_once_at_the_rate_of_score_and_penalty():
    cls, loc = np.zeros((1, 2, 16, 16), np.float32), np.ones((1, 4, 16, 16), np.float32)
    cls[0, :, 8, 8] = -1, 3
    tracker, _ = started({"cls": cls, "loc": loc}, Box(30, 20, 40, 40), with_tracker(penalty_k=0.0))
    loc[0, :, 8, 8] = 127 / 4 * 0.75  # half of the context's side is the box, of which three quarters
    assert tracker.read({"cls": cls, "loc": loc}).box.w == pytest.approx(30)
    rate = 0.39 / (1 + math.exp(-4))
    box = tracker.step(frame(1)).box
    assert box.w == pytest.approx(40 - 10 * rate, rel=1e-6)
    assert box.h == pytest.approx(40 - 10 * rate, rel=1e-6)


def around(pixels, centre, side, size):
    """The square, asked pixel by pixel: a half is rounded up."""
    left, top = (math.floor(middle - (side + 1) / 2 + 0.5) for middle in centre)
    square = np.zeros((side, side, 3), np.uint8)
    for y in range(side):
        for x in range(side):
            inside = 0 <= top + y < FRAME[1] and 0 <= left + x < FRAME[0]
            square[y, x] = pixels[top + y, left + x] if inside else frame(0).mean(axis=(0, 1)).astype(np.uint8)
    return crop(square, (0, 0), side, size, np.zeros(3))


# contexts of 32 and 33.05 pixels: search crops of 64.25 and 66.4
@pytest.mark.parametrize("box", [Box(30, 20, 16, 16), Box(31, 20, 17, 16), Box(0, 3, 16, 16), Box(110, 80, 17, 16)])
def test_crops_are_pixels_as_they_are_in_the_order_of_blue_green_red(box):
    tracker, model = started(answer_of(0), box)
    centre = (box.x + (box.w - 1) / 2, box.y + (box.h - 1) / 2)
    context = padded(box.w, box.h)
    tracker.step(frame(1))
    expected = around(frame(0), centre, round(context), 127), around(frame(1), centre, round(context * 255 / 127), 255)
    for shown, pixels in zip((model.template_crop, model.crops[0]), expected, strict=True):
        assert shown.dtype == np.float32
        assert shown.shape == (1, 3, *pixels.shape[:2])
        assert np.array_equal(shown[0], pixels[..., ::-1].transpose(2, 0, 1))


def test_a_half_pixel_is_rounded_up():
    tracker, _ = started(answer_of(0))
    assert [tracker.corner((middle, middle), 4)[0] for middle in (10.0, 11.0, 10.5, 10.4)] == [8, 9, 8, 8]


def test_a_search_crop_of_another_size_shows_as_many_pixels_more():
    spec = SPEC.model_copy(update={"search_size": 319})
    dimensions = dimensions_of(spec)
    tracker, model = started(answer_of(0, dimensions.score_size), Box(30, 20, 16, 16), spec, dimensions)
    tracker.step(frame(1))
    assert model.crops[0].shape == (1, 3, 319, 319)
    assert np.array_equal(
        model.crops[0][0], around(frame(1), (37.5, 27.5), round(32 * 319 / 127), 319)[..., ::-1].transpose(2, 0, 1)
    )


def test_scores_inside_the_graph_are_taken_as_they_are():
    answer = answer_of(3)
    whole = np.exp(answer["cls"].astype(np.float64))
    inside = {**answer, "cls": (whole / whole.sum(axis=1, keepdims=True)).astype(np.float32)}
    (outside, _), (within, _) = started(answer), started(inside, spec=INSIDE)
    for index in range(1, 4):
        a, b = outside.step(frame(index)), within.step(frame(index))
        assert a.box.values == pytest.approx(b.box.values, rel=1e-5)
        assert a.score == pytest.approx(b.score, rel=1e-5)


def test_scores_saturate_without_a_word(recwarn):
    answer = answer_of(0)
    answer["cls"][0, 0], answer["cls"][0, 1] = 500, -500
    tracker, _ = started(answer)
    assert tracker.step(frame(1)).score == 0
    assert not list(recwarn)


def test_reading_says_what_a_cell_proposes_and_changes_nothing():
    answer = answer_of(5)
    tracker, _ = started(answer)
    reading = tracker.read(answer)
    assert reading.ranks.shape == (1, 1, 16, 16)
    best = tuple(int(index) for index in np.unravel_index(int(reading.ranks.argmax()), (16, 16)))
    assert tracker.read(answer, best).box == reading.box
    left, top, right, bottom = (float(value) for value in answer["loc"][0, :, 2, 11])
    other, scale = tracker.read(answer, (2, 11)), 127 / padded(16, 12)
    assert other.box.w == pytest.approx((left + right) / scale)
    assert other.box.centre[0] == pytest.approx(37.5 + (16 * 3 + (right - left) / 2) / scale)
    assert other.box.centre[1] == pytest.approx(25.5 + (16 * -6 + (bottom - top) / 2) / scale)
    assert other.score == pytest.approx(softmax(*map(float, answer["cls"][0, :, 2, 11])), rel=1e-6)
    assert tracker.follow(answer, frame(1)).score == reading.score


def test_the_box_stays_in_the_frame_and_keeps_its_smallest_side():
    far = {"cls": np.zeros((1, 2, 16, 16), np.float32), "loc": np.full((1, 4, 16, 16), 0.1, np.float32)}
    far["cls"][0, 1, 0, 0] = 50
    far["loc"][0, 0, 0, 0] = 500.0
    tracker, _ = started(far, Box(30, 20, 11, 11), with_tracker(window_influence=0.0, penalty_k=0.0))
    for index in range(1, 20):
        box = tracker.step(frame(index)).box
        assert 0 <= box.centre[0] <= 120
        assert 0 <= box.centre[1] <= 90
        assert 10 <= box.w <= 120
        assert 10 <= box.h <= 90
    assert box.centre[0] == 0
    assert box.h == 10


@pytest.mark.parametrize("name", ["cls", "loc"])
def test_an_answer_that_cannot_be_used_is_an_error_and_not_a_box(name):
    broken = answer_of(0)
    broken[name][0, 1, 7, 7] = math.nan
    for answer, words in (
        (broken, f"^1 of {broken[name].size} values of {name} are NaN or infinite$"),
        ({**answer_of(0), name: answer_of(0, 15)[name]}, rf"{name} has shape .*15, 15\), expected .*16, 16\)"),
        ({key: value for key, value in answer_of(0).items() if key != name}, f"but no {name}"),
    ):
        tracker, _ = started(answer)
        with pytest.raises(VerificationError, match=words):
            tracker.step(frame(1))


@pytest.mark.parametrize("name", list(Constants.model_fields))
def test_every_constant_comes_from_the_config(name):
    spec = SPEC.model_copy(update={"tracker": {key: value for key, value in SPEC.tracker.items() if key != name}})
    with pytest.raises(UsageError, match=f"tracker.{name}: field required"):
        NanoTrackProcedure(Scripted(None), spec, V1)


def test_the_best_cell_is_where_foreground_is_farthest_above_background():
    answer = answer_of(1)
    answer["cls"][0, :, 3, 4] = 0, 19  # the largest difference
    answer["cls"][0, :, 10, 10] = 50, 51  # the largest foreground
    left, top, right, bottom = (float(value) for value in answer["loc"][0, :, 3, 4])
    best = FAMILY.best(answer, SPEC, V1)
    assert best.box == pytest.approx((-64 - left, -80 - top, -64 + right, -80 + bottom))
    assert best.score == pytest.approx(softmax(0, 19), rel=1e-6)


def test_the_best_cell_of_scores_inside_the_graph():
    answer = answer_of(1)
    answer["cls"] = np.full((1, 2, 16, 16), 0.5, np.float32)
    answer["cls"][0, :, 3, 4] = 0.125, 0.875
    best = FAMILY.best(answer, INSIDE, V1)
    assert best.score == 0.875
    assert best.box[0] == pytest.approx(-64 - float(answer["loc"][0, 0, 3, 4]))


def test_without_both_outputs_of_one_size_and_finite_there_is_no_best_cell():
    answer, bad = answer_of(1), answer_of(2)
    bad["loc"][0, 0, 0, 0] = math.inf
    for outputs in (
        {"cls": answer["cls"]},
        {"loc": answer["loc"]},
        {**answer, "cls": answer["cls"][:, :1]},
        {**answer, "loc": answer_of(1, 15)["loc"]},
        bad,
    ):
        assert FAMILY.best(outputs, SPEC, V1) is None


def test_score_maps_tell_cells_apart_where_the_softmax_is_one_in_float32():
    cls = np.zeros((1, 2, 16, 16), np.float32)
    cls[0, 1] = 40
    cls[0, 1, 5, 6], cls[0, 0, 9, 9] = 41, -3
    maps = FAMILY.score_maps(cls)
    assert maps.shape == (1, 1, 16, 16)
    assert np.unravel_index(int(maps.argmax()), maps.shape)[2:] == (9, 9)
    assert maps[0, 0, 5, 6] == 41
    assert len(np.unique(np.exp(maps) / (1 + np.exp(maps)))) < 3  # what the probabilities would say


def test_the_decision_is_the_softmax_s_and_not_a_channel_s():
    generator = np.random.default_rng(4)
    for _ in range(20):
        cls = generator.normal(0, 3, (1, 2, 16, 16)).astype(np.float32)
        whole = np.exp(cls.astype(np.float64))
        shares = whole[0, 1] / whole[0].sum(axis=0)
        best = tuple(int(index) for index in np.unravel_index(int(shares.argmax()), (16, 16)))
        decision = compare_decision("cls", FAMILY.score_maps(cls), FAMILY.score_maps(cls))
        assert decision.reference == best


def test_cells_are_those_of_the_network():
    dimensions = Dimensions(127, 255, 16, 48, 8, 16, {"score_cells": 12})
    tracker, _ = started(answer_of(0, 12), dimensions=dimensions)
    assert tracker.step(frame(1)).box.finite
