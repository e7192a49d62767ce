"""Forward modes of STARK-Lightning as plain functions.

They act on anything that has the parts of the official ``STARKLightningXtrt``
(``lib/models/stark/stark_lightning_x_trt.py``). Its own methods keep the tokens' batch axis in the middle and
call torch's attention; pnnx loses the permutation between such tokens and the corner head and says nothing.
Here tokens are (batch, tokens, channels), attention is matrix products, and the tokens become a map again by
``transpose(1, 2)`` and a reshape.
"""

# mypy: allow-subclassing-any
# torch is not followed, so nn.Module is Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from official_patches.patching import Mode, PatchSpec, Shapes, UnknownNetworkError
from official_patches.stark.fusing import FusionError, fused_blocks

PARTS = {
    "": ("backbone", "bottleneck", "transformer", "box_head", "pos_emb_x", "pos_emb_z0"),
    "transformer": ("encoder",),
    "transformer.encoder": ("self_attn", "linear1", "linear2", "norm1", "norm2", "activation"),
    "box_head": ("conv_tower", "coord_x", "coord_y", "img_sz", "feat_sz"),
}
METHODS = ("forward_backbone", "forward_transformer")
# Taken off the score of a token that is masked: its share is 0 in float32, and half precision can still hold it.
MASKED = 1e4
Located = tuple[Tensor, Tensor, Tensor]
MIDDLE = 0.5  # of a crop, in both directions
BOX_OF_MIDDLE = torch.tensor([[MIDDLE, MIDDLE, 0.0, 0.0]])
# cx, cy, w, h (columns) of x1, y1, x2, y2 (rows)
BOX_OF_CORNERS = torch.tensor(
    [[0.5, 0.0, -1.0, 0.0], [0.0, 0.5, 0.0, -1.0], [0.5, 0.0, 1.0, 0.0], [0.0, 0.5, 0.0, 1.0]]
)


def template(self: nn.Module, z: Tensor) -> tuple[Tensor, Tensor]:
    """z (1, 3, T, T) -> values, keys (1, template tokens, channels)."""
    return tokens(self, z, self.pos_emb_z0)


def backbone(self: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """x (1, 3, S, S) -> values, keys (1, search tokens, channels)."""
    return tokens(self, x, self.pos_emb_x)


def head(
    self: nn.Module,
    zv: Tensor,
    zk: Tensor,
    xv: Tensor,
    xk: Tensor,
    z_mask: Tensor | None = None,
    x_mask: Tensor | None = None,
) -> Located:
    """Tokens of template and search crop -> box, corners (1, 4), score (1, 2, cells, cells).

    The box is its centre, width and height, the corners are x1, y1, x2, y2, all as fractions of the crop; the
    scores are of the top-left and of the bottom-right corner, before the softmax. Masks are (1, tokens), 1 where
    there is no image.
    """
    masks = None if z_mask is None else torch.cat([z_mask, x_mask], dim=1)
    seen = attention(self.transformer.encoder.self_attn, xk, torch.cat([zk, xk], 1), torch.cat([zv, xv], 1), masks)
    return located(self.box_head, score_maps(self.box_head, feed_forward(self.transformer.encoder, xk, seen)))


def update(
    self: nn.Module, zv: Tensor, zk: Tensor, x: Tensor, z_mask: Tensor | None = None, x_mask: Tensor | None = None
) -> Located:
    """Template tokens, x (1, 3, S, S) -> box, corners, score."""
    xv, xk = backbone(self, x)
    return head(self, zv, zk, xv, xk, z_mask, x_mask)


def tokens(self: nn.Module, image: Tensor, position: nn.Module) -> tuple[Tensor, Tensor]:
    """Values, and keys: the same with their position."""
    values = self.bottleneck(self.backbone(image)).flatten(2).transpose(1, 2)
    return values, values + position(1).flatten(2).transpose(1, 2)


def attention(
    module: nn.MultiheadAttention, queries: Tensor, keys: Tensor, values: Tensor, masks: Tensor | None
) -> Tensor:
    """What ``module`` gives, for (1, tokens, channels) and float masks (1, tokens) or None."""
    weights, biases = module.in_proj_weight.chunk(3), module.in_proj_bias.chunk(3)
    q, k, v = (
        _by_head(F.linear(value, weight, bias), module.num_heads)
        for value, weight, bias in zip((queries, keys, values), weights, biases, strict=True)
    )
    scores = torch.matmul(q * module.head_dim**-0.5, k.transpose(2, 3))
    if masks is not None:
        scores = scores - masks.reshape(1, 1, 1, -1) * MASKED
    seen = torch.matmul(scores.softmax(dim=-1), v)
    return module.out_proj(seen.transpose(1, 2).flatten(2))


def _by_head(values: Tensor, heads: int) -> Tensor:
    """(1, tokens, channels) to (1, heads, tokens, channels of one)."""
    return values.reshape(1, values.shape[1], heads, -1).transpose(1, 2)


def feed_forward(layer: nn.Module, queries: Tensor, seen: Tensor) -> Tensor:
    """The rest of the encoder layer; its dropouts do nothing in eval mode."""
    memory = layer.norm1(queries + seen)
    return layer.norm2(memory + layer.linear2(layer.activation(layer.linear1(memory))))


def score_maps(box_head: nn.Module, memory: Tensor) -> Tensor:
    """Tokens (1, cells * cells, channels) to (1, 2, cells, cells)."""
    cells = box_head.feat_sz
    return box_head.conv_tower(memory.transpose(1, 2).reshape(1, -1, cells, cells))


def located(box_head: nn.Module, score: Tensor) -> Located:
    """box, corners and score of the score maps, as :func:`head` gives them: mean places under the softmax.

    Places are counted from the middle of the crop until the end: on a flat map, where all of them nearly cancel,
    that costs fewer digits than counting from its edge.
    """
    places = torch.stack([box_head.coord_x, box_head.coord_y], dim=1).to(score) / box_head.img_sz - MIDDLE
    corners = torch.matmul(score.reshape(1, 2, -1).softmax(dim=-1), places).reshape(1, 4)
    return torch.matmul(corners, BOX_OF_CORNERS) + BOX_OF_MIDDLE, corners + MIDDLE, score


POSITIONS = ("pos_emb_x", "pos_emb_z0")
MODES = {
    "stark_template": Mode(template, unused=("transformer", "box_head", "pos_emb_x")),
    "stark_backbone": Mode(backbone, unused=("transformer", "box_head", "pos_emb_z0")),
    "stark_update": Mode(update, unused=("pos_emb_z0",)),
    "stark_head": Mode(head, unused=("backbone", "bottleneck", *POSITIONS)),
}


def for_trace(network: nn.Module, mode: str, shapes: Shapes) -> tuple[PatchSpec, ...]:
    """Fused blocks, and the positions, which depend on nothing, as numbers.

    Raises:
        UnknownNetworkError: for blocks that cannot be fused.
    """
    used = {name: part for name, part in network.named_children() if name not in MODES[mode].unused}
    constants = [
        PatchSpec(network, name, _Constant(used[name]), "a position is a constant")
        for name in POSITIONS
        if name in used
    ]
    try:
        return (*constants, *(patch for part in used.values() for patch in fused_blocks(part)))
    except FusionError as error:
        raise UnknownNetworkError(str(error)) from None


class _Constant(nn.Module):
    """What a module gives for one batch size, 1."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        with torch.no_grad():
            self.register_buffer("value", module(1).clone())
        self.eval()

    def forward(self, _: int) -> Tensor:
        return self.value


def check_parts(network: nn.Module) -> None:
    """Raises:
    UnknownNetworkError: for a network whose parts, or whose attention, these modes are not written for.
    """
    kind = type(network).__name__
    missing = [name for name in METHODS if not callable(getattr(network, name, None))]
    for where, names in PARTS.items():
        owner = network
        for step in filter(None, where.split(".")):
            owner = getattr(owner, step, None)
        missing += [".".join(filter(None, (where, name))) for name in names if not hasattr(owner, name)]
    if missing:
        raise UnknownNetworkError(f"{kind} has no {missing[0]!r}, expected the parts of STARKLightningXtrt")
    attention_of = network.transformer.encoder.self_attn
    usual = type(attention_of) is nn.MultiheadAttention and not attention_of.batch_first
    if not usual or attention_of.in_proj_bias is None or attention_of.bias_k is not None or attention_of.add_zero_attn:
        raise UnknownNetworkError(
            f"the attention of {kind} is a {type(attention_of).__name__} with other settings than the official one; "
            "expected torch's MultiheadAttention, tokens first, with biases"
        )
