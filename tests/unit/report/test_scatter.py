"""Points in a plane: the numbers at its axes."""

import pytest

from converter.report.charts.scatter import _steps


@pytest.mark.parametrize("most", [1, 3, 7, 10])
@pytest.mark.parametrize("values", [[21.4, 82.0], [0.5, 0.57], [0.9951, 1.0], [3.0], [0.0], [0.01, 1e6], [-2.0, 5.0]])
def test_steps_are_round_and_reach_from_end_to_end_without_leaving_what_can_be(values, most):
    steps = _steps(values, most)
    step = steps[1] - steps[0]
    assert len(steps) >= 2
    assert steps[0] <= min(values)
    assert steps[-1] >= max(values)
    assert all(abs(number / step - round(number / step)) < 1e-6 for number in steps)
    assert min(values) < 0 or steps[0] >= 0
    assert len(steps) <= max(3, most) + 2


def test_an_overlap_of_one_ends_the_axis():
    assert _steps([0.9951, 1.0], 7)[-1] == 1.0
