"""The networks of the family: which corner head they end in, written as a name and read from the weights."""

import re
from dataclasses import dataclass

from converter.errors import ArchitectureError, UsageError, did_you_mean
from converter.families.family import Shapes
from converter.spec.dimensions import Dimensions

REP_HEAD, DSCONV_HEAD = "rep_v2", "dsconv_v3"
ANY_HEAD = "any"
FEWEST_BLOCKS, MOST_BLOCKS = 2, 6
STRIDE = 16
TOKEN_CHANNELS = 128

_NAME = re.compile(rf"{DSCONV_HEAD}_([0-9]{{1,2}})")
_REP_KEY = "box_head.conv_tower.0.rbr_dense.conv.weight"
# What official code drops, or may keep, beside the network's own: counters of norms that are frozen, and the
# coordinates of the cells.
_IGNORED = re.compile(r"backbone\..*\.num_batches_tracked|box_head\.(coord_x|coord_y|indice)")
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
        f"{DSCONV_HEAD}_{MOST_BLOCKS}; {DSCONV_HEAD} or {ANY_HEAD} leave it to the checkpoint"
        f"{did_you_mean(name, _names())}"
    )


def _names() -> list[str]:
    """Everything that can be asked for."""
    numbered = (Variant(DSCONV_HEAD, blocks).name for blocks in range(FEWEST_BLOCKS, MOST_BLOCKS + 1))
    return [REP_HEAD, *numbered, DSCONV_HEAD, ANY_HEAD]


def with_blocks(name: str, blocks: int) -> str:
    """The name of a network asked for by ``--head-blocks`` beside a name.

    Raises:
        UsageError: for a head without such blocks, for a number that there is not, and for two numbers.
    """
    if not FEWEST_BLOCKS <= blocks <= MOST_BLOCKS:
        raise UsageError(f"--head-blocks {blocks}: expected {FEWEST_BLOCKS} to {MOST_BLOCKS}")
    found = Variant(DSCONV_HEAD, blocks).name
    if name not in (ANY_HEAD, DSCONV_HEAD, found):
        raise UsageError(f"--head-blocks {blocks}: the corner head asked for is {name}, expected {DSCONV_HEAD}")
    return found


def covers(asked: str, recognised: str) -> bool:
    """Whether a network is what was asked for."""
    return asked in (ANY_HEAD, recognised) or (asked == DSCONV_HEAD and recognised.startswith(DSCONV_HEAD))


def sizes(shapes: Shapes) -> tuple[int, int] | None:
    """Template and search size that weights are of, by the number of their positions."""
    cells = [shapes.get(f"pos_emb_{image}.row_embed.weight", ())[:1] for image in ("z0", "x")]
    return (cells[0][0] * STRIDE, cells[1][0] * STRIDE) if all(cells) else None


def words(name: str) -> str:
    """The option that asks for a network."""
    blocks = parse_variant(name).blocks
    return f"--head-blocks {blocks}" if blocks else f"--path-name {name}"


def settle(asked: str, shapes: Shapes) -> str:
    """The network to build for weights, where the asked name leaves a choice.

    Args:
        asked: the name of a variant, ``dsconv_v3`` or ``any``.
        shapes: state-dict key to shape.
    """
    found = recognise(shapes)
    if asked == ANY_HEAD:
        return found or REP_HEAD
    if asked == DSCONV_HEAD:
        return found if found and found != REP_HEAD else Variant(DSCONV_HEAD, FEWEST_BLOCKS).name
    return asked


def ignores(key: str) -> bool:
    """Whether weights may have a key that the network does not have."""
    return _IGNORED.fullmatch(key) is not None


def dimensions(name: str, template_size: int, search_size: int) -> Dimensions:
    """The same for every corner head.

    Raises:
        ArchitectureError: for a name that is none.
        UsageError: for a size that the official code cannot build: positions are learned, one per cell.
    """
    if name not in (ANY_HEAD, DSCONV_HEAD):
        parse_variant(name)
    for option, size in (("--template-size", template_size), ("--search-size", search_size)):
        if size % STRIDE:
            raise UsageError(f"{option} {size}: expected a multiple of {STRIDE}, the stride of STARK-Lightning")
    template_cells, search_cells = template_size // STRIDE, search_size // STRIDE
    tokens = {"template_tokens": template_cells**2, "search_tokens": search_cells**2}
    return Dimensions(template_size, search_size, STRIDE, TOKEN_CHANNELS, template_cells, search_cells, tokens)


def recognise(shapes: Shapes) -> str | None:
    """The variant that weights belong to, by their keys.

    Args:
        shapes: state-dict key to shape.
    """
    if _REP_KEY in shapes:
        return REP_HEAD
    blocks = sum(1 for key in shapes if _BLOCK_KEY.fullmatch(key))
    return Variant(DSCONV_HEAD, blocks).name if FEWEST_BLOCKS <= blocks <= MOST_BLOCKS else None
