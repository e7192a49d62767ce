"""A low score says that a target is lost."""

import pytest

from converter.track.lost import LowScore


def test_half_of_the_first_score_is_the_limit_by_default():
    low = LowScore()
    assert [low(score) for score in (0.8, 0.41, 0.4, 0.39, 0.9)] == [False, False, False, True, False]


@pytest.mark.parametrize(("limit", "expected"), [(0.0, [False, False]), (0.5, [True, False]), (1.0, [True, False])])
def test_a_limit_of_ones_own_does_not_depend_on_the_first_score(limit, expected):
    low = LowScore(limit)
    assert [low(score) for score in (0.2, 1.0)] == expected
