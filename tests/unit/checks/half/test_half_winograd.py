"""Winograd's transforms are those of a 3x3 convolution, and bound it."""

import pytest
import torch

from converter.checks.half.winograd import WINOGRADS, winograd_bound, winograd_for


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("step", WINOGRADS)
def test_winograd_is_the_convolution(step):
    winograd = WINOGRADS[step]
    size = 3 * step + 2  # three tiles on a side
    weight, values, start = draw(4, 20, 3, 3), draw(20, size, size, seed=1), draw(4, seed=2)
    exact = torch.nn.functional.conv2d(values[None], weight, start)[0]
    tiles = winograd.input @ winograd.tiles(values) @ winograd.input.t()
    kernel = winograd.kernel @ weight @ winograd.kernel.t()
    outputs = winograd.output @ torch.einsum("mcij,ctij->mtij", kernel, tiles) @ winograd.output.t()
    across = outputs.reshape(4, 3, 3, step, step).transpose(2, 3).reshape(4, 3 * step, 3 * step)
    assert (across + start[:, None, None] - exact).abs().max() < 1e-3
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
