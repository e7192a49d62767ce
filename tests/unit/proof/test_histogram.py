"""How errors are spread: counted by decade, as shares of the reference's range."""

from types import SimpleNamespace

import numpy as np

from converter.proof.histogram import ErrorHistograms

CHECK = SimpleNamespace(format="ncnn", graph="update", how="alone")


def counts(*pairs):
    """Decade to count, of what was observed of one output; decades without a count left out."""
    histograms = ErrorHistograms()
    for candidate, reference in pairs:
        histograms.observe(CHECK, "cls", np.float32(candidate), np.float32(reference))
    (row,) = [one.as_dict() for one in histograms.rows()]
    assert (row["format"], row["graph"], row["how"], row["output"]) == ("ncnn", "update", "alone", "cls")
    return {row["first_decade"] + index: count for index, count in enumerate(row["counts"]) if count}


def test_differences_are_shares_of_the_references_range():
    reference = [0.0, 10.0, 5.0, 5.0]
    assert counts(([0.0, 10.0, 5.0, 5.3], reference)) == {-10: 3, -2: 1}
    assert counts(([0.0, 1000.0, 5.03, 5.3], reference)) == {-10: 1, -3: 1, -2: 1, 0: 1}


def test_several_inputs_are_counted_together():
    assert counts(([0.0, 1.5], [0.0, 1.0]), ([0.0, 1.05], [0.0, 1.0])) == {-10: 2, -2: 1, -1: 1}


def test_what_is_not_finite_is_above_everything():
    assert counts(([0.0, np.nan, np.inf, -np.inf], [0.0, 1.0, 1.0, 1.0])) == {-10: 1, 0: 3}


def test_a_constant_reference_has_the_range_one():
    assert counts(([2.0, 2.02], [2.0, 2.0])) == {-10: 1, -2: 1}


def test_another_shape_is_left_out():
    histograms = ErrorHistograms()
    histograms.observe(CHECK, "cls", np.zeros((2, 1), np.float32), np.zeros((1, 2), np.float32))
    assert histograms.rows() == ()
