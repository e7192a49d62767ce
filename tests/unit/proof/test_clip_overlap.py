"""Boxes from the command line, and how much two overlap."""

import numpy as np
import pytest

from converter.errors import UsageError
from converter.proof.boxes import Box, check_box, overlap, parse_box


def counted(a, b):
    """The overlap of boxes with whole corners, by counting pixels."""
    masks = np.zeros((2, 40, 40), bool)
    for mask, box in zip(masks, (a, b), strict=True):
        mask[box.y : box.y + box.h, box.x : box.x + box.w] = True
    return (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (Box(0, 0, 10, 10), Box(5, 5, 10, 10)),
        (Box(0, 0, 10, 10), Box(2, 3, 4, 5)),
        (Box(2, 3, 4, 5), Box(0, 0, 30, 30)),
        (Box(0, 0, 10, 10), Box(10, 0, 10, 10)),
        (Box(0, 0, 10, 10), Box(25, 25, 3, 3)),
        (Box(0, 0, 10, 10), Box(25, 2, 3, 3)),
        (Box(0, 0, 10, 10), Box(2, 25, 3, 3)),
        (Box(1, 7, 12, 3), Box(6, 2, 3, 20)),
    ],
)
def test_overlap_is_the_share_of_pixels(a, b):
    assert overlap(a, b) == pytest.approx(counted(a, b))
    assert overlap(a, b) == overlap(b, a)


def test_a_box_overlaps_itself_by_exactly_one():
    for values in np.random.default_rng(0).uniform(0.1, 500, (200, 4)):
        assert overlap(Box(*values), Box(*values)) == 1.0


def test_a_box_around_a_point_has_it_in_its_middle():
    box = Box.around((10, 20), (6, 4))
    assert box == Box(7, 18, 6, 4)
    assert box.centre == (10, 20)


@pytest.mark.parametrize("text", ["312,146,106,98", " 312, 146 ,106,98 ", "312.0,1.46e2,106,98"])
def test_box_is_read(text):
    assert parse_box(text) == Box(312, 146, 106, 98)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "four numbers"),
        ("1,2,3", "four numbers"),
        ("1,2,3,4,5", "four numbers"),
        ("1 2 3 4", "four numbers"),
        ("a,b,c,d", "four numbers"),
        ("1,2,,4", "four numbers"),
        ("1,2,nan,4", "finite"),
        ("inf,2,3,4", "finite"),
        ("1,2,0,4", "width and height are 0 and 4"),
        ("1,2,3,-4", "more than 0"),
    ],
)
def test_what_is_no_box_is_refused(text, words):
    with pytest.raises(UsageError, match=r"^--box ") as caught:
        parse_box(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("box", [Box(0, 0, 480, 360), Box(-20, -20, 50, 50), Box(470, 350, 20, 20), Box(5, 5, 1, 1)])
def test_box_in_the_frame_is_accepted(box):
    check_box(box, (480, 360))


@pytest.mark.parametrize(
    ("box", "words"),
    [
        (Box(1000, 10, 20, 20), "outside the frame, which has 480x360"),
        (Box(10, 400, 20, 20), "outside the frame"),
        (Box(-100, 10, 20, 20), "outside the frame"),
        (Box(-10, 10, 500, 20), "larger than the frame"),
        (Box(10, 10, 20, 0.5), "smaller than a pixel"),
    ],
)
def test_box_that_no_tracker_can_start_from_is_refused(box, words):
    with pytest.raises(UsageError, match=words):
        check_box(box, (480, 360))
