"""What no other beats in everything at once."""

from converter.util.front import pareto


def test_what_another_beats_in_everything_is_left_out():
    points = {"small": (1, 9), "fast": (9, 1), "both": (5, 5), "worse": (6, 5), "bad": (9, 9)}
    assert pareto(points) == {"small", "fast", "both"}


def test_equal_points_stay_together():
    assert pareto({"a": (1.0, 2.0), "b": (1.0, 2.0), "c": (1.0, 3.0)}) == {"a", "b"}
    assert pareto({}) == set()
