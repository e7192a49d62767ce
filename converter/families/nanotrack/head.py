"""The head: template and search features are correlated, and a tower for each of the two outputs follows.

Source: ``nanotrack/models/head/ban_v1.py`` to ``ban_v3.py`` and ``nanotrack/core/xcorr.py`` of HonglinChu/SiamTrackers
@ 248663f, folder NanoTrack. Modules have the names of the official state dict.
"""

# mypy: allow-subclassing-any
# torch is not followed, so nn.Module is Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from converter.families.nanotrack.backbone import conv
from converter.families.nanotrack.version import CORRELATION_CHANNELS, Branch, Version

MIDDLE = slice(2, 6)  # of the 8 cells of a template, the four that become kernels
CLS_CHANNELS, LOC_CHANNELS = 2, 4


class ChannelAttention(nn.Module):
    """Scale every correlation channel by a sigmoid gate of the channels' means."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = conv(CORRELATION_CHANNELS, CORRELATION_CHANNELS, bias=True)
        self.fc2 = conv(CORRELATION_CHANNELS, CORRELATION_CHANNELS, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        gate = F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1)))
        return x * torch.sigmoid(self.fc2(gate))


def normed(inputs: int, outputs: int) -> nn.Sequential:
    """A 1x1 convolution and a norm."""
    return nn.Sequential(conv(inputs, outputs, bias=True), nn.BatchNorm2d(outputs))


class PixelwiseCorrelation(nn.Module):
    """Every template cell against every search cell: (N, C, 8, 8) and (N, C, H, W) to (N, 64, H, W).

    Args:
        channels: of the features.
        adjusts: whether they go through a convolution each before they are correlated.
        lost_cells: 1 where a 2x2 convolution follows, which gives (N, 64, H - 1, W - 1); else 0.
    """

    def __init__(self, channels: int, adjusts: bool, lost_cells: int) -> None:
        super().__init__()
        self.CA_layer = ChannelAttention()
        self.conv_kernel = normed(channels, channels) if adjusts else nn.Identity()
        self.conv_search = normed(channels, channels) if adjusts else nn.Identity()
        self.conv = _shrinking() if lost_cells else nn.Identity()

    def forward(self, zf: Tensor, xf: Tensor) -> Tensor:
        zf, xf = self.conv_kernel(zf), self.conv_search(xf)
        batch, channels, height, width = xf.shape
        kernels = zf.reshape(batch, channels, -1).transpose(1, 2)
        correlation = torch.matmul(kernels, xf.reshape(batch, channels, -1))
        return self.conv(self.CA_layer(correlation.reshape(batch, -1, height, width)))


def _shrinking() -> nn.Sequential:
    channels = CORRELATION_CHANNELS
    depthwise = nn.Conv2d(channels, channels, 2, groups=channels, bias=False)
    return nn.Sequential(depthwise, nn.BatchNorm2d(channels), nn.ReLU6(), *normed(channels, channels))


class DepthwiseCorrelation(nn.Module):
    """The middle of the template slides over the search crop, channel by channel.

    (1, C, 8, 8) and (1, C, H, W) to (1, C, H - 1, W - 1).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_kernel = normed(channels, channels)
        self.conv_search = normed(channels, channels)

    def forward(self, zf: Tensor, xf: Tensor) -> Tensor:
        kernels = self.conv_kernel(zf[:, :, MIDDLE, MIDDLE])
        return F.conv2d(self.conv_search(xf), kernels.transpose(0, 1), padding=1, groups=kernels.shape[1])


def tower(layers: tuple[tuple[int, int], ...], inputs: int, two_norms: bool) -> nn.Sequential:
    """Layers of a depthwise KxK and a pointwise convolution, with the norms and activations of a version."""
    modules: list[nn.Module] = []
    for kernel, outputs in layers:
        depthwise, pointwise = conv(inputs, inputs, kernel, groups=inputs), conv(inputs, outputs)
        if two_norms:
            modules += [depthwise, nn.BatchNorm2d(inputs), nn.ReLU6(), pointwise, nn.BatchNorm2d(outputs)]
        else:
            modules += [depthwise, pointwise, nn.BatchNorm2d(outputs), nn.ReLU6()]
        inputs = outputs
    return nn.Sequential(*modules)


class Head(nn.Module):
    """zf (1, C, 8, 8) and xf (1, C, H, W) to cls (1, 2, S, S) and loc (1, 4, S, S), S the edge of the score map.

    cls holds logits of background and target, loc the distances of the box's left, top, right and bottom side from
    the cell, in search-crop pixels.
    """

    def __init__(self, version: Version) -> None:
        super().__init__()
        self.cls, self.loc = version.cls, version.loc
        for branch, outputs in ((version.cls, CLS_CHANNELS), (version.loc, LOC_CHANNELS)):
            # V1 has one for both
            self.add_module(
                branch.pixelwise, PixelwiseCorrelation(version.channels, version.adjusts, version.lost_cells)
            )
            inputs = CORRELATION_CHANNELS
            if branch.second:
                depthwise, joined = branch.second
                self.add_module(depthwise, DepthwiseCorrelation(version.channels))
                self.add_module(joined, nn.Sequential(conv(inputs + version.channels, version.channels, bias=True)))
                inputs = version.channels
            self.add_module(branch.tower, tower(branch.layers, inputs, version.two_norms))
            self.add_module(branch.prediction, nn.Sequential(conv(branch.layers[-1][1], outputs, bias=True)))

    def forward(self, zf: Tensor, xf: Tensor) -> tuple[Tensor, Tensor]:
        for_cls = self._correlated(self.cls, zf, xf)
        for_loc = for_cls if self.loc.pixelwise == self.cls.pixelwise else self._correlated(self.loc, zf, xf)
        return self._predicted(self.cls, for_cls), torch.exp(self._predicted(self.loc, for_loc))

    def _correlated(self, branch: Branch, zf: Tensor, xf: Tensor) -> Tensor:
        correlation = getattr(self, branch.pixelwise)(zf, xf)
        if branch.second is None:
            return correlation
        depthwise, joined = (getattr(self, name) for name in branch.second)
        return joined(torch.cat([correlation, depthwise(zf, xf)], 1))

    def _predicted(self, branch: Branch, correlation: Tensor) -> Tensor:
        return getattr(self, branch.prediction)(getattr(self, branch.tower)(correlation))
