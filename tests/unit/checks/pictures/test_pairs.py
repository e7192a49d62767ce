"""Targets that move, made of the package's pictures."""

import numpy as np
import pytest
from comparisons import DIMENSIONS, NETWORK

from converter.checks.pictures.pairs import FURTHEST, SCALES, feeds_of_pairs, pairs_of
from converter.proof.inputs import SHOWN
from converter.spec.model import TrackerModels

SIDE = 128


def found(pair):
    """Where the second frame differs from the first: the least box around old and new place."""
    rows, columns = np.nonzero((pair.first != pair.second).any(2))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_every_picture_moves_over_every_other_one_the_same_each_time():
    pairs, again = list(pairs_of(SIDE)), list(pairs_of(SIDE))
    assert len(pairs) == len(SHOWN) * (len(SHOWN) - 1) == 30
    assert len({pair.name for pair in pairs}) == 30
    for one, other in zip(pairs, again, strict=True):
        assert (one.name, one.box) == (other.name, other.box)
        np.testing.assert_array_equal(one.first, other.first)
        np.testing.assert_array_equal(one.second, other.second)


def test_the_box_is_around_the_target_and_the_target_moves_and_grows():
    sides = []
    for pair in pairs_of(SIDE):
        assert pair.first.dtype == np.uint8
        assert (pair.box.w, pair.box.h) == (SIDE / 2, SIDE / 2)
        left, top, right, bottom = found(pair)
        reach = SIDE / 2 * (FURTHEST + SCALES[1] / 2) + 1
        centre = pair.box.centre
        assert max(centre[0] - left, right - centre[0], centre[1] - top, bottom - centre[1]) <= reach
        sides.append((right - left, bottom - top))
    assert len(set(sides)) > 10


def test_a_picture_shown_nearer_is_nearer():
    names = {pair.name: pair for pair in pairs_of(SIDE)}
    ground = names["'rings' on 'texture'"]
    assert ground.first.shape == ground.second.shape
    assert dict(SHOWN)["texture"] == 3


@pytest.mark.parametrize("sizes", [(127, 288), (64, 128)])
def test_feeds_are_the_crops_that_the_tracker_takes(sizes):
    network = NETWORK.at(*sizes)
    dimensions = DIMENSIONS.__class__(*sizes, 16, 96, sizes[0] // 16 + 1, sizes[1] // 16)
    feeds = feeds_of_pairs(TrackerModels(network, dimensions, ()))
    assert len(feeds) == 30
    for feed in feeds:
        assert {name: array.shape for name, array in feed.tensors.items()} == {
            "z": (1, 3, sizes[0], sizes[0]), "x": (1, 3, sizes[1], sizes[1]),
        }  # fmt: skip
        assert {array.dtype for array in feed.tensors.values()} == {np.dtype(np.float32)}
