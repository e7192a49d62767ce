"""Ranges of eight bits for what tensors hold."""

import numpy as np
import pytest

from converter.formats.onnx.ranges import Histogram, Range, best_range


def counted(values):
    histogram = Histogram.between(float(values.min()), float(values.max()))
    for part in np.array_split(values.astype(np.float32), 3):
        histogram.add(part)
    return histogram


def loss(values, span):
    return float(np.square(span.rounded(values.astype(np.float32)) - values).mean())


def test_a_range_has_zero_in_it_and_no_end_beyond_what_was_asked():
    for low, high in ((0, 6), (-1, 1), (-3, -1), (2, 5), (-0.2784, 11.3)):
        span = Range.between(low, high)
        bottom, top = (float(end) for end in span.ends)
        assert span.rounded(np.zeros(1, np.float32)) == 0
        assert top - bottom <= max(high, 0) - min(low, 0)
        assert bottom >= min(low, 0) - span.scale
        assert top <= max(high, 0) + span.scale
    assert float(Range.between(0, 6).ends[1]) <= 6


def test_nothing_but_zeros_has_a_range():
    span = best_range(counted(np.zeros(9)))
    assert (span.scale, span.zero) == (1.0, 0)
    assert not span.rounded(np.zeros(3, np.float32)).any()


def test_every_number_is_counted_once():
    values = np.random.default_rng(0).standard_normal(5000)
    assert counted(values).counts.sum() == 5000


@pytest.mark.parametrize("seed", range(3))
def test_rare_large_numbers_are_cut_off_where_that_loses_less(seed):
    generator = np.random.default_rng(seed)
    values = np.concatenate([generator.standard_normal(200000), [12.0, -12.0]])
    found, whole = best_range(counted(values)), Range.between(values.min(), values.max())
    assert loss(values, found) < 0.9 * loss(values, whole)
    others = [Range.between(values.min() * low, values.max() * high) for low in (0.2, 0.5) for high in (0.2, 0.5)]
    assert loss(values, found) <= 1.05 * min(loss(values, other) for other in others)


def test_even_numbers_keep_their_range():
    span = best_range(counted(np.linspace(-2, 3, 10001)))
    assert span.ends == pytest.approx((-2, 3), abs=0.05)
