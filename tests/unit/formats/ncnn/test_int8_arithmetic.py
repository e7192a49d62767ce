"""The whole numbers of an int8 layer, beside sums that are written out."""

import math

import numpy as np
import pytest

from converter.errors import ConversionError
from converter.formats.ncnn.int8.arithmetic import NEARLY, Kernel, activated, multiply_adds, rounded, sums
from converter.formats.ncnn.layer import Layer


def layer(kind, params):
    return Layer(kind, "a", ("x",), ("y",), tuple(params.split()))


def test_halves_are_rounded_away_from_zero_and_the_range_has_127_on_both_sides():
    values = np.float32([0.5, -0.5, 1.5, -2.5, 0.49, -0.49, 126.5, 200, -128, -1000, 0])
    assert rounded(values, np.float32(1)).tolist() == [1, -1, 2, -3, 0, 0, 127, 127, -127, -127, 0]
    assert rounded(np.float32([0.25, -0.125]), np.float32(2)).tolist() == [1, 0]


def test_the_product_is_rounded_to_float32_before_it_is_to_a_whole_number():
    value, scale = np.float32(0.15), np.float32(10)
    assert float(value) * float(scale) > 1.5 == value * scale
    value, scale = np.float32(0.35), np.float32(10)
    assert float(value) * float(scale) < 3.5 == value * scale
    assert rounded(np.array([value]), scale).tolist() == [4]


def test_the_one_number_below_a_half_to_which_float32_adds_up_to_one():
    values = np.float32([NEARLY, -NEARLY, 0.49999994, 1.4999999])
    assert NEARLY < 0.5 == np.nextafter(np.float32(NEARLY), np.float32(1))
    assert (np.trunc(values + np.float32(0.5) * np.sign(values)) == [1, -1, 0, 1]).all()
    assert rounded(values, np.float32(1)).tolist() == [0, 0, 0, 1]
    assert rounded(values, np.float32(1), nearly_up=True).tolist() == [1, -1, 0, 1]


def convolved(kernel, weights, inputs, outputs):
    """Sums of a convolution, written out; weights (outputs, channels of a group, rows, columns)."""
    (before_row, _), (before_column, _) = kernel.borders(*inputs.shape[1:])
    rows, columns = kernel.outputs(*inputs.shape[1:])
    each = len(inputs) // kernel.groups
    total = np.zeros((outputs, rows, columns))
    for output, row, column in np.ndindex(*total.shape):
        group = output // (outputs // kernel.groups)
        for channel, down, right in np.ndindex(*weights.shape[1:]):
            y = row * kernel.stride[0] + down * kernel.dilation[0] - before_row
            x = column * kernel.stride[1] + right * kernel.dilation[1] - before_column
            if 0 <= y < inputs.shape[1] and 0 <= x < inputs.shape[2]:
                total[output, row, column] += (
                    weights[output, channel, down, right] * inputs[group * each + channel, y, x]
                )
    return total


@pytest.mark.parametrize(
    ("kind", "params", "channels", "size"),
    [
        ("Convolution", "0=5 1=1", 7, (3, 4)),
        ("Convolution", "0=5 1=3 4=1", 2, (6, 5)),
        ("Convolution", "0=4 1=3 11=2 2=2 12=1 3=2 13=1 4=1 15=2 14=0 16=1", 3, (7, 8)),
        ("Convolution", "0=3 1=3 3=2 4=-233", 2, (6, 7)),
        ("Convolution", "0=3 1=3 3=2 4=-234", 2, (6, 7)),
        ("ConvolutionDepthWise", "0=6 1=5 4=2 7=6", 6, (6, 7)),
        ("ConvolutionDepthWise", "0=6 1=3 3=2 4=1 7=6", 6, (7, 6)),
        ("ConvolutionDepthWise", "0=6 1=3 4=1 7=2", 4, (5, 4)),
        ("ConvolutionDepthWise", "0=6 1=3 4=1 7=3", 3, (5, 4)),
    ],
)
def test_sums_of_convolutions(kind, params, channels, size):
    generator = np.random.default_rng(0)
    made = layer(kind, params)
    kernel, outputs = Kernel.of(made), made.param(0)
    weights = generator.integers(-127, 128, (outputs, channels // kernel.groups, *kernel.size))
    inputs = generator.integers(-127, 128, (channels, *size))
    found = sums(made, weights.reshape(-1), inputs)
    assert np.array_equal(found, convolved(kernel, weights, inputs, outputs))
    rows, columns = kernel.outputs(*size)
    assert found.shape == (outputs, rows, columns)
    assert multiply_adds(made, weights.size, inputs.shape) == weights.size * rows * columns


@pytest.mark.parametrize("shape", [(12,), (3, 2, 2), (5, 12)])
def test_sums_of_inner_products(shape):
    generator = np.random.default_rng(0)
    weights, inputs = generator.integers(-127, 128, (4, 12)), generator.integers(-127, 128, shape)
    made = layer("InnerProduct", "0=4 2=48")
    expected = inputs @ weights.T if shape == (5, 12) else weights @ inputs.reshape(12)
    assert np.array_equal(sums(made, weights.reshape(-1), inputs), expected)
    assert multiply_adds(made, 48, shape) == (240 if shape == (5, 12) else 48)


def test_sums_are_exact_where_float32_is_not():
    count = 4097
    found = sums(layer("InnerProduct", f"0=1 2={count}"), np.full(count, 127), np.full(count, 127))
    assert found.tolist() == [count * 127 * 127]
    assert float(np.float32(found[0])) != found[0]


@pytest.mark.parametrize(
    ("params", "values", "expected"),
    [
        ("", [-1, 2], [-1, 2]),
        ("9=1", [-1, 2], [0, 2]),
        ("9=2 -23310=1,0.25", [-1, 2], [-0.25, 2]),
        ("9=3 -23310=2,0.0,6.0", [-1, 2, 7], [0, 2, 6]),
        ("9=4", [0, 100, -1], [0.5, 1 / (1 + math.exp(-88.3762626647949)), 1 / (1 + math.e)]),
        ("9=5", [0, 1, 800], [0, math.tanh(math.log(1 + math.e)), 800]),
        ("9=6 -23310=2,0.2,0.5", [-3, -2.5, -1, 0, 2, 2.5, 4], [0, 0, -0.3, 0, 1.8, 2.5, 4]),
    ],
)
def test_activations(params, values, expected):
    found = activated(np.float64(values), layer("Convolution", params))
    assert found.tolist() == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("params", ["9=7", "9=-1", "9=6 10=0.2", "9=2"])
def test_an_activation_that_ncnn_does_not_have_is_refused(params):
    with pytest.raises(ConversionError, match=r"layer a: activation -?\d with \d parameters, expected one of ncnn's"):
        activated(np.zeros(1), layer("Convolution", params))
