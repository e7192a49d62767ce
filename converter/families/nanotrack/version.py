"""The three versions: what differs between their backbones and heads, and which of them weights are of. No torch here.

Source: ``models/config/configv1.yaml`` to ``configv3.yaml``, ``nanotrack/models/backbone/mobile_v3.py`` and
``nanotrack/models/head/ban_v1.py`` to ``ban_v3.py`` of HonglinChu/SiamTrackers @ 248663f, folder NanoTrack.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from converter.errors import ArchitectureError, UsageError, did_you_mean
from converter.families.family import Shapes
from converter.spec.dimensions import Dimensions

STRIDE = 16
TEMPLATE_CELLS = 8
CORRELATION_CHANNELS = TEMPLATE_CELLS**2  # one per cell of the template
HEAD = "ban_head."
UNUSED = "neck."  # trained along and saved, never called


@dataclass(frozen=True)
class Block:
    """An inverted residual of the backbone.

    Attributes:
        kernel: of the depthwise convolution.
        expanded, outputs: channels.
        squeezes: whether it has squeeze-and-excitation.
        swish: whether its activations are hard swish, else ReLU.
        stride: of the depthwise convolution.
    """

    kernel: int
    expanded: int
    outputs: int
    squeezes: bool = True
    swish: bool = True
    stride: int = 1


@dataclass(frozen=True)
class Branch:
    """What follows the correlation, for one of the two outputs; modules have the official names.

    Attributes:
        pixelwise: the correlation that every version has.
        tower, prediction: the modules behind.
        layers: of the tower, (kernel, channels) of each.
        second: V3's depthwise correlation, and the module that makes one of the two.
    """

    pixelwise: str
    tower: str
    prediction: str
    layers: tuple[tuple[int, int], ...]
    second: tuple[str, str] | None = None


@dataclass(frozen=True)
class Version:
    """A network of the family.

    Attributes:
        name: its path name.
        arch: what it is called.
        blocks: of the backbone.
        cls, loc: the two branches of the head.
        adjusts: whether features go through a convolution each before they are correlated pixel by pixel.
        two_norms: whether a layer of a tower has its norm and activation behind the depthwise convolution, and a
            second norm at its end; else one norm and the activation, at its end.
        lost_cells: by how much the correlations, and so the score map, are smaller than the search crop's features.
    """

    name: str
    arch: str
    blocks: tuple[Block, ...]
    cls: Branch
    loc: Branch
    adjusts: bool = True
    two_norms: bool = False
    lost_cells: int = 0

    @property
    def channels(self) -> int:
        """Of the features."""
        return self.blocks[-1].outputs


_BLOCKS = (
    Block(3, 16, 16, swish=False, stride=2),
    Block(3, 72, 24, squeezes=False, swish=False, stride=2),
    Block(3, 88, 24, squeezes=False, swish=False),
    Block(5, 96, 40, stride=2),
    Block(5, 240, 40),
    Block(5, 240, 40),
    Block(5, 120, 48),
    Block(5, 144, 48),
)
_SIX_LAYERS = ((3, 96),) * 6

VERSIONS = (
    Version(
        name="v1",
        arch="NanoTrackV1",
        blocks=_BLOCKS,
        cls=Branch("corr_pw", "cls_tower", "cls_logits", ((5, 128), (5, 128), (3, 128))),
        loc=Branch("corr_pw", "bbox_tower", "bbox_pred", ((3, 96), (3, 96), (5, 96), (5, 96))),
        adjusts=False,
    ),
    Version(
        name="v2",
        arch="NanoTrackV2",
        blocks=_BLOCKS,
        cls=Branch("corr_pw_cls", "cls_pw_tower", "cls_pred", _SIX_LAYERS),
        loc=Branch("corr_pw_reg", "bbox_pw_tower", "bbox_pred", _SIX_LAYERS),
    ),
    Version(
        name="v3",
        arch="NanoTrackV3",
        blocks=(*_BLOCKS, Block(5, 288, 96)),
        cls=Branch("corr_pw_cls", "cls_tower", "cls_logits", _SIX_LAYERS, ("corr_dw_cls", "down_cls")),
        loc=Branch("corr_pw_reg", "bbox_tower", "bbox_pred", _SIX_LAYERS, ("corr_dw_reg", "down_reg")),
        two_norms=True,
        lost_cells=1,
    ),
)


def version_of(name: str) -> Version:
    """The version that a path name asks for.

    Raises:
        ArchitectureError: for a name that is none.
    """
    for version in VERSIONS:
        if version.name == name:
            return version
    names = [version.name for version in VERSIONS]
    raise ArchitectureError(f"unknown version {name!r}, expected {', '.join(names)}{did_you_mean(name, names)}")


def dimensions(name: str, template_size: int, search_size: int) -> Dimensions:
    """A size is halved four times, rounding up; "score_cells" is the edge of the score map.

    Raises:
        ArchitectureError: for a name that is none.
        UsageError: for a template that the correlation has no channels for.
    """
    version = version_of(name)
    template_cells, search_cells = -(-template_size // STRIDE), -(-search_size // STRIDE)
    if template_cells != TEMPLATE_CELLS:
        smallest, largest = (TEMPLATE_CELLS - 1) * STRIDE + 1, TEMPLATE_CELLS * STRIDE
        raise UsageError(
            f"--template-size {template_size}: the features have {template_cells}x{template_cells} cells but the "
            f"correlation of {version.arch} is built for {TEMPLATE_CELLS}x{TEMPLATE_CELLS}; use {smallest} to "
            f"{largest}, it was trained with {largest - 1}"
        )
    scores = {"score_cells": search_cells - version.lost_cells}
    return Dimensions(template_size, search_size, STRIDE, version.channels, template_cells, search_cells, scores)


def ignores(key: str) -> bool:
    """Whether weights may have a key that the network does not have."""
    return key.startswith(UNUSED)


def closest(shapes: Shapes, expected: Mapping[str, Shapes]) -> str | None:
    """The version that weights look like: of whose tensors they have the largest share, and more than half of its head.

    Args:
        expected: path name to the shapes of its network.
    """
    shares = {
        name: _share(shapes, own)
        for name, own in expected.items()
        if _share(shapes, own, [key for key in own if key.startswith(HEAD)]) > 0.5
    }
    return max(shares, key=lambda name: shares[name], default=None)


def _share(shapes: Shapes, own: Shapes, keys: Collection[str] | None = None) -> float:
    """How many of a network's keys weights have, in the right shape, as a share of all."""
    keys = own.keys() if keys is None else keys
    return sum(shapes.get(key) == own[key] for key in keys) / len(keys)
