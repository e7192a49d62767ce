"""Sums in half, step by step, against the same sums written out in numpy."""

import numpy as np
import pytest
import torch

from converter.checks.half.arithmetic import (
    WINOGRADS,
    depthwise_sum,
    halved,
    lane_sum,
    running_sum,
    winograd_bound,
    winograd_for,
    winograd_sum,
)
from converter.checks.half.step import Step, hard_sigmoid, hard_swish


def draw(*shape, seed=0):
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return halved(values)


def stepwise(start, weight, values):
    """One output: half accumulator, exact products, one rounding for each."""
    total = np.float16(start)
    for w, x in zip(weight.tolist(), values.tolist(), strict=True):
        total = np.float16(float(total) + w * x)
    return float(total)


def test_running_sum_rounds_after_every_step():
    weight, values, start = draw(3, 200), draw(200, 5, seed=1), draw(3, seed=2)
    found = running_sum(start, weight, values)
    expected = [[stepwise(start[i], weight[i], values[:, j]) for j in range(5)] for i in range(3)]
    assert found.tolist() == expected
    assert (found - (weight @ values + start[:, None])).abs().max() > 1e-3


def test_product_within_a_step_is_not_rounded():
    x = torch.tensor([[1 + 2**-10]])
    assert running_sum(torch.tensor([-1.0]), x, x).item() == 2**-9  # 2 ** -9 + 2 ** -20, the sum rounded once
    assert running_sum(torch.tensor([-1 - 2**-9]), x, x).item() == 2**-20  # lost if the product were rounded


def test_lane_sum_has_eight_sums_and_adds_them_in_pairs():
    weight, values, start = draw(2, 21), draw(21, seed=1), draw(2, seed=2)
    for i, found in enumerate(lane_sum(start, weight, values).tolist()):
        lanes = [stepwise(start[i] if lane == 0 else 0, weight[i, lane::8], values[lane::8]) for lane in range(8)]
        while len(lanes) > 1:
            lanes = [float(np.float16(a + b)) for a, b in zip(lanes[0::2], lanes[1::2], strict=True)]
        assert found == lanes[0]


@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (1, 2)])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 1)])
@pytest.mark.parametrize("kernel", [(3, 3), (1, 5)])
def test_depthwise_sum_is_the_convolution(stride, dilation, kernel):
    weight, values, start = draw(4, *kernel), draw(4, 12, 11, seed=1), draw(4, seed=2)
    found = depthwise_sum(start, weight, values, stride, dilation)
    exact = torch.nn.functional.conv2d(values[None], weight[:, None], start, stride, 0, dilation, groups=4)[0]
    assert found.shape == exact.shape
    assert 0 < (found - exact).abs().max() < 0.02
    taps = values[2, : kernel[0] * dilation[0] : dilation[0], : kernel[1] * dilation[1] : dilation[1]]
    assert found[2, 0, 0].item() == stepwise(start[2], weight[2].flatten(), taps.flatten())


@pytest.mark.parametrize("step", WINOGRADS)
def test_winograd_is_the_convolution(step):
    winograd = WINOGRADS[step]
    weight, values, start = draw(4, 20, 3, 3), draw(20, 21, 18, seed=1), draw(4, seed=2)
    exact = torch.nn.functional.conv2d(values[None], weight, start)[0]
    tiles = winograd.input @ winograd.tiles(values) @ winograd.input.t()
    kernel = winograd.kernel @ weight @ winograd.kernel.t()
    sums = winograd.output @ torch.einsum("mcij,ctij->mtij", kernel, tiles) @ winograd.output.t()
    assert (winograd.untiled(sums, 19, 16) + start[:, None, None] - exact).abs().max() < 1e-3
    found = winograd_sum(winograd, start, weight, values)
    assert found.shape == exact.shape
    assert 1e-3 < (found - exact).abs().max() < 3
    plain = torch.nn.functional.conv2d(values.abs()[None], weight.abs(), start.abs())
    assert winograd_bound(winograd, start, weight, values) > plain.max()


@pytest.mark.parametrize(
    ("shape", "stride", "step"),
    [
        ((1, 256, 3, 3), (1, 1), 2),
        ((32, 32, 3, 3), (1, 1), 6),
        ((256, 16, 3, 3), (1, 1), 4),
        ((8, 8, 3, 3), (1, 1), None),
        ((32, 32, 3, 3), (2, 2), None),
        ((32, 32, 5, 5), (1, 1), None),
    ],
)
def test_convolution_takes_the_transform_that_ncnn_takes(shape, stride, step):
    assert winograd_for(torch.zeros(shape), stride, (1, 1)) is WINOGRADS.get(step)
    assert winograd_for(torch.zeros(shape), stride, (2, 2)) is None


def test_sums_overflow_to_infinity():
    weight, values = torch.tensor([[300.0, -300.0]]), torch.tensor([[300.0], [300.0]])
    assert (weight @ values).item() == 0
    assert running_sum(torch.zeros(1), weight, values).item() == np.inf
    assert halved(torch.tensor([65519.0, 65520.0])).tolist() == [65504, np.inf]


def test_hard_sigmoid_ends_at_0_and_1():
    values = torch.tensor([-100.0, -2.5, 0.0, 1.0, 2.5, 100.0])
    for half in (False, True):
        step = Step(layer=None, weights={}, inputs=[values], shape=(6,), half=half)
        found = hard_sigmoid(step, values, 0.2, 0.5)
        assert found.tolist() == pytest.approx([0, 0, 0.5, 0.7, 1, 1], abs=1e-3)
        assert hard_swish(step, values, 0.2, 0.5).tolist() == pytest.approx([0, 0, 0, 0.7, 2.5, 100], abs=3e-3)
