"""256 values for the weights of a layer."""

import numpy as np
import pytest

from converter.formats.clusters import clusters


def weights(count=20000, seed=0):
    generator = np.random.default_rng(seed)
    return (generator.standard_normal(count) * generator.random(count)).astype(np.float32)


def error(values, importance, table, indices):
    return float((importance * (table[indices] - values.astype(np.float64)) ** 2).sum())


def test_they_are_nearer_than_equal_steps_and_the_same_each_time():
    values = weights()
    importance = np.ones(len(values))
    table, indices = clusters(values, importance)
    assert (table.dtype, table.shape) == (np.float32, (256,))
    assert (np.diff(table) >= 0).all()
    assert (indices.dtype, indices.shape) == (np.uint8, values.shape)
    steps = np.linspace(values.min(), values.max(), 256)
    even = np.abs(values[:, np.newaxis] - steps).argmin(1)
    assert error(values, importance, table, indices) < 0.5 * error(values, importance, steps, even)
    again = clusters(values.copy(), importance.copy())
    assert np.array_equal(table, again[0])
    assert np.array_equal(indices, again[1])


def test_every_weight_has_the_nearest_value():
    values = weights(3000)
    table, indices = clusters(values, np.ones(3000))
    best = np.abs(values[:, np.newaxis].astype(np.float64) - table).min(1)
    assert np.abs(table[indices] - values.astype(np.float64)) == pytest.approx(best, abs=1e-9)


def test_what_counts_more_is_nearer():
    values, importance = weights(), np.ones(20000)
    importance[::2] = 1000
    table, indices = clusters(values, importance)
    plain = clusters(values, np.ones(20000))
    assert error(values, importance, table, indices) < 0.9 * error(values, importance, *plain)


@pytest.mark.parametrize("values", [[0.0], [3.0] * 10, [1.0, -1.0], list(range(256))])
def test_few_values_are_kept_exactly(values):
    array = np.array(values, np.float32)
    table, indices = clusters(array, np.zeros(len(array)))
    assert np.array_equal(table[indices], array)
