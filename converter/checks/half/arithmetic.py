"""Sums as ncnn's NEON half kernels make them, on float32 tensors whose values are halves.

What is modelled, after ``src/layer/arm/*_asimdhp.cpp``: every accumulator is a half and every step a fused
multiply-add, so each product is exact and each sum is rounded once. A convolution and a matrix product have one
accumulator per output, which starts at the bias and takes the inputs in order; an inner product has eight, which
are added in pairs at the end; 3x3 convolutions with stride 1 and at least 16 channels on a side go through
Winograd's transforms, which are rounded, too. The order of the channels within a kernel is ours.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

LANES = 8


def halved(tensor: Tensor) -> Tensor:
    """float32 values rounded to the nearest half, beyond ±65520 to infinity."""
    return tensor.half().float()


def running_sum(start: Tensor, weight: Tensor, values: Tensor) -> Tensor:
    """``start + weight @ values`` with one half accumulator per output.

    Args:
        start: (M,) or (M, 1).
        weight: (M, K).
        values: (K, N).

    Returns:
        (M, N) float32.
    """
    sums = start.reshape(-1, 1).half().repeat(1, values.shape[1])
    columns, rows = weight.half().t().contiguous(), values.half().contiguous()
    for column, row in zip(columns, rows, strict=True):
        sums.addcmul_(column[:, None], row[None])
    return sums.float()


def lane_sum(start: Tensor, weight: Tensor, values: Tensor) -> Tensor:
    """``start + weight @ values`` with eight half accumulators per output, the first of which has the start.

    Args:
        start: (M,); weight: (M, K); values: (K,).

    Returns:
        (M,) float32.
    """
    missing = -weight.shape[1] % LANES
    weight = functional.pad(weight, (0, missing)).half().reshape(len(weight), -1, LANES)
    values = functional.pad(values, (0, missing)).half().reshape(-1, LANES)
    sums = torch.zeros(len(weight), LANES, dtype=torch.half)
    sums[:, 0] = start.half()
    for step, row in enumerate(values):
        sums.addcmul_(weight[:, step], row[None])
    while sums.shape[1] > 1:
        sums = sums[:, 0::2] + sums[:, 1::2]
    return sums[:, 0].float()


def depthwise_sum(start: Tensor, weight: Tensor, values: Tensor, stride: tuple, dilation: tuple) -> Tensor:
    """A depthwise convolution with one half accumulator per output.

    Args:
        start: (C,); weight: (C, R, S); values: (C, H, W), padded.
        stride, dilation: rows, columns.

    Returns:
        (C, H', W') float32.
    """
    weight, values = weight.half(), values.half()
    height, width = (
        (size - step * (kernel - 1) - 1) // by + 1
        for size, step, kernel, by in zip(values.shape[1:], dilation, weight.shape[1:], stride, strict=True)
    )
    sums = start.half()[:, None, None].repeat(1, height, width)
    for row in range(weight.shape[1]):
        for column in range(weight.shape[2]):
            top, left = row * dilation[0], column * dilation[1]
            taken = values[:, top : top + height * stride[0] : stride[0], left : left + width * stride[1] : stride[1]]
            sums.addcmul_(weight[:, row, column, None, None], taken[:, :height, :width])
    return sums.float()


@dataclass(frozen=True)
class Winograd:
    """F(m x m, 3 x 3): the matrices for kernel (m + 2, 3), input (m + 2, m + 2) and output (m, m + 2)."""

    kernel: Tensor
    input: Tensor
    output: Tensor

    @property
    def step(self) -> int:
        return self.output.shape[0]

    def tiles(self, values: Tensor) -> Tensor:
        """(C, H, W), padded for the convolution, to overlapping tiles (C, T, m + 2, m + 2)."""
        size, step = len(self.input), self.step
        grow = [-(length - 2) % step for length in values.shape[:0:-1]]
        values = functional.pad(values, (0, grow[0], 0, grow[1]))
        return values.unfold(1, size, step).unfold(2, size, step).flatten(1, 2)

    def untiled(self, outputs: Tensor, height: int, width: int) -> Tensor:
        """(M, T, m, m) to (M, H', W')."""
        step = self.step
        across = -(-width // step)
        grid = outputs.reshape(len(outputs), -1, across, step, step).transpose(2, 3)
        return grid.reshape(len(outputs), -1, across * step)[:, :height, :width]


def _mirrored(*rows):
    """Each row, and after it the same with every other number's sign changed."""
    return [half for row in rows for half in (row, [value * (-1) ** (place % 2) for place, value in enumerate(row)])]


def _winograds() -> dict[int, Winograd]:
    """The matrices that ncnn's half kernels use, by m."""
    r = 2**0.5
    tables = {
        2: (
            [[1, 0, 0], *_mirrored([1 / 2, 1 / 2, 1 / 2]), [0, 0, 1]],
            [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, -1, 0, 1]],
            [[1, 1, 1, 0], [0, 1, -1, 1]],
        ),
        4: (
            [[1, 0, 0], *_mirrored([-2 / 3, -r / 3, -1 / 3], [1 / 6, r / 6, 1 / 3]), [0, 0, 1]],
            [
                [1, 0, -2.5, 0, 1, 0],
                *_mirrored([0, -r, -2, r / 2, 1, 0], [0, -r / 2, -0.5, r, 1, 0]),
                [0, 1, 0, -2.5, 0, 1],
            ],
            [
                [1, 1, 1, 1, 1, 0],
                [0, r / 2, -r / 2, r, -r, 0],
                [0, 0.5, 0.5, 2, 2, 0],
                [0, r / 4, -r / 4, r * 2, -r * 2, 1],
            ],
        ),
        6: (
            [
                [1, 0, 0],
                *_mirrored([-2 / 9, -2 / 9, -2 / 9], [1 / 90, 1 / 45, 2 / 45], [1 / 45, 1 / 90, 1 / 180]),
                [0, 0, 1],
            ],
            [
                [1, 0, -5.25, 0, 5.25, 0, -1, 0],
                *_mirrored([0, 1, 1, -4.25, -4.25, 1, 1, 0], [0, 0.5, 0.25, -2.5, -1.25, 2, 1, 0]),
                *_mirrored([0, 2, 4, -2.5, -5, 0.5, 1, 0]),
                [0, -1, 0, 5.25, 0, -5.25, 0, 1],
            ],
            [
                [1, 1, 1, 1, 1, 32, 32, 0],
                [0, 1, -1, 2, -2, 16, -16, 0],
                [0, 1, 1, 4, 4, 8, 8, 0],
                [0, 1, -1, 8, -8, 4, -4, 0],
                [0, 1, 1, 16, 16, 2, 2, 0],
                [0, 1, -1, 32, -32, 1, -1, 1],
            ],
        ),
    }
    return {step: Winograd(*(torch.tensor(rows).float() for rows in table)) for step, table in tables.items()}


WINOGRADS = _winograds()


def winograd_for(weight: Tensor, stride: tuple, dilation: tuple) -> Winograd | None:
    """The transform that ncnn's half arithmetic takes for a convolution (M, C, R, S), or None."""
    outputs, inputs, *kernel = weight.shape
    if kernel != [3, 3] or (*stride, *dilation) != (1, 1, 1, 1) or max(inputs, outputs) < 16:
        return None
    if max(inputs, outputs) <= 128:
        return WINOGRADS[6]
    return WINOGRADS[4 if min(inputs, outputs) >= 16 else 2]


def winograd_sum(winograd: Winograd, start: Tensor, weight: Tensor, values: Tensor) -> Tensor:
    """A 3x3 convolution of stride 1 through Winograd's transforms, each of their two sides rounded to half.

    Args:
        start: (M,); weight: (M, C, 3, 3); values: (C, H, W), padded.

    Returns:
        (M, H - 2, W - 2) float32.
    """
    kernel = halved(winograd.kernel @ weight @ winograd.kernel.t())
    tiles = halved(halved(winograd.input @ winograd.tiles(values)) @ winograd.input.t())
    size = len(winograd.input)
    sums = torch.empty(len(weight), tiles.shape[1], size, size)
    for row in range(size):
        for column in range(size):
            zero = torch.zeros(len(weight))
            sums[..., row, column] = running_sum(zero, kernel[..., row, column], tiles[..., row, column])
    outputs = halved(halved(winograd.output @ sums) @ winograd.output.t())
    outputs = halved(outputs + halved(start)[:, None, None, None])
    return winograd.untiled(outputs, values.shape[1] - 2, values.shape[2] - 2)


def winograd_bound(winograd: Winograd, start: Tensor, weight: Tensor, values: Tensor) -> float:
    """The largest value that can occur on the way of :func:`winograd_sum`: of its inputs, sums and outputs."""
    kernel = (winograd.kernel @ weight @ winograd.kernel.t()).abs()
    tiles = winograd.tiles(values)
    spread = winograd.input.abs() @ tiles.abs() @ winograd.input.abs().t()
    transformed = (winograd.input @ tiles @ winograd.input.t()).abs()
    sums = torch.einsum("mcij,ctij->mtij", kernel, transformed)
    outputs = winograd.output.abs() @ sums @ winograd.output.abs().t() + start.abs()[:, None, None, None]
    return max(float(part.max()) for part in (spread, sums, outputs))
