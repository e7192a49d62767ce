"""RepVGG blocks as they are trained, three branches side by side, and the backbone made of them.

Names of modules are those of the official state dict (``lib/models/stark/repvgg.py`` of researchmm/Stark @ 162e1d3).
"""

# mypy: allow-subclassing-any
# torch is not followed, so nn.Module is Any

from collections.abc import Callable

import torch
from torch import Tensor, nn

STEM_CHANNELS = 48
# channels and number of blocks; the first block of every stage halves the map
STAGES = ((48, 2), (96, 4), (192, 4))
BACKBONE_CHANNELS = STAGES[-1][0]

Norm = Callable[[int], nn.Module]


class FrozenNorm(nn.Module):
    """A batch norm whose numbers are no parameters, (N, C, H, W) to the same."""

    eps = 1e-5

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name in ("weight", "bias", "running_mean", "running_var"):
            self.register_buffer(name, torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale.reshape(1, -1, 1, 1) + shift.reshape(1, -1, 1, 1)


class ConvNorm(nn.Module):
    """A convolution without bias and its norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
        self.bn = norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class RepVGGBlock(nn.Module):
    """3x3 and 1x1 convolution, and the input itself where it has the output's shape, each normalised; summed, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__()
        self.rbr_identity = norm(inputs) if inputs == outputs and stride == 1 else None
        self.rbr_dense = ConvNorm(inputs, outputs, 3, stride, norm)
        self.rbr_1x1 = ConvNorm(inputs, outputs, 1, stride, norm)
        self.nonlinearity = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.rbr_dense(x) + self.rbr_1x1(x)
        return self.nonlinearity(y if self.rbr_identity is None else y + self.rbr_identity(x))


class Body(nn.Module):
    """(N, 3, H, W) float32 image, ImageNet-normalised RGB, to (N, 192, H/16, W/16)."""

    def __init__(self) -> None:
        super().__init__()
        self.stage0 = RepVGGBlock(3, STEM_CHANNELS, 2, FrozenNorm)
        inputs = STEM_CHANNELS
        for number, (outputs, count) in enumerate(STAGES, start=1):
            blocks = [RepVGGBlock(inputs, outputs, 2, FrozenNorm)]
            blocks += [RepVGGBlock(outputs, outputs, 1, FrozenNorm) for _ in range(count - 1)]
            setattr(self, f"stage{number}", nn.Sequential(*blocks))
            inputs = outputs

    def forward(self, x: Tensor) -> Tensor:
        return self.stage3(self.stage2(self.stage1(self.stage0(x))))


class Backbone(nn.Module):
    """The body under the name that the official state dict has for it."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Body()

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)
