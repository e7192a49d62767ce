"""LightTrack's supernet: which of its keys are a subnet's. Every choice has weights of its own, so nothing is sliced.

Source: ``lib/models/super_connect.py``, ``super_model_DP.py`` and ``backbone/models/hypernet.py`` of
researchmm/LightTrack @ 39c426f.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from converter.families.family import Shapes
from converter.families.lighttrack.path_name import (
    BLOCK_CHOICES,
    STAGE_BLOCKS,
    TOWER_CHANNELS,
    TOWER_KERNELS,
    TOWER_LAYERS,
    parse_path_name,
)
from converter.families.supernet import Supernet

if TYPE_CHECKING:
    from torch import nn

# stages behind the last output, classification, and towers that the supernet's forward never calls
_DEAD = re.compile(r"features\.(conv_head|classifier|meta_layer|blocks\.[56])\.|supernet_head\.cand_tower_reg\.")
EXAMPLE = "back_04502514044521042540+cls_211000022+reg_100000111_ops_32"


def renames(name: str) -> Iterator[tuple[str, str]]:
    """(part of the subnet, part of the supernet) of a path.

    The supernet's ``reg`` goes through a tower of ``cand_tower_cls``, as ``cls`` does, of its own width and layers.

    Raises:
        ArchitectureError: for a path name that the space does not have.
    """
    stages = parse_path_name(name).stages
    stage = len(stages) - 1
    back, cls, reg = re.findall(r"_([0-9]{9,})", name)
    yield "features.conv_stem", "features.conv_stem"
    yield "features.bn1", "features.bn1"
    yield "features.blocks.0.0", "features.blocks.0.0.0"
    choices = iter(back[1:])
    for index, blocks in enumerate(stages, 1):
        for block in range(len(blocks)):
            place = f"features.blocks.{index}.{block}"
            yield place, f"{place}.{next(choices)}"
    for norm in ("BN_z", "BN_x"):
        yield f"neck.{norm}", f"neck.{norm}.{stage - 1}"
    for part in ("pw_corr", "adj_layer"):
        yield f"feature_fusor.{part}", f"feature_fusor.{part}.{min(stage - 1, 1)}"  # stages 2 and 3 have one stride
    for tower, digits in (("cls_tower", cls), ("reg_tower", reg)):
        layers = [(layer, digit) for layer, digit in enumerate(digits[1:]) if TOWER_KERNELS[int(digit)]]
        for number, (layer, kernel) in enumerate(layers):
            yield f"head.{tower}.{number}", f"supernet_head.cand_tower_cls.{digits[0]}.tower.{layer}.{kernel}"
    yield "head.cls_perd", f"supernet_head.cand_head_cls.{cls[0]}"
    yield "head.reg_pred", f"supernet_head.cand_head_reg.{reg[0]}"


def _cover() -> Iterator[str]:
    """Each choice of block in all blocks, and each width and kernel of the towers; then the other stages' necks."""
    for choice, output in [*((choice, "33") for choice in range(len(BLOCK_CHOICES))), (0, "13"), (0, "23")]:
        kernel, width = divmod(choice, len(TOWER_CHANNELS))
        tower = str(width) + str(kernel) * TOWER_LAYERS
        yield f"back_0{str(choice) * sum(STAGE_BLOCKS)}0+cls_{tower}+reg_{tower}_ops_{output}"


def _recognise(shapes: Shapes) -> bool:
    return any(key.startswith("supernet_head.cand_") for key in shapes)


def _build(name: str, shapes: Shapes) -> "nn.Module":
    from converter.families.lighttrack.supernet import build

    return build(parse_path_name(name), shapes)


SUPERNET = Supernet(
    arch="LightTrackM_Supernet",
    subnets="LightTrackM_Subnet",
    recognise=_recognise,
    build=_build,
    renames=renames,
    ignores=lambda key: _DEAD.match(key) is not None,
    example=EXAMPLE,
    cover=tuple(_cover()),
)
