"""Ranges of int8: the least error, whatever order numbers come in, and nothing blown up."""

import numpy as np
import pytest

from converter.formats.ncnn.int8.ranges import Histogram, input_scale, weight_scales


def normal(count, channels=1, seed=0, spread=1.0):
    values = np.random.default_rng(seed).standard_normal((channels, count)) * spread
    return values.astype(np.float32)


def error(values, end, levels=127):
    step = end / levels
    off = values - np.clip(np.rint(values / step), -levels, levels) * step
    return float((off.astype(np.float64) ** 2).sum())


def range_of(*parts, weights=None):
    histogram = Histogram()
    for part in parts:
        histogram.add(part, np.ones(len(part)) if weights is None else weights)
    return histogram.range()


@pytest.mark.parametrize("outlier", [0, 10, 40])
def test_no_other_end_is_much_better(outlier):
    values = normal(100000)
    values[0, 0] = outlier or values[0, 0]
    found = range_of(values)
    best = min(error(values, end) for end in np.linspace(0.02, 1, 300) * np.abs(values).max())
    assert error(values, found) < 1.01 * best
    assert found < np.abs(values).max()
    if outlier == 40:
        assert found < 32  # the outlier is cut off


def test_the_sum_of_parts_is_the_whole():
    values = normal(6000)
    whole = range_of(values)
    assert range_of(values[:, :100], values[:, 100:5000], values[:, 5000:]) == pytest.approx(whole, rel=0.02)
    assert range_of(values[:, :3000] / 64, values[:, 3000:]) == pytest.approx(
        range_of(values[:, 3000:], values[:, :3000] / 64), rel=0.02
    )
    assert range_of(values) == whole


def test_a_channel_counts_as_much_as_its_weights():
    values = np.concatenate([normal(5000), normal(5000, seed=1, spread=30)])
    small, both, large = (range_of(values, weights=np.float64(each)) for each in ([1, 0], [1, 1], [0, 1]))
    assert small < 0.3 * large
    assert both == pytest.approx(large, rel=0.1)
    assert range_of(values, weights=np.float64([1, 1e-6])) < 0.5 * large


def test_zeros_count_for_nothing():
    values = normal(5000)
    padded = np.concatenate([values, np.zeros((1, 500000), np.float32)], 1)
    assert range_of(padded) == range_of(values)
    assert range_of(np.zeros((2, 9), np.float32)) == 0
    assert Histogram().range() == 0
    assert input_scale(0) == 1
    assert input_scale(254) == np.float32(0.5)
    assert input_scale(1).dtype == np.float32


@pytest.mark.parametrize("size", [1e-38, 1e-30, 1e30])
def test_ranges_of_any_size(size):
    assert range_of(normal(3000) * np.float32(size)) == pytest.approx(range_of(normal(3000)) * size, rel=0.1)


@pytest.mark.parametrize("levels", [127, 31])
def test_weights_have_the_scale_with_the_least_error(levels):
    weights = normal(2000, channels=8)
    weights[3, 0] = 9
    scales = weight_scales(weights, np.ones_like(weights), levels)
    assert scales.dtype == np.float32
    for channel, scale in zip(weights, scales, strict=True):
        largest = float(np.abs(channel).max())
        errors = [error(channel, share * largest, levels) for share in np.linspace(0.2, 1, 200)]
        assert error(channel, levels / scale, levels) < 1.05 * min(errors)
        assert levels / scale <= largest * 1.0001
    assert (np.abs(weights).max(1) * scales).max() > levels  # one at least is cut off


def test_weights_that_count_more_are_nearer():
    weights = normal(2000)
    weights[0, 0] = 6
    least = np.full_like(weights, 1e-9)
    most = least.copy()
    most[0, 0] = 1
    assert 31 / weight_scales(weights, most, 31)[0] == pytest.approx(6, rel=1e-4)
    assert 31 / weight_scales(weights, np.ones_like(weights), 31)[0] < 5.5


def test_channels_of_next_to_nothing_are_not_blown_up():
    weights = normal(50, channels=4)
    weights[1] = 0
    weights[2] *= 1e-30
    scales = weight_scales(weights, np.ones_like(weights), 127)
    assert np.isfinite(scales).all()
    assert scales.max() < 127 * 2**21 / np.abs(weights).max()
    assert weight_scales(np.zeros((3, 5), np.float32), np.ones((3, 5)), 127).tolist() == [1, 1, 1]
