"""What says that the reference has lost the target: the picture, its box, its score."""

import numpy as np
import pytest
from clips import frame

from converter.checks.clip.marks import SETTLING, Marks, colours
from converter.families.family import Estimate
from converter.proof.boxes import Box
from converter.track.lost import stretches

HERE, BESIDE, FAR = Box(10, 10, 20, 20), Box(20, 10, 20, 20), Box(60, 10, 20, 20)


def marks(*seen):
    """Of (box, score) in a row, on one picture; the first is given."""
    one = Marks()
    return [one.of(frame(0), Estimate(box, score)) for box, score in seen]


def test_a_steady_track_has_none():
    assert marks((HERE, 1.0), (HERE, 0.9), (BESIDE, 0.46), (HERE, 0.9)) == [()] * 4


def test_a_jump_is_a_box_that_hardly_overlaps_the_one_before():
    assert marks((HERE, 1.0), (FAR, 0.9), (FAR, 0.9)) == [(), ("jump",), ("after",)]
    assert marks((HERE, 1.0), (Box(26, 10, 20, 20), 0.9)) == [(), ()]  # 4 of 36 columns: 0.11
    assert marks((HERE, 1.0), (Box(27, 10, 20, 20), 0.9)) == [(), ("jump",)]  # 3 of 37: 0.08


def test_a_low_score_is_half_of_the_first_that_was_tracked():
    """The first frame's box is given and its score is none."""
    assert marks((HERE, 1.0), (HERE, 0.6), (HERE, 0.31), (HERE, 0.29)) == [(), (), (), ("score",)]


def test_the_frames_after_it_count_as_lost_too():
    found = marks((HERE, 1.0), (HERE, 0.9), (HERE, 0.1), *[(HERE, 0.9)] * (SETTLING + 2))
    assert found == [(), (), ("score",), *[("after",)] * SETTLING, (), ()]
    again = marks((HERE, 1.0), (HERE, 0.9), (HERE, 0.1), (HERE, 0.9), (HERE, 0.1), *[(HERE, 0.9)] * SETTLING)
    assert again[4:] == [("score",), *[("after",)] * SETTLING]


def pictures(*frames):
    one = Marks()
    return [one.of(pixels, Estimate(HERE, 1.0)) for pixels in frames]


def test_a_cut_is_seen_in_the_picture():
    other = np.random.default_rng(1).integers(150, 200, (90, 120, 3), np.uint8)
    assert pictures(frame(0), frame(1), other, other) == [(), (), ("cut",), ("after",)]
    assert pictures(frame(0), np.roll(frame(0), 30, axis=1)) == [(), ()]  # a camera that is jerked


@pytest.mark.parametrize(("share", "cut"), [(0.39, False), (0.41, True)])
def test_a_cut_is_when_two_fifths_of_the_colours_are_others(share, cut):
    before, after = np.zeros((100, 100, 3), np.uint8), np.zeros((100, 100, 3), np.uint8)
    after[: round(100 * share)] = 255
    assert pictures(before, after)[1] == (("cut",) if cut else ())


def test_colours_are_shares():
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[0] = (255, 31, 32)
    found = colours(pixels)
    assert found.shape == (512,)
    assert (found[0], found[7 * 64 + 0 + 1]) == (0.75, 0.25)


def test_frames_in_a_row_are_a_stretch():
    assert stretches([3, 17, 18, 19, 40, 41]) == "3, 17 to 19, 40 to 41"
    assert stretches([]) == ""
