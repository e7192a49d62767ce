"""LightTrack's supernet in torch, under the official state-dict keys, answering on one path of it.

It is built from its own list of choices, not from the keys that :mod:`.space` renames, so that the two can be held
against each other. Source: as there.
"""

# mypy: allow-subclassing-any
# torch is not followed, so nn.Module is Any

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from converter.families.family import Shapes
from converter.families.lighttrack.backbone import (
    STAGE_FIRST_STRIDES,
    STEM_CHANNELS,
    DepthwiseSeparable,
    InvertedResidual,
    conv,
)
from converter.families.lighttrack.network import (
    CORRELATION_CHANNELS,
    ClsPrediction,
    PointwiseCorrelation,
    RegPrediction,
    SeparableConv,
)
from converter.families.lighttrack.path_name import (
    BLOCK_CHOICES,
    OUTPUT_STAGES,
    STAGE_BLOCKS,
    STAGE_CHANNELS,
    STAGE_STRIDES,
    TOWER_CHANNELS,
    TOWER_KERNELS,
    TOWER_LAYERS,
    Architecture,
)

HEAD_CHANNELS, FEATURES, CLASSES, SLICES = 320, 1280, 1000, 4  # of the classification that the search began with
STRIDES = (8, 16)
CELLS = tuple(f"feature_fusor.pw_corr.{index}.CA_layer.fc1.weight" for index in range(len(STRIDES)))


class LastConv(nn.Module):
    """The convolution behind the last stage; no tracker calls it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = conv(inputs, outputs)
        self.bn1 = nn.BatchNorm2d(outputs)


class Backbone(nn.Module):
    """All choices of every block; (N, 3, H, W) to the features of the path's output block."""

    def __init__(self, path: Architecture) -> None:
        super().__init__()
        self.path = path
        self.conv_stem = conv(3, STEM_CHANNELS, 3, stride=2)
        self.bn1 = nn.BatchNorm2d(STEM_CHANNELS)
        stages = [nn.ModuleList([nn.ModuleList([DepthwiseSeparable(STEM_CHANNELS)])])]
        inputs = STEM_CHANNELS
        for count, outputs, first in zip(STAGE_BLOCKS, STAGE_CHANNELS, STAGE_FIRST_STRIDES, strict=True):
            stage = nn.ModuleList()
            for stride in (first, *(1 for _ in range(count - 1))):
                made = (InvertedResidual(inputs, outputs, *choice, stride) for choice in BLOCK_CHOICES)
                stage.append(nn.ModuleList(made))
                inputs = outputs
            stages.append(stage)
        stages.append(nn.ModuleList([nn.ModuleList([LastConv(inputs, HEAD_CHANNELS)])]))
        self.blocks = nn.ModuleList(stages)
        self.conv_head = conv(HEAD_CHANNELS, FEATURES, bias=True)
        self.classifier = nn.Linear(FEATURES, CLASSES)
        self.meta_layer = nn.Linear(CLASSES * SLICES, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks[0][0][0](F.silu(self.bn1(self.conv_stem(x))))
        for blocks, chosen in zip(self.blocks[1:], self.path.stages, strict=False):
            for choices, choice in zip(blocks, chosen, strict=False):
                x = choices[BLOCK_CHOICES.index(choice)](x)
        return x


class Necks(nn.Module):
    """Batch norms for the features of every stage that can be the output."""

    def __init__(self) -> None:
        super().__init__()
        channels = [STAGE_CHANNELS[stage] for stage in OUTPUT_STAGES]
        self.BN_z = nn.ModuleList(map(nn.BatchNorm2d, channels))
        self.BN_x = nn.ModuleList(map(nn.BatchNorm2d, channels))


class Fusors(nn.Module):
    """Correlation and its 1x1 convolution, for either stride."""

    def __init__(self, cells: Sequence[int]) -> None:
        super().__init__()
        self.pw_corr = nn.ModuleList(map(PointwiseCorrelation, cells))
        self.adj_layer = nn.ModuleList(conv(count, CORRELATION_CHANNELS, bias=True) for count in cells)


class Tower(nn.Module):
    """Layers of every kernel at one width; a path goes through one of each, or skips."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers = nn.ModuleList()
        inputs = CORRELATION_CHANNELS
        for _ in range(TOWER_LAYERS):
            made = (SeparableConv(inputs, channels, kernel) for kernel in TOWER_KERNELS if kernel)
            layers.append(nn.ModuleList(made))
            inputs = channels
        self.tower = layers

    def forward(self, x: Tensor, digits: str) -> Tensor:
        """Args:
        digits: a choice for each layer, as in a path name.
        """
        for layer, digit in zip(self.tower, digits, strict=True):
            x = layer[int(digit)](x) if TOWER_KERNELS[int(digit)] else x
        return x


class Heads(nn.Module):
    """Towers and predictions of every width."""

    def __init__(self) -> None:
        super().__init__()
        self.cand_tower_cls = nn.ModuleList(map(Tower, TOWER_CHANNELS))
        self.cand_head_cls = nn.ModuleList(map(ClsPrediction, TOWER_CHANNELS))
        self.cand_tower_reg = nn.ModuleList(map(Tower, TOWER_CHANNELS))
        self.cand_head_reg = nn.ModuleList(map(RegPrediction, TOWER_CHANNELS))

    def forward(self, features: Tensor, cls: str, reg: str) -> tuple[Tensor, Tensor]:
        """Both through ``cand_tower_cls``, as in the official code: ``cand_tower_reg`` is never called.

        Args:
            cls, reg: width and layers, as in a path name.
        """
        of_cls = self.cand_tower_cls[int(cls[0])](features, cls[1:])
        of_reg = self.cand_tower_cls[int(reg[0])](features, reg[1:])
        return self.cand_head_cls[int(cls[0])](of_cls), self.cand_head_reg[int(reg[0])](of_reg)


class Supernet(nn.Module):
    """Equivalent of ``LightTrackM_Supernet`` on one path, with the calling convention of a subnet.

    Args:
        path: the parsed path name.
        cells: of a template's feature map at stride 8 and 16, as many as height times width.
    """

    def __init__(self, path: Architecture, cells: Sequence[int]) -> None:
        super().__init__()
        self.path = path
        self.features = Backbone(path)
        self.neck = Necks()
        self.feature_fusor = Fusors(cells)
        self.supernet_head = Heads()
        self.zf: Tensor | None = None

    def template(self, z: Tensor) -> None:
        """Remember the features of a template, (1, 3, T, T) float32."""
        self.zf = self.features(z)

    def track(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Answer for a search crop, (1, 3, S, S) float32: (cls, reg) as of a subnet."""
        stage = OUTPUT_STAGES.index(len(self.path.stages) - 1)
        stride = STRIDES.index(STAGE_STRIDES[OUTPUT_STAGES[stage]])
        zf, xf = self.neck.BN_z[stage](self.zf), self.neck.BN_x[stage](self.features(x))
        features = self.feature_fusor.adj_layer[stride](self.feature_fusor.pw_corr[stride](zf, xf))
        _, cls, reg = (part.partition("_")[2] for part in self.path.name.partition("_ops_")[0].split("+"))
        return self.supernet_head(features, cls, reg)  # type: ignore[no-any-return]


def build(path: Architecture, shapes: Shapes) -> Supernet:
    """The supernet without weights, its parameters on the meta device, for templates of as many cells as weights have.

    Args:
        shapes: of the weights; at 127 and 128 pixels where they do not say.
    """
    cells = []
    for key, stride in zip(CELLS, STRIDES, strict=True):
        shape = shapes.get(key, ())
        cells.append(shape[0] if shape and math.isqrt(shape[0]) ** 2 == shape[0] > 0 else (128 // stride) ** 2)
    with torch.device("meta"):
        return Supernet(path, cells)
