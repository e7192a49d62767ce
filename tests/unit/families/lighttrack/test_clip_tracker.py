"""The official procedure, each step against a slow and simple computation of the same."""

import math

import numpy as np
import pytest
from clips import DIMENSIONS, SPEC, START, BrightModel, frame

from converter.errors import UsageError, VerificationError
from converter.families.family import constants_of, family_of
from converter.families.lighttrack.tracking import LightTrackProcedure, corner, score_cells, sigmoid
from converter.families.siamese import Constants, change_penalties, context_side, crop, grid
from converter.proof.boxes import Box
from converter.spec.dimensions import Dimensions

FILL = np.array([10.9, 20.2, 30.5])


def picture(width=20, height=14):
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)


def cut(pixels, centre, side, size):
    return crop(pixels, corner(centre, side), side, size, FILL)


def cut_by_pixel(pixels, centre, side):
    """The crop before it is resized, asked pixel by pixel."""
    left, top = (round(middle - (side + 1) / 2) for middle in centre)
    square = np.zeros((side, side, 3), np.uint8)
    for y in range(side):
        for x in range(side):
            inside = 0 <= top + y < pixels.shape[0] and 0 <= left + x < pixels.shape[1]
            square[y, x] = pixels[top + y, left + x] if inside else FILL.astype(np.uint8)
    return square


@pytest.mark.parametrize("side", [1, 2, 5, 8, 33])
@pytest.mark.parametrize("centre", [(10, 7), (10.5, 6.5), (0, 0), (20, 14), (0, 14), (20, 0), (1.2, 12.9), (18.7, 0.4)])
def test_crop_holds_the_frame_and_one_colour_around_it(centre, side):
    assert np.array_equal(cut(picture(), centre, side, side), cut_by_pixel(picture(), centre, side))


@pytest.mark.parametrize("centre", [(-30, -30), (60, 50), (-30, 7), (10, 90)])
def test_crop_beside_the_frame_is_one_colour(centre):
    assert (cut(picture(), centre, 9, 9) == FILL.astype(np.uint8)).all()


def test_crop_does_not_change_the_frame():
    pixels = picture()
    cut(pixels, (0, 0), 30, 16)
    assert np.array_equal(pixels, picture())


def test_crop_is_resized_as_opencv_does():
    import cv2

    pixels = cut(picture(), (3, 4), 11, 32)
    assert pixels.shape == (32, 32, 3)
    assert np.array_equal(pixels, cv2.resize(cut_by_pixel(picture(), (3, 4), 11), (32, 32)))


def test_grid_has_the_middle_of_the_crop_in_its_middle_cell():
    xs, ys = grid(16, 16, 256)
    assert (xs[8, 8], ys[8, 8]) == (128, 128)
    assert (xs[0, 15], ys[0, 15]) == (240, 0)
    assert (xs[15, 0], ys[15, 0]) == (0, 240)


def test_context_is_a_square_of_the_same_area():
    assert float(context_side(106, 98, 0.5)) == pytest.approx(math.sqrt((106 + 102) * (98 + 102)))
    assert float(context_side(106, 98, 0)) == pytest.approx(math.sqrt(106 * 98))


def test_sigmoid_keeps_to_float32_and_saturates_without_a_word(recwarn):
    values = sigmoid(np.float32([-1000, -2, 0, 2, 1000]))
    assert values.dtype == np.float32
    assert values == pytest.approx([0, 1 / (1 + math.exp(2)), 0.5, 1 / (1 + math.exp(-2)), 1])
    assert not list(recwarn)


def penalty_of_one(width, height, before, k):
    def size(w, h):
        return math.sqrt((w + (w + h) / 2) * (h + (w + h) / 2))

    def times(ratio):
        return ratio if ratio > 1 else 1 / ratio

    worse = times(size(width, height) / size(*before)) * times((before[0] / before[1]) / (width / height))
    return math.exp(-k * (worse - 1))


def test_penalty_of_every_cell():
    sides = np.random.default_rng(1).uniform(1, 90, (2, 4, 4))
    found = change_penalties(*sides, (30.0, 20.0), 0.05)
    for cell in np.ndindex(4, 4):
        assert found[cell] == pytest.approx(penalty_of_one(*sides[(slice(None), *cell)], (30, 20), 0.05))


def test_the_same_box_costs_nothing_and_no_box_everything(recwarn):
    widths, heights = np.array([[30.0, 0.0, 0.0, 5.0, -3.0]]), np.array([[20.0, 0.0, 5.0, 0.0, -2.0]])
    assert change_penalties(widths, heights, (30.0, 20.0), 0.05).tolist() == [[1, 0, 0, 0, 0]]
    assert not list(recwarn)


@pytest.mark.parametrize(("size", "cells"), [(256, 16), (288, 18), (250, 16), (264, 16), (280, 18), (257, 16)])
def test_cells_are_counted_as_the_official_tracker_does(size, cells):
    assert score_cells(size, 16) == cells


def random_answer(seed):
    generator = np.random.default_rng(seed)
    return {
        "cls": generator.normal(0, 2, (1, 1, 8, 8)).astype(np.float32),
        "reg": generator.uniform(0.5, 30, (1, 4, 8, 8)).astype(np.float32),
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


def next_box(answer, box, size, constants):
    """One step, cell by cell in plain Python: (box, score, side of the crop)."""
    template, search, stride, cells = 31, 64, 8, 8
    context = constants.context_amount * (box.w + box.h)
    s_z = math.sqrt((box.w + context) * (box.h + context))
    scale = template / s_z
    best = None
    for i in range(cells):
        for j in range(cells):
            left, top, right, bottom = (float(answer["reg"][0, k, i, j]) for k in range(4))
            w, h = left + right, top + bottom
            score = 1 / (1 + math.exp(-float(answer["cls"][0, 0, i, j])))
            penalty = penalty_of_one(w, h, (box.w * scale, box.h * scale), constants.penalty_k)
            hann = [0.5 - 0.5 * math.cos(2 * math.pi * n / (cells - 1)) for n in (i, j)]
            share = constants.window_influence
            rank = penalty * score * (1 - share) + hann[0] * hann[1] * share
            if best is None or rank > best[0]:
                x = (j - cells // 2) * stride + search // 2 + (right - left) / 2
                y = (i - cells // 2) * stride + search // 2 + (bottom - top) / 2
                best = (rank, x, y, w, h, score, penalty * score * constants.lr)
    _, x, y, w, h, score, rate = best
    sides = []
    for old, new in ((box.w, w / scale), (box.h, h / scale)):
        smoothed = new * rate + (1 - rate) * old
        sides.append(old * (1 - rate) + rate * smoothed)
    centre = (box.centre[0] + (x - search // 2) / scale, box.centre[1] + (y - search // 2) / scale)
    centre = [min(max(value, 0), most) for value, most in zip(centre, size, strict=True)]
    sides = [min(max(value, constants.smallest_side), most) for value, most in zip(sides, size, strict=True)]
    return Box.around(centre, sides), score, s_z * search / template


@pytest.mark.parametrize("seed", range(12))
def test_step_is_what_a_plain_computation_gives(seed):
    constants, answer = constants_of(SPEC, Constants), random_answer(seed)
    model = Scripted(answer)
    tracker = LightTrackProcedure(model, SPEC, DIMENSIONS)
    tracker.start(frame(0), START)
    box = START
    for index in range(1, 6):
        estimate = tracker.step(frame(index))
        box, score, _ = next_box(answer, box, (120, 90), constants)
        assert estimate.box.values == pytest.approx(box.values, rel=1e-6, abs=1e-6)
        assert estimate.score == pytest.approx(score, rel=1e-6)


@pytest.mark.parametrize("box", [START, Box(30, 20, 18, 13)])  # sides of 72.1 and 79.6 pixels
def test_crops_are_cut_around_the_last_box_and_normalised_as_the_config_says(box):
    model = Scripted(random_answer(0))
    spec = SPEC.model_copy(update={"tracker": {**SPEC.tracker, "context_amount": 0.75}})
    tracker = LightTrackProcedure(model, spec, DIMENSIONS)
    first = frame(0)
    tracker.start(first, box)
    fill = first.mean(axis=(0, 1))
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    context = math.sqrt((box.w + 0.75 * (box.w + box.h)) * (box.h + 0.75 * (box.w + box.h)))

    def pixels(tensor):
        return np.rint(tensor[0].transpose(1, 2, 0) * std + mean)

    def around(pixels, side, size):
        return crop(pixels, corner(box.centre, side), side, size, fill)

    assert model.template_crop.shape == (1, 3, 31, 31)
    assert np.array_equal(pixels(model.template_crop), around(first, round(context), 31))
    tracker.step(frame(1))
    side = math.floor(context * 64 / 31 + 0.5)
    assert model.crops[0].shape == (1, 3, 64, 64)
    assert np.array_equal(pixels(model.crops[0]), around(frame(1), side, 64))


def test_a_moving_target_is_followed():
    tracker = family_of(SPEC.family).procedure(BrightModel(), SPEC, DIMENSIONS)
    tracker.start(frame(0), START)
    for index in range(1, 40):
        estimate = tracker.step(frame(index))
        assert estimate.box.centre == pytest.approx((38 + index, 26 + index // 2), abs=1.5)
        assert estimate.score > 0.9


def test_the_box_stays_in_the_frame_and_keeps_its_smallest_side():
    far = {"cls": np.zeros((1, 1, 8, 8), np.float32), "reg": np.zeros((1, 4, 8, 8), np.float32)}
    far["cls"][0, 0, 0, 0] = 50
    far["reg"][0, 0, 0, 0] = 500.0  # its middle is far to the left
    far["reg"][0, 1:, 0, 0] = 0.1
    tracker = LightTrackProcedure(
        Scripted(far), SPEC.model_copy(update={"tracker": {**SPEC.tracker, "window_influence": 0.0}}), DIMENSIONS
    )
    tracker.start(frame(0), Box(30, 20, 11, 11))
    for index in range(1, 30):
        box = tracker.step(frame(index)).box
        assert 0 <= box.centre[0] <= 120
        assert 0 <= box.centre[1] <= 90
        assert 10 <= box.w <= 120
        assert 10 <= box.h <= 90
    assert box.centre[0] == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["cls", "reg"])
def test_an_answer_that_is_not_finite_is_an_error_and_not_a_box(name, value):
    answer = random_answer(0)
    answer[name][0, 0, 7, 7] = value
    tracker = LightTrackProcedure(Scripted(answer), SPEC, DIMENSIONS)
    tracker.start(frame(0), START)
    with pytest.raises(VerificationError, match=f"^1 of {answer[name].size} values of {name} are NaN or infinite$"):
        tracker.step(frame(1))


def test_an_answer_of_another_shape_or_without_a_tensor_is_an_error():
    for answer, words in (
        ({**random_answer(0), "cls": np.zeros((1, 1, 9, 9), np.float32)}, r"cls has shape \(1, 1, 9, 9\), expected"),
        ({"cls": random_answer(0)["cls"]}, "the model gives cls, but no reg"),
    ):
        tracker = LightTrackProcedure(Scripted(answer), SPEC, DIMENSIONS)
        tracker.start(frame(0), START)
        with pytest.raises(VerificationError, match=words):
            tracker.step(frame(1))


def test_a_search_size_that_the_official_code_cannot_use_is_refused():
    dimensions = Dimensions(
        template_size=127, search_size=264, stride=16, channels=96, template_cells=8, search_cells=17
    )
    with pytest.raises(UsageError, match=r"--search-size 264: the official tracker counts 16 cells .* answers with 17"):
        LightTrackProcedure(BrightModel(), SPEC, dimensions)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lr": "fast"}, "tracker.lr: .*'fast'"),
        ({"lr": 1.5}, "tracker.lr: .*1.5"),
        ({"penalty_k": math.nan}, "tracker.penalty_k"),
        ({"smallest_side": 0}, "tracker.smallest_side"),
    ],
)
def test_constants_that_do_not_fit_are_refused(change, words):
    spec = SPEC.model_copy(update={"tracker": {**SPEC.tracker, **change}})
    with pytest.raises(UsageError, match=words):
        constants_of(spec, Constants)


@pytest.mark.parametrize("name", ["penalty_k", "lr", "window_influence", "context_amount", "smallest_side"])
def test_every_constant_comes_from_the_config(name):
    spec = SPEC.model_copy(update={"tracker": {key: value for key, value in SPEC.tracker.items() if key != name}})
    with pytest.raises(UsageError, match=f"tracker.{name}: field required"):
        constants_of(spec, Constants)


def test_constants_are_the_official_ones():
    assert constants_of(SPEC, Constants).model_dump() == {
        "penalty_k": 0.007,
        "lr": 0.616,
        "window_influence": 0.225,
        "context_amount": 0.5,
        "smallest_side": 10,
    }
