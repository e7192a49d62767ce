"""LightTrack's searched network from a path name, without an official checkout, under the official state-dict names.

Source: ``lib/models/submodels.py``, ``connect.py``, ``super_connect.py`` and ``models.py`` of researchmm/LightTrack
@ 39c426f.
"""

# mypy: allow-subclassing-any
# torch is not followed, so nn.Module is Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from converter.families.lighttrack.backbone import Backbone, conv
from converter.families.lighttrack.path_name import Architecture, Tower

CORRELATION_CHANNELS = 128
CLS_SCALE = 0.1
REG_SCALE = 16


class Neck(nn.Module):
    """A batch norm of its own for template and search features, before they are correlated."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.BN_z = nn.BatchNorm2d(channels)
        self.BN_x = nn.BatchNorm2d(channels)

    def forward(self, zf: Tensor, xf: Tensor) -> tuple[Tensor, Tensor]:
        return self.BN_z(zf), self.BN_x(xf)


class ChannelAttention(nn.Module):
    """Scale every correlation channel by a sigmoid gate of the channels' means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = conv(channels, channels, bias=True)
        self.fc2 = conv(channels, channels, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        gate = F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1)))
        return x * torch.sigmoid(self.fc2(gate))


class PointwiseCorrelation(nn.Module):
    """Every template cell against every search cell: (N, C, h, w) and (N, C, H, W) to (N, h*w, H, W)."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.CA_layer = ChannelAttention(cells)

    def forward(self, zf: Tensor, xf: Tensor) -> Tensor:
        batch, channels, height, width = xf.shape
        kernels = zf.reshape(batch, channels, -1).transpose(1, 2)
        correlation = torch.matmul(kernels, xf.reshape(batch, channels, -1))
        return self.CA_layer(correlation.reshape(batch, -1, height, width))


class FeatureFusor(nn.Module):
    """Correlation, then a 1x1 convolution to the towers' 128 input channels."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.pw_corr = PointwiseCorrelation(cells)
        self.adj_layer = conv(cells, CORRELATION_CHANNELS, bias=True)

    def forward(self, zf: Tensor, xf: Tensor) -> dict[str, Tensor]:
        features = self.adj_layer(self.pw_corr(zf, xf))
        return {"cls": features, "reg": features}


class SeparableConv(nn.Module):
    """Depthwise KxK and pointwise convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv1 = conv(inputs, inputs, kernel, groups=inputs)
        self.pointwise = conv(inputs, outputs)
        self.BN = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.BN(self.pointwise(self.conv1(x))))


def tower(description: Tower) -> nn.Sequential:
    inputs = [CORRELATION_CHANNELS] + [description.channels] * (len(description.kernels) - 1)
    return nn.Sequential(
        *(
            SeparableConv(channels, description.channels, kernel)
            for channels, kernel in zip(inputs, description.kernels, strict=True)
        )
    )


class ClsPrediction(nn.Module):
    """One foreground logit per cell, scaled by 0.1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cls_pred = conv(channels, 1, 3, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        return CLS_SCALE * self.cls_pred(x)


class RegPrediction(nn.Module):
    """Distances of the box's left, top, right and bottom side from the cell, in search-crop pixels.

    The factor is 16 whatever the network's stride, as in the official code.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bbox_pred = conv(channels, 4, 3, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bbox_pred(x)) * REG_SCALE


class Head(nn.Module):
    """The two towers; ``cls_perd`` is the official spelling."""

    def __init__(self, cls: Tower, reg: Tower) -> None:
        super().__init__()
        self.cls_tower = tower(cls)
        self.reg_tower = tower(reg)
        self.cls_perd = ClsPrediction(cls.channels)
        self.reg_pred = RegPrediction(reg.channels)

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        return {
            "cls": self.cls_perd(self.cls_tower(features["cls"])),
            "reg": self.reg_pred(self.reg_tower(features["reg"])),
        }


class Subnet(nn.Module):
    """The tracker with the official state-dict keys, parts and calling convention.

    Equivalent of ``LightTrackM_Subnet`` and ``LightTrackM_Speed`` in ``lib/models/models.py`` of
    researchmm/LightTrack @ 39c426f.

    Args:
        architecture: the parsed path name.
        template_cells: height and width of the template's feature map.
    """

    def __init__(self, architecture: Architecture, template_cells: int) -> None:
        super().__init__()
        self.features = Backbone(architecture)
        self.neck = Neck(architecture.channels)
        self.feature_fusor = FeatureFusor(template_cells**2)
        self.head = Head(architecture.cls, architecture.reg)
        self.zf: Tensor | None = None

    def template(self, z: Tensor) -> None:
        """Remember the features of a template, (1, 3, T, T) float32, ImageNet-normalised RGB."""
        self.zf = self.features(z)

    def track(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Answer for a search crop, (1, 3, S, S) float32: (cls, reg) as of :class:`Head`."""
        answer = self.head(self.feature_fusor(*self.neck(self.zf, self.features(x))))
        return answer["cls"], answer["reg"]


def build(architecture: Architecture, template_cells: int) -> Subnet:
    """The network without weights, its parameters on the meta device; of any search size."""
    with torch.device("meta"):
        return Subnet(architecture, template_cells)
