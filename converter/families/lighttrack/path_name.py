"""Path names: the one-line description of a searched LightTrack network.

``back_04502514044521042540+cls_211000022+reg_100000111_ops_32`` (LightTrack-Mobile) reads

* ``back_``: a head digit 0, the choices of 2+4+4+4+4 backbone blocks, a tail digit 0. A choice from
  0 to 5 is a kernel and an expansion: 3x3/4, 3x3/6, 5x5/4, 5x5/6, 7x7/4, 7x7/6.
* ``cls_``, ``reg_``: the tower's channels (0, 1, 2 = 128, 192, 256) and eight layers
  (0 = 3x3, 1 = 5x5, 2 = skip; the first layer may not skip).
* ``ops_``: the stage (1, 2, 3) and the block in it whose output is the feature map.

Source: ``lib/utils/transform.py`` and ``lib/models/models.py`` of researchmm/LightTrack @ 39c426f.
No torch here: a bad name is refused before anything slow is imported.
"""

import math
import re
from dataclasses import dataclass

from converter.errors import ArchitectureError
from converter.families.family import Shapes

STAGE_BLOCKS = (2, 4, 4, 4, 4)
STAGE_CHANNELS = (24, 40, 80, 96, 192)
STAGE_STRIDES = (4, 8, 16, 16, 32)
OUTPUT_STAGES = (1, 2, 3)
BLOCK_CHOICES = ((3, 4), (3, 6), (5, 4), (5, 6), (7, 4), (7, 6))
TOWER_CHANNELS = (128, 192, 256)
TOWER_KERNELS = (3, 5, 0)
TOWER_LAYERS = 8

_FORM = "back_<20 digits>+cls_<9 digits>+reg_<9 digits>_ops_<2 digits>"


@dataclass(frozen=True)
class Tower:
    """A prediction tower: its channels and the kernel size of every layer that does not skip."""

    channels: int
    kernels: tuple[int, ...]


@dataclass(frozen=True)
class Architecture:
    """What a path name describes.

    Attributes:
        name: the path name itself.
        stages: per stage that is built, (kernel, expansion) of every block, cut off behind the output block.
        cls, reg: the two towers.
        channels: channels of the feature map, 40, 80 or 96.
        stride: input pixels per cell of the feature map, 8 or 16.
    """

    name: str
    stages: tuple[tuple[tuple[int, int], ...], ...]
    cls: Tower
    reg: Tower
    channels: int
    stride: int


def parse_path_name(name: str) -> Architecture:
    """Read a path name.

    Raises:
        ArchitectureError: naming the part that is wrong, what it is and what it may be.
    """
    match = re.fullmatch(r"back_(?P<back>.*)\+cls_(?P<cls>.*)\+reg_(?P<reg>.*)_ops_(?P<ops>.*)", name)
    if match is None:
        missing = [marker for marker in ("back_", "+cls_", "+reg_", "_ops_") if marker not in name]
        found = f"without {' and '.join(map(repr, missing))}" if missing else "with its parts out of order"
        raise ArchitectureError(f"path name {name!r}: found {found}, expected {_FORM}")
    blocks = sum(STAGE_BLOCKS)
    back = _digits(name, "backbone", match["back"], ("0", *["012345"] * blocks, "0"))
    towers = {
        part: _digits(name, f"{part} tower", match[part], ("012", "01", *["012"] * (TOWER_LAYERS - 1)))
        for part in ("cls", "reg")
    }
    ops = _digits(name, "ops", match["ops"], ("123", "0123"))
    stage, block = ops
    choices = iter(BLOCK_CHOICES[digit] for digit in back[1:-1])
    stages = [tuple(next(choices) for _ in range(count)) for count in STAGE_BLOCKS[: stage + 1]]
    stages[stage] = stages[stage][: block + 1]
    return Architecture(
        name=name,
        stages=tuple(stages),
        cls=_tower(towers["cls"]),
        reg=_tower(towers["reg"]),
        channels=STAGE_CHANNELS[stage],
        stride=STAGE_STRIDES[stage],
    )


def _digits(name: str, part: str, text: str, allowed: tuple[str, ...]) -> list[int]:
    """The digits of one part, or an error that says which digit of which part is wrong."""
    if len(text) != len(allowed):
        raise ArchitectureError(
            f"path name {name!r}: the {part} part {text!r} has {len(text)} digits, expected {len(allowed)}"
        )
    for position, (digit, choices) in enumerate(zip(text, allowed, strict=True), 1):
        if digit not in choices:
            what = _describe(part, position)
            raise ArchitectureError(
                f"path name {name!r}: digit {position} of the {part} part ({what}) is {digit!r}, "
                f"expected {' or '.join(choices) if len(choices) < 3 else f'{choices[0]} to {choices[-1]}'}"
            )
    return [int(digit) for digit in text]


def _describe(part: str, position: int) -> str:
    if part == "backbone":
        if position == 1:
            return "the head"
        if position == sum(STAGE_BLOCKS) + 2:
            return "the tail"
        index = position - 2
        for stage, count in enumerate(STAGE_BLOCKS):
            if index < count:
                return f"block {index} of stage {stage}"
            index -= count
    if part == "ops":
        return "the stage" if position == 1 else "the block"
    return "the channels" if position == 1 else f"layer {position - 2}"


def _tower(digits: list[int]) -> Tower:
    kernels = (TOWER_KERNELS[digit] for digit in digits[1:])
    return Tower(TOWER_CHANNELS[digits[0]], tuple(kernel for kernel in kernels if kernel))


def recognise(shapes: Shapes) -> str | None:
    """A path name whose network has the kernels, channels and depth that these weights show, or None.

    Choices that leave no trace in the weights (blocks behind the output, the places of skipped
    tower layers) are written as 0 and as trailing skips, so the name is equivalent, not always equal,
    to the one the network was trained under. Whether all keys fit has still to be checked.

    Args:
        shapes: state-dict key to shape.
    """
    depth: dict[int, int] = {}
    for key in shapes:
        if found := re.fullmatch(r"features\.blocks\.([0-9]{1,3})\.([0-9]{1,3})\.conv_dw\.weight", key):
            stage, block = int(found[1]), int(found[2])
            depth[stage] = max(depth.get(stage, 0), block)
    if not depth or max(depth) - 1 not in OUTPUT_STAGES or depth[max(depth)] >= STAGE_BLOCKS[max(depth) - 1]:
        return None
    try:
        back = "".join(
            str(_block_choice(shapes, stage, block)) if block <= depth.get(stage, -1) else "0"
            for stage, count in enumerate(STAGE_BLOCKS, 1)
            for block in range(count)
        )
        cls, reg = (_tower_digits(shapes, f"head.{part}_tower") for part in ("cls", "reg"))
    except (KeyError, ValueError, IndexError, ZeroDivisionError):
        return None
    return f"back_0{back}0+cls_{cls}+reg_{reg}_ops_{max(depth) - 1}{depth[max(depth)]}"


def sizes(shapes: Shapes, asked: tuple[int, int]) -> tuple[int, int]:
    """The sizes of template and search crop that weights are of: the correlation has a channel per template cell.

    Args:
        asked: taken where they fit; of the search crop any does.
    """
    channels, name = shapes.get("feature_fusor.pw_corr.CA_layer.fc1.weight"), recognise(shapes)
    if not channels or name is None:
        return asked
    stride, cells = parse_path_name(name).stride, math.isqrt(channels[0])
    return asked if -(-asked[0] // stride) == cells else (cells * stride - 1, asked[1])


def _block_choice(shapes: Shapes, stage: int, block: int) -> int:
    prefix = f"features.blocks.{stage}.{block}"
    expanded, channels = shapes[f"{prefix}.conv_pw.weight"][:2]
    kernel = shapes[f"{prefix}.conv_dw.weight"][-1]
    return BLOCK_CHOICES.index((kernel, expanded // channels))


def _tower_digits(shapes: Shapes, prefix: str) -> str:
    kernels = ""
    while shape := shapes.get(f"{prefix}.{len(kernels)}.conv1.weight"):
        kernels += str(TOWER_KERNELS.index(shape[-1]))
    if not 1 <= len(kernels) <= TOWER_LAYERS:
        raise ValueError(prefix)
    channels = TOWER_CHANNELS.index(shapes[f"{prefix}.0.pointwise.weight"][0])
    return f"{channels}{kernels:2<{TOWER_LAYERS}}"
