"""Figures and verdicts of a comparison, against numbers worked out by hand."""

import numpy as np
import pytest

from converter.proof.compare import compare, compare_decision
from converter.report.text import rounded_up
from converter.spec.tensors import Tolerance

EXACT = Tolerance()


def array(*values):
    return np.array(values, dtype=np.float32)


def test_equal_arrays_pass_without_tolerance():
    report = compare("cls", array(1, -2, 3), array(1, -2, 3), EXACT)
    assert report
    assert (report.max_abs, report.mean_abs, report.relative, report.needed_rtol) == (0, 0, 0, 0)
    assert report.cosine == pytest.approx(1)


def test_figures_of_a_known_difference():
    report = compare("reg", array(0, 1, 2, 7), array(0, 1, 4, 8), Tolerance(atol=0.5, rtol=0.25))
    assert (report.name, report.problem) == ("reg", None)
    assert (report.max_abs, report.mean_abs, report.range, report.relative) == (2, 0.75, 8, 0.25)
    assert (report.atol, report.rtol, report.allowed) == (0.5, 0.25, 2.5)
    assert report.needed_rtol == 1.5 / 8
    assert report.cosine == pytest.approx((1 + 8 + 56) / np.sqrt(54 * 81))


def test_difference_of_any_sign_counts():
    assert compare("x", array(-3, 0), array(0, 1), EXACT).max_abs == 3
    assert compare("x", array(3, 0), array(0, 1), EXACT).max_abs == 3


@pytest.mark.parametrize(
    ("tolerance", "passes"),
    [
        (Tolerance(atol=0.5), True),
        (Tolerance(rtol=0.125), True),
        (Tolerance(atol=0.25, rtol=0.0625), True),
        (Tolerance(atol=np.nextafter(0.5, 0)), False),
        (Tolerance(rtol=np.nextafter(0.125, 0)), False),
        (EXACT, False),
    ],
)
def test_difference_may_equal_what_is_allowed_but_not_exceed_it(tolerance, passes):
    assert bool(compare("x", array(0, 4.5), array(0, 4), tolerance)) is passes


def test_tolerance_is_a_share_of_the_reference_range_not_of_its_size():
    assert not compare("x", array(1000, 1001.5), array(1000, 1001), Tolerance(rtol=0.1))
    assert compare("x", array(-50, 59), array(-50, 50), Tolerance(rtol=0.1))


@pytest.mark.parametrize("shape", [(1, 4), (4,), (2, 8), (1, 4, 4), ()])
def test_other_shape_is_a_failure_even_when_it_would_broadcast(shape):
    report = compare("x", np.zeros(shape, np.float32), np.zeros((4, 4), np.float32), Tolerance(atol=1))
    assert not report
    assert report.problem == f"shape {shape}, expected (4, 4)"
    assert report.max_abs is report.cosine is report.needed_rtol is None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_candidate_that_is_not_finite_fails_and_is_counted(bad):
    report = compare("x", array(bad, 1, bad), array(1, 1, 1), Tolerance(atol=1e9))
    assert not report
    assert report.problem == "2 of 3 values are NaN or infinite"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_reference_that_is_not_finite_fails_even_when_equal(bad):
    report = compare("x", array(bad, 1), array(bad, 1), Tolerance(atol=1e9))
    assert not report
    assert report.problem == "the reference holds NaN or infinity"


def test_nothing_to_compare_fails():
    report = compare("x", array(), array(), Tolerance(atol=1))
    assert not report
    assert report.problem == "nothing to compare"


def test_constant_reference_has_no_share_but_can_pass_by_atol():
    report = compare("x", array(5, 5.5), array(5, 5), Tolerance(atol=0.5))
    assert report
    assert (report.range, report.relative, report.needed_rtol) == (0, None, 0)


def test_constant_reference_cannot_be_passed_by_any_rtol():
    report = compare("x", array(5, 5.5), array(5, 5), Tolerance(rtol=1e9))
    assert not report
    assert report.needed_rtol is None


def test_constant_reference_passes_when_met_exactly():
    assert compare("x", array(5, 5), array(5, 5), EXACT)


@pytest.mark.parametrize(
    ("candidate", "reference", "cosine"),
    [
        (array(2, 0), array(1, 0), 1),
        (array(0, 3), array(1, 0), 0),
        (array(-1, -2), array(1, 2), -1),
        (array(0, 0), array(0, 0), 1),
        (array(0, 0), array(0, 1), 0),
        (array(1, 1), array(1, 0), np.sqrt(0.5)),
    ],
)
def test_cosine(candidate, reference, cosine):
    assert compare("x", candidate, reference, EXACT).cosine == pytest.approx(cosine)


def test_figures_are_computed_in_double_precision():
    candidate, reference = np.full((2000, 500), 0.1, np.float32), np.zeros((2000, 500), np.float32)
    assert compare("x", candidate, reference, EXACT).mean_abs == pytest.approx(float(np.float32(0.1)), rel=1e-12)


@pytest.mark.parametrize("atol", [0.0, 1e-4])
def test_needed_rtol_is_the_smallest_that_passes(atol):
    too_small, too_large = [], []
    for seed in range(100):
        random = np.random.default_rng(seed)
        reference = (10 * random.standard_normal(7)).astype(np.float32)
        candidate = reference + (1e-2 * random.standard_normal(7)).astype(np.float32)
        needed = compare("x", candidate, reference, Tolerance(atol=atol)).needed_rtol
        if not compare("x", candidate, reference, Tolerance(atol=atol, rtol=needed)):
            too_small.append(seed)
        if compare("x", candidate, reference, Tolerance(atol=atol, rtol=0.999 * needed)):
            too_large.append(seed)
    assert (too_small, too_large) == ([], [])


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (1.2e-4, "1.2e-04"), (1.21e-4, "1.3e-04"), (9.96e-5, "1.0e-04"), (3.0, "3.0e+00")]
)
def test_tolerance_is_printed_with_two_digits_rounded_up(value, text):
    assert rounded_up(value) == text


def test_printed_tolerance_is_never_below_the_needed_one():
    values = 10 ** np.random.default_rng(0).uniform(-9, 1, 2000)
    assert [value for value in values if not value <= float(rounded_up(value)) <= 1.11 * value] == []


def test_needed_rtol_is_zero_when_atol_alone_passes():
    assert compare("x", array(0, 1.25), array(0, 1), Tolerance(atol=0.5)).needed_rtol == 0


def test_report_as_dict_holds_figures_and_verdict():
    report = compare("x", array(0, 2), array(0, 1), Tolerance(atol=0.5))
    assert report.as_dict()["passed"] is False
    assert report.as_dict()["max_abs"] == 1
    assert compare("x", array(0, 2), array(0, 1), Tolerance(atol=1)).as_dict()["passed"] is True


def scores(**cells):
    map_ = np.zeros((1, 1, 3, 4), np.float32)
    for place, value in cells.items():
        map_[0, 0, int(place[1]), int(place[2])] = value
    return map_


def test_same_best_cell_agrees_whatever_its_score():
    decision = compare_decision("cls", scores(_12=0.25), scores(_12=5))
    assert decision
    assert decision.output == "cls"
    assert (decision.reference, decision.candidate, decision.same, decision.tie) == ((1, 2), (1, 2), True, False)


def test_another_best_cell_fails_and_both_are_named_row_first():
    decision = compare_decision("cls", scores(_20=2), scores(_12=5))
    assert not decision
    assert (decision.reference, decision.candidate, decision.same, decision.tie) == ((1, 2), (2, 0), False, False)
    assert decision.as_dict()["passed"] is False


@pytest.mark.parametrize(("share", "tie"), [(0.0, True), (0.9, True), (1.1, False)])
def test_other_cell_is_a_tie_when_the_reference_scores_it_nearly_as_high(share, tie):
    reference = scores(_12=100, _20=100 * (1 - share * 1e-5)).astype(np.float64)
    decision = compare_decision("cls", scores(_20=1), reference)
    assert (decision.same, decision.tie, bool(decision)) == (False, tie, tie)


def test_tie_looks_at_the_reference_and_not_at_the_candidate():
    assert not compare_decision("cls", scores(_12=5, _20=np.nextafter(np.float32(5), np.float32(6))), scores(_12=5))


def two_maps(first, second):
    found = np.zeros((1, 2, 3, 4), np.float32)
    for index, cell in enumerate((first, second)):
        found[0, index][cell] = 5
    return found


def test_every_score_map_decides_for_itself():
    reference = two_maps((1, 2), (0, 3))
    assert compare_decision("score", reference, reference).reference == (1, 2)
    for wrong, expected in ((two_maps((1, 1), (0, 3)), (1, 2)), (two_maps((1, 2), (2, 0)), (0, 3))):
        decision = compare_decision("score", wrong, reference)
        assert not decision
        assert decision.reference == expected


def test_a_higher_map_does_not_hide_another():
    reference = two_maps((1, 2), (0, 3)) * np.float32([10, 1]).reshape(1, 2, 1, 1)
    assert not compare_decision("score", two_maps((1, 2), (0, 0)) * np.float32([10, 1]).reshape(1, 2, 1, 1), reference)


@pytest.mark.parametrize(("share", "tie"), [(1e-3, True), (1.9e-3, True), (2.1e-3, False), (1e-5, True)])
def test_the_share_of_a_tie_may_be_another(share, tie):
    reference = scores(_12=100, _20=100 * (1 - share)).astype(np.float64)
    decision = compare_decision("cls", scores(_20=1), reference, 2e-3)
    assert (decision.tie, bool(decision), decision.as_dict()["tie"]) == (tie, tie, tie)
    assert not compare_decision("cls", scores(_20=1), scores(_12=100, _20=99.9))


def test_the_share_of_a_tie_is_of_the_references_range():
    reference = scores(_12=100, _20=99.9) + np.float32(1000)
    assert compare_decision("cls", scores(_20=1), reference, 1.1e-3)
    assert not compare_decision("cls", scores(_20=1), reference, 0.9e-3)
    reference[0, 0, 0, 0] = 1090  # the range is ten times smaller
    reference[reference == 1000] = 1090
    assert not compare_decision("cls", scores(_20=1), reference, 1.1e-3)


def test_without_a_tie_only_equal_scores_are_one_decision():
    assert compare_decision("cls", scores(_20=1), scores(_12=5, _20=5), 0.0)
    assert not compare_decision("cls", scores(_20=1), scores(_12=5, _20=4.9999), 0.0)
