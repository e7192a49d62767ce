"""Corner heads: two score maps, and a corner of the box from each as the mean place under its softmax."""

# mypy: allow-subclassing-any
# torch is not followed, so nn.Module is Any

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from converter.families.stark.repvgg import RepVGGBlock
from converter.families.stark.variant import REP_HEAD, STRIDE, TOKEN_CHANNELS, Variant

DSCONV_CHANNELS = 64


class SeparableBlock(nn.Module):
    """Depthwise 3x3, ReLU6, pointwise, ReLU6; biases and no norm."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(self.pointwise(F.relu6(self.depthwise(x))))


class CornerHead(nn.Module):
    """(N, 128, cells, cells) features to (N, 4): x1, y1, x2, y2 as fractions of the crop.

    The coordinates of the cells' middles are no part of the state dict.

    Args:
        tower: features to two score maps, top-left and bottom-right.
        cells: height and width of the maps.
    """

    def __init__(self, tower: nn.Sequential, cells: int) -> None:
        super().__init__()
        self.feat_sz, self.stride, self.img_sz = cells, STRIDE, cells * STRIDE
        self.conv_tower = tower
        # on the CPU also where the weights are being built without storage
        along = (torch.arange(cells, device="cpu", dtype=torch.float32) + 0.5) * STRIDE
        self.coord_x, self.coord_y = along.repeat(cells), along.repeat_interleave(cells)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.conv_tower(x).flatten(2)
        corners = [self._mean_place(maps[:, index]) for index in range(2)]
        return torch.stack([place for corner in corners for place in corner], dim=1) / self.img_sz

    def _mean_place(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        share = F.softmax(scores, dim=1)
        return (share * self.coord_x).sum(1), (share * self.coord_y).sum(1)


def corner_head(variant: Variant, cells: int) -> CornerHead:
    if variant.head == REP_HEAD:
        blocks = [RepVGGBlock(TOKEN_CHANNELS, TOKEN_CHANNELS) for _ in range(2)]
        last = nn.Conv2d(TOKEN_CHANNELS, 2, 3, padding=1)
    else:
        widths = [TOKEN_CHANNELS] + [DSCONV_CHANNELS] * variant.blocks
        blocks = [SeparableBlock(*pair) for pair in pairwise(widths)]
        last = nn.Conv2d(DSCONV_CHANNELS, 2, 1)
    return CornerHead(nn.Sequential(*blocks, last), cells)
