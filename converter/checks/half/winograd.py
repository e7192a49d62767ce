"""Winograd's transforms, which ncnn's half kernels on ARM take for 3x3 convolutions: how large values get in them.

After ``src/layer/arm/convolution_3x3_winograd_fp16s.h``: stride 1 and at least 16 channels on a side.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Winograd:
    """F(m x m, 3 x 3): the matrices for kernel (m + 2, 3), input (m + 2, m + 2) and output (m, m + 2)."""

    kernel: Tensor
    input: Tensor
    output: Tensor

    @property
    def step(self) -> int:
        return len(self.output)

    def tiles(self, values: Tensor) -> Tensor:
        """(C, H, W), padded for the convolution, to overlapping tiles (C, T, m + 2, m + 2)."""
        size, step = len(self.input), self.step
        grow = [-(length - 2) % step for length in values.shape[:0:-1]]
        values = functional.pad(values, (0, grow[0], 0, grow[1]))
        return values.unfold(1, size, step).unfold(2, size, step).flatten(1, 2)


def _mirrored(*rows: list[float]) -> list[list[float]]:
    """Each row, and after it the same with every other number's sign changed."""
    return [half for row in rows for half in (row, [value * (-1) ** (place % 2) for place, value in enumerate(row)])]


_R = 2**0.5
_MATRICES: dict[int, tuple[list[list[float]], ...]] = {
    2: (
        [[1, 0, 0], *_mirrored([1 / 2, 1 / 2, 1 / 2]), [0, 0, 1]],
        [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, -1, 0, 1]],
        [[1, 1, 1, 0], [0, 1, -1, 1]],
    ),
    4: (
        [[1, 0, 0], *_mirrored([-2 / 3, -_R / 3, -1 / 3], [1 / 6, _R / 6, 1 / 3]), [0, 0, 1]],
        [
            [1, 0, -2.5, 0, 1, 0],
            *_mirrored([0, -_R, -2, _R / 2, 1, 0], [0, -_R / 2, -0.5, _R, 1, 0]),
            [0, 1, 0, -2.5, 0, 1],
        ],
        [
            [1, 1, 1, 1, 1, 0],
            [0, _R / 2, -_R / 2, _R, -_R, 0],
            [0, 0.5, 0.5, 2, 2, 0],
            [0, _R / 4, -_R / 4, _R * 2, -_R * 2, 1],
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
# The matrices that ncnn's half kernels use, by m.
WINOGRADS = {m: Winograd(*(torch.tensor(rows).float() for rows in matrices)) for m, matrices in _MATRICES.items()}


def winograd_for(weight: Tensor, stride: tuple[int, int], dilation: tuple[int, int]) -> Winograd | None:
    """The transform that ncnn's half arithmetic takes for a convolution (M, C, R, S), or None."""
    outputs, inputs, *kernel = weight.shape
    if kernel != [3, 3] or (*stride, *dilation) != (1, 1, 1, 1) or max(inputs, outputs) < 16:
        return None
    if max(inputs, outputs) <= 128:
        return WINOGRADS[6]
    return WINOGRADS[4 if min(inputs, outputs) >= 16 else 2]


def winograd_bound(winograd: Winograd, start: Tensor, weight: Tensor, values: Tensor) -> float:
    """The largest value that can occur in a convolution through the transforms: in its inputs, sums and outputs.

    Args:
        start: (M,), the bias; weight: (M, C, 3, 3); values: (C, H, W), padded.
    """
    kernel = (winograd.kernel @ weight @ winograd.kernel.t()).abs()
    tiles = winograd.tiles(values)
    spread = winograd.input.abs() @ tiles.abs() @ winograd.input.abs().t()
    transformed = (winograd.input @ tiles @ winograd.input.t()).abs()
    sums = torch.einsum("mcij,ctij->mtij", kernel, transformed)
    outputs = winograd.output.abs() @ sums @ winograd.output.abs().t() + start.abs()[:, None, None, None]
    return max(float(part.max()) for part in (spread, sums, outputs))
