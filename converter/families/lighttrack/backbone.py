"""The searched backbone: inverted residuals with squeeze-and-excitation, cut off at the output block.

Names of modules are those of the official state dict (``lib/models/backbone`` of
researchmm/LightTrack @ 39c426f); the layout is EfficientNet's with swish, after LightTrack (CVPR 2021).
"""

# mypy: allow-subclassing-any
# torch is not followed, so nn.Module is Any

from torch import Tensor, nn
from torch.nn import functional as F

from converter.families.lighttrack.path_name import STAGE_CHANNELS, Architecture

STEM_CHANNELS = 16
STAGE_FIRST_STRIDES = (2, 2, 2, 1, 2)
SE_RATIO = 0.25


def round_to_8(channels: float) -> int:
    """The multiple of 8 nearest to ``channels``, at least 8, and no more than 10 % below it."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=bias)


class SqueezeExcite(nn.Module):
    """Scale channels by a gate computed from their means: hard sigmoid, (N, C, H, W) to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        reduced = round_to_8(channels * SE_RATIO)
        self.conv_reduce = conv(channels, reduced, bias=True)
        self.conv_expand = conv(reduced, channels, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        gate = F.adaptive_avg_pool2d(x, 1)
        gate = self.conv_expand(F.relu(self.conv_reduce(gate)))
        return x * (F.relu6(gate + 3.0) / 6.0)


class DepthwiseSeparable(nn.Module):
    """Stage 0: depthwise 3x3, squeeze-and-excitation, pointwise, with a skip around them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_dw = conv(channels, channels, 3, groups=channels)
        self.bn1 = nn.BatchNorm2d(channels)
        self.se = SqueezeExcite(channels)
        self.conv_pw = conv(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = F.silu(self.bn1(self.conv_dw(x)))
        return self.bn2(self.conv_pw(self.se(y))) + x


class InvertedResidual(nn.Module):
    """Pointwise expansion, depthwise KxK, squeeze-and-excitation, pointwise projection."""

    def __init__(self, inputs: int, outputs: int, kernel: int, expansion: int, stride: int) -> None:
        super().__init__()
        expanded = round_to_8(inputs * expansion)
        self.conv_pw = conv(inputs, expanded)
        self.bn1 = nn.BatchNorm2d(expanded)
        self.conv_dw = conv(expanded, expanded, kernel, stride, groups=expanded)
        self.bn2 = nn.BatchNorm2d(expanded)
        self.se = SqueezeExcite(expanded)
        self.conv_pwl = conv(expanded, outputs)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = F.silu(self.bn1(self.conv_pw(x)))
        y = F.silu(self.bn2(self.conv_dw(y)))
        y = self.bn3(self.conv_pwl(self.se(y)))
        return y + x if self.residual else y


class Backbone(nn.Module):
    """(N, 3, H, W) float32 image, ImageNet-normalised RGB, to (N, channels, H/stride, W/stride) features."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.conv_stem = conv(3, STEM_CHANNELS, 3, stride=2)
        self.bn1 = nn.BatchNorm2d(STEM_CHANNELS)
        stages = [nn.Sequential(DepthwiseSeparable(STEM_CHANNELS))]
        inputs = STEM_CHANNELS
        for choices, outputs, first_stride in zip(
            architecture.stages, STAGE_CHANNELS, STAGE_FIRST_STRIDES, strict=False
        ):
            blocks = []
            for index, (kernel, expansion) in enumerate(choices):
                stride = first_stride if index == 0 else 1
                blocks.append(InvertedResidual(inputs, outputs, kernel, expansion, stride))
                inputs = outputs
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(F.silu(self.bn1(self.conv_stem(x))))
