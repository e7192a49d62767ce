"""The networks of the family: which corner head they end in, written as a name and read from the weights."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from converter.errors import ArchitectureError

REP_HEAD, DSCONV_HEAD = "rep_v2", "dsconv_v3"
FEWEST_BLOCKS, MOST_BLOCKS = 2, 6
STRIDE = 16
TOKEN_CHANNELS = 128

_NAME = re.compile(rf"{DSCONV_HEAD}_(\d+)")
_REP_KEY = "box_head.conv_tower.0.rbr_dense.conv.weight"
_BLOCK_KEY = re.compile(r"box_head\.conv_tower\.(\d+)\.depthwise\.weight")


@dataclass(frozen=True)
class Variant:
    """A corner head.

    Attributes:
        head: ``rep_v2``, the official one, or ``dsconv_v3``, of depthwise-separable blocks.
        blocks: of those; 0 for the official head, which has no choice.
    """

    head: str
    blocks: int = 0

    @property
    def name(self) -> str:
        """``rep_v2``, ``dsconv_v3_2``, ..., ``dsconv_v3_6``."""
        return f"{self.head}_{self.blocks}" if self.blocks else self.head


def parse_variant(name: str) -> Variant:
    """The inverse of :attr:`Variant.name`.

    Raises:
        ArchitectureError: for a name that is none.
    """
    if name == REP_HEAD:
        return Variant(REP_HEAD)
    found = _NAME.fullmatch(name)
    if found and FEWEST_BLOCKS <= int(found[1]) <= MOST_BLOCKS:
        return Variant(DSCONV_HEAD, int(found[1]))
    raise ArchitectureError(
        f"unknown corner head {name!r}, expected {REP_HEAD} or {DSCONV_HEAD}_{FEWEST_BLOCKS} to "
        f"{DSCONV_HEAD}_{MOST_BLOCKS}"
    )


def recognise(shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """The variant that weights belong to, by their keys.

    Args:
        shapes: state-dict key to shape.
    """
    if _REP_KEY in shapes:
        return REP_HEAD
    blocks = sum(1 for key in shapes if _BLOCK_KEY.fullmatch(key))
    return Variant(DSCONV_HEAD, blocks).name if FEWEST_BLOCKS <= blocks <= MOST_BLOCKS else None
