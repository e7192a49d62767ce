"""STARK-Lightning without an official checkout: the same state-dict keys, parts and calling convention.

Source: ``lib/models/stark/stark_lightning_x_trt.py``, ``lite_encoder.py`` and ``position_encoding.py`` of
researchmm/Stark @ 162e1d3, with the settings of ``baseline_rephead_4_lite_search5.yaml``.
"""

# mypy: allow-subclassing-any
# torch is not followed, so nn.Module is Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from converter.families.stark.heads import corner_head
from converter.families.stark.repvgg import BACKBONE_CHANNELS, Backbone
from converter.families.stark.variant import STRIDE, TOKEN_CHANNELS, Variant

HEADS = 8
HIDDEN_CHANNELS = 1024


class PositionEmbedding(nn.Module):
    """One learned vector per column and per row of a square map: batch size to (batch, channels, cells, cells)."""

    def __init__(self, cells: int, channels: int) -> None:
        super().__init__()
        self.sz = cells
        self.row_embed = nn.Embedding(cells, channels // 2)
        self.col_embed = nn.Embedding(cells, channels // 2)

    def forward(self, batch: int) -> Tensor:
        columns = self.col_embed.weight.T[:, None, :].expand(-1, self.sz, -1)
        rows = self.row_embed.weight.T[:, :, None].expand(-1, -1, self.sz)
        return torch.cat([columns, rows])[None].repeat(batch, 1, 1, 1)


class EncoderLayer(nn.Module):
    """Search tokens look at template and search tokens; all are (tokens, batch, channels)."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(TOKEN_CHANNELS, HEADS)
        self.linear1 = nn.Linear(TOKEN_CHANNELS, HIDDEN_CHANNELS)
        self.linear2 = nn.Linear(HIDDEN_CHANNELS, TOKEN_CHANNELS)
        self.norm1 = nn.LayerNorm(TOKEN_CHANNELS)
        self.norm2 = nn.LayerNorm(TOKEN_CHANNELS)
        self.activation = F.relu

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
        seen = self.self_attn(queries, keys, values, key_padding_mask=mask)[0]
        tokens = self.norm1(queries + seen)
        return self.norm2(tokens + self.linear2(self.activation(self.linear1(tokens))))


class Transformer(nn.Module):
    """The one layer under the name that the official state dict has for it."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = EncoderLayer()

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.encoder(queries, keys, values, mask)


class StarkLightning(nn.Module):
    """The tracker with the official state-dict keys, parts and calling convention.

    Equivalent of ``STARKLightningXtrt``, and of it with its corner head replaced.

    Args:
        variant: the corner head.
        template_cells, search_cells: height and width of the feature maps.
    """

    def __init__(self, variant: Variant, template_cells: int, search_cells: int) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.transformer = Transformer()
        self.box_head = corner_head(variant, search_cells)
        self.pos_emb_x = PositionEmbedding(search_cells, TOKEN_CHANNELS)
        self.pos_emb_z0 = PositionEmbedding(template_cells, TOKEN_CHANNELS)
        self.bottleneck = nn.Conv2d(BACKBONE_CHANNELS, TOKEN_CHANNELS, 1)

    def forward_backbone(self, img: Tensor, zx: str, mask: Tensor) -> dict[str, Tensor]:
        """Tokens of an image.

        Args:
            img: (N, 3, S, S) float32, ImageNet-normalised RGB.
            zx: "template0" or "search".
            mask: (N, S, S) bool, true where there is no image.

        Returns:
            "feat" and "pos", (tokens, N, 128) float32, and "mask", (N, tokens) bool.
        """
        maps = self.bottleneck(self.backbone(img))
        position = (self.pos_emb_x if zx == "search" else self.pos_emb_z0)(len(img))
        cells = F.interpolate(mask[None].float(), size=maps.shape[-2:])[0] > 0
        feat, pos = (array.flatten(2).permute(2, 0, 1) for array in (maps, position))
        return {"feat": feat, "mask": cells.flatten(1), "pos": pos}

    def forward_transformer(
        self, q: Tensor, k: Tensor, v: Tensor, key_padding_mask: Tensor | None = None
    ) -> tuple[dict[str, Tensor], Tensor, None]:
        """The box that search tokens see.

        Args:
            q: (search tokens, N, 128) with position.
            k, v: (template and search tokens, N, 128) with and without position.
            key_padding_mask: (N, template and search tokens) bool, true where not to look.

        Returns:
            three values, of which the first has "pred_boxes": (N, 4) centre, width, height as fractions of the crop.
        """
        memory = self.transformer(q, k, v, key_padding_mask)
        cells = self.box_head.feat_sz
        maps = memory.permute(1, 2, 0).reshape(memory.shape[1], -1, cells, cells)
        x1, y1, x2, y2 = self.box_head(maps).unbind(1)
        box = torch.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], dim=1)
        return {"pred_boxes": box}, box, None


def build(variant: Variant, template_size: int, search_size: int) -> StarkLightning:
    """The network without weights, its parameters on the meta device."""
    with torch.device("meta"):
        return StarkLightning(variant, template_size // STRIDE, search_size // STRIDE)
