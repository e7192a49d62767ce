"""STARK-Lightning's procedure, against a plain computation of the same."""

import math

import numpy as np
import pytest
from clips import frame
from stark import ARCH, FAMILY, SMALL

from converter.errors import UsageError, VerificationError
from converter.families.family import constants_of, family_of
from converter.families.stark.tracking import Constants, StarkProcedure, certainty, clipped, crop, crop_side
from converter.proof.boxes import Box
from converter.spec.config import network_for

SPEC = network_for(ARCH)[1]
MASKED = SPEC.model_copy(update={"masks": True})
DIMENSIONS = FAMILY.dimensions("any", **SMALL)
FILL = np.array([10.9, 20.2, 30.5])
START = Box(30, 20, 16, 12)


def picture(width=20, height=14):
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)


def by_pixel(pixels, box, factor):
    """The square before it is resized, asked pixel by pixel, and where it is outside."""
    side = math.ceil(math.sqrt(box.w * box.h) * factor)
    left, top = round(box.x + box.w / 2 - side / 2), round(box.y + box.h / 2 - side / 2)
    square, outside = np.zeros((side, side, 3), np.uint8), np.ones((side, side), bool)
    height, width = pixels.shape[:2]
    # where the square reaches the last column or row of the frame, the official code leaves that out
    columns, rows = (length - (first + side >= length) for first, length in ((left, width), (top, height)))
    for y in range(side):
        for x in range(side):
            outside[y, x] = not (0 <= top + y < rows and 0 <= left + x < columns)
            square[y, x] = FILL.astype(np.uint8) if outside[y, x] else pixels[top + y, left + x]
    return square, outside


@pytest.mark.parametrize("factor", [1.0, 2.0, 5.0])
@pytest.mark.parametrize(
    "box", [Box(8, 5, 4, 4), Box(0, 0, 4, 3), Box(16, 11, 4, 3), Box(7.3, 4.9, 3.2, 5.1), Box(-2, 9.5, 5, 5)]
)
def test_crop_holds_the_frame_and_one_colour_around_it(box, factor):
    square, outside = by_pixel(picture(), box, factor)
    cut = crop(picture(), box, factor, len(square), FILL)
    assert crop_side(box, factor) == len(square)
    assert np.array_equal(cut.pixels, square)
    assert np.array_equal(cut.outside, outside)


def test_crop_beside_the_frame_is_one_colour():
    cut = crop(picture(), Box(60, 50, 4, 4), 2.0, 8, FILL)
    assert (cut.pixels == FILL.astype(np.uint8)).all()
    assert cut.outside.all()


def test_crop_is_resized_as_opencv_does_and_what_touches_the_outside_is_outside():
    import cv2

    square, outside = by_pixel(picture(), Box(0, 0, 4, 4), 5.0)
    cut = crop(picture(), Box(0, 0, 4, 4), 5.0, 32, FILL)
    assert np.array_equal(cut.pixels, cv2.resize(square, (32, 32)))
    assert np.array_equal(cut.outside, cv2.resize(outside.astype(float), (32, 32)) > 0)


def test_a_box_without_area_is_an_error():
    with pytest.raises(VerificationError, match="no area"):
        crop(picture(), Box(3, 3, 0, 4), 2.0, 32, FILL)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (Box(10, 20, 30, 40), (10, 20, 30, 40)),
        (Box(-10, -20, 30, 40), (0, 0, 20, 20)),
        (Box(90, 70, 30, 40), (90, 70, 10, 20)),
        (Box(200, 300, 5, 5), (90, 80, 10, 10)),
        (Box(-100, 40, 20, 3), (0, 40, 10, 10)),
        (Box(50, 50, -20, 4), (50, 50, 10, 10)),
    ],
)
def test_the_box_is_cut_off_at_the_frame(box, expected):
    assert clipped(box, 100, 90, 10).values == expected


def test_certainty_is_that_of_the_less_certain_corner():
    scores = np.zeros((2, 4, 4), np.float32)
    assert certainty(scores) == pytest.approx(1 / 16)
    scores[0, 1, 1] = 1000
    assert certainty(scores) == pytest.approx(1 / 16)
    scores[1, 2, 3] = math.log(16)
    assert certainty(scores) == pytest.approx(16 / 31)


class Scripted:
    """Answers one box after the other and keeps what it was shown."""

    def __init__(self, boxes=((0.5, 0.5, 0.2, 0.2),), score=0.0):
        self.boxes, self.score, self.shown = list(boxes), score, []

    def template(self, *crop):
        self.shown.append(crop)

    def track(self, *crop):
        box = self.boxes[(len(self.shown) - 1) % len(self.boxes)]
        self.shown.append(crop)
        return {"box": np.float32([box]), "score": np.full((1, 2, 8, 8), self.score, np.float32)}


def test_crops_are_factors_of_the_box():
    model = Scripted()
    tracker = family_of(SPEC.family).procedure(model, SPEC, DIMENSIONS)
    assert tracker.start(frame(0), START).box == START
    tracker.step(frame(1))
    (z,), (x,) = model.shown
    assert (z.shape, x.shape) == ((1, 3, 64, 64), (1, 3, 128, 128))
    fill = frame(0).mean(axis=(0, 1))
    for shown, factor, of in ((z, 2.0, frame(0)), (x, 5.0, frame(1))):
        pixels = crop(of, START, factor, shown.shape[-1], fill).pixels
        expected = (pixels / 255 - SPEC.preprocess.mean) / SPEC.preprocess.std
        assert np.allclose(shown[0], expected.transpose(2, 0, 1), atol=1e-5)


def test_the_answer_is_a_fraction_of_the_crop():
    tracker = StarkProcedure(Scripted([(0.6, 0.4, 0.3, 0.2)]), SPEC, DIMENSIONS)
    tracker.start(frame(0), START)
    side = math.ceil(math.sqrt(16 * 12) * 5)
    found = tracker.step(frame(1))
    assert found.box.centre == pytest.approx((38 + 0.1 * side, 26 - 0.1 * side), abs=1e-4)
    assert (found.box.w, found.box.h) == pytest.approx((0.3 * side, 0.2 * side), abs=1e-4)
    assert found.score == pytest.approx(1 / 64)


def test_a_box_that_leaves_the_frame_is_cut_off_there():
    tracker = StarkProcedure(Scripted([(0.0, 0.0, 0.5, 0.5)]), SPEC, DIMENSIONS)
    tracker.start(frame(0), START)
    found = tracker.step(frame(1))
    side = math.ceil(math.sqrt(16 * 12) * 5)
    right, bottom = 38 - side / 2 + side / 4, 26 - side / 2 + side / 4
    assert found.box.values == pytest.approx((0, 0, max(10, right), max(10, bottom)), abs=1e-4)
    assert tracker.box == found.box


def test_with_masks_the_outside_is_black_and_marked():
    model = Scripted()
    tracker = StarkProcedure(model, MASKED, DIMENSIONS)
    box = Box(100, 2, 18, 12)  # in the upper right corner
    tracker.start(frame(0), box)
    tracker.step(frame(0))
    for (image, mask), cells, factor in zip(model.shown, (4, 8), (2.0, 5.0), strict=True):
        assert mask.shape == (1, cells**2)
        assert mask.dtype == np.float32
        assert set(np.unique(mask)) == {0, 1}
        cut = crop(frame(0), box, factor, cells * 16, np.zeros(3))
        assert np.array_equal(mask.reshape(cells, cells) == 1, cut.outside[::16, ::16])
        black = -np.array(SPEC.preprocess.mean) / SPEC.preprocess.std
        assert np.allclose(image[0, :, 0, -1], black, atol=1e-5)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_answer_that_is_not_finite_is_an_error_and_not_a_box(value):
    for model, name in ((Scripted([(value, 0.5, 0.1, 0.1)]), "box"), (Scripted(score=value), "score")):
        tracker = StarkProcedure(model, SPEC, DIMENSIONS)
        tracker.start(frame(0), START)
        with pytest.raises(VerificationError, match=f"values of {name} are NaN or infinite"):
            tracker.step(frame(1))


def test_an_answer_of_another_shape_or_without_a_tensor_is_an_error():
    class Other(Scripted):
        def __init__(self, answer):
            super().__init__()
            self.answer = answer

        def track(self, *crop):
            return self.answer

    box = np.zeros((1, 4), np.float32)
    for answer, words in (
        ({"box": box}, "the model gives box, but no score"),
        ({"box": box, "score": np.zeros((1, 2, 9, 9), np.float32)}, r"score has shape \(1, 2, 9, 9\), expected"),
    ):
        tracker = StarkProcedure(Other(answer), SPEC, DIMENSIONS)
        tracker.start(frame(0), START)
        with pytest.raises(VerificationError, match=words):
            tracker.step(frame(1))


@pytest.mark.parametrize("name", ["template_factor", "search_factor", "margin"])
def test_every_constant_comes_from_the_config(name):
    assert constants_of(SPEC, Constants).model_dump() == {"template_factor": 2.0, "search_factor": 5.0, "margin": 10}
    spec = SPEC.model_copy(update={"tracker": {key: value for key, value in SPEC.tracker.items() if key != name}})
    with pytest.raises(UsageError, match=f"tracker.{name}: field required"):
        constants_of(spec, Constants)


def test_the_procedure_is_found_by_the_family():
    assert isinstance(family_of(SPEC.family).procedure(Scripted(), SPEC, DIMENSIONS), StarkProcedure)
