"""The backbone: MobileNetV3-Small without its last strides, under the names of the official state dict.

Source: ``nanotrack/models/backbone/mobile_v3.py`` of HonglinChu/SiamTrackers @ 248663f, folder NanoTrack; the layout is
that of MobileNetV3 (ICCV 2019).
"""

# mypy: allow-subclassing-any
# torch is not followed, so nn.Module is Any

from torch import Tensor, nn

from converter.families.nanotrack.version import Block

STEM_CHANNELS = 16
SMALLEST_SQUEEZE = 8


def conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=bias)


def squeezed(channels: int) -> int:
    """A quarter, to the nearest multiple of 8, at least 8."""
    return max(SMALLEST_SQUEEZE, (channels // 4 + 4) // 8 * 8)


class SqueezeExcite(nn.Module):
    """Scale channels by a gate computed from their means: hard sigmoid, (N, C, H, W) to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(channels, squeezed(channels)),
            nn.ReLU(),
            nn.Linear(squeezed(channels), channels),
            nn.Hardsigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        gate = self.fc(self.avg_pool(x).flatten(1))
        return x * gate[:, :, None, None]


class InvertedResidual(nn.Module):
    """Pointwise expansion where there is one, depthwise KxK, pointwise projection, around them a skip where it fits.

    Squeeze-and-excitation comes before the second activation, and behind the only one where nothing is expanded.
    """

    def __init__(self, inputs: int, block: Block) -> None:
        super().__init__()
        expanded = block.expanded
        activation = nn.Hardswish if block.swish else nn.ReLU
        squeeze = SqueezeExcite(expanded) if block.squeezes else nn.Identity()
        depthwise = [conv(expanded, expanded, block.kernel, block.stride, expanded), nn.BatchNorm2d(expanded)]
        projection = [conv(expanded, block.outputs), nn.BatchNorm2d(block.outputs)]
        if expanded == inputs:
            layers = [*depthwise, activation(), squeeze, *projection]
        else:
            expansion = [conv(inputs, expanded), nn.BatchNorm2d(expanded), activation()]
            layers = [*expansion, *depthwise, squeeze, activation(), *projection]
        self.conv = nn.Sequential(*layers)
        self.residual = block.stride == 1 and inputs == block.outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class Backbone(nn.Module):
    """(N, 3, H, W) float32 image, BGR 0 to 255, to (N, channels, H/16, W/16) features."""

    def __init__(self, blocks: tuple[Block, ...]) -> None:
        super().__init__()
        stem = [conv(3, STEM_CHANNELS, 3, stride=2), nn.BatchNorm2d(STEM_CHANNELS), nn.Hardswish()]
        inputs = [STEM_CHANNELS, *(block.outputs for block in blocks)]
        residuals = map(InvertedResidual, inputs, blocks)
        self.features = nn.Sequential(nn.Sequential(*stem), *residuals)

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x)
