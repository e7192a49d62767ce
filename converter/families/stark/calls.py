"""How the official tracker calls its network: the reference of every comparison."""

from typing import TYPE_CHECKING

from converter.families.family import Tensors, outputs_of
from converter.families.stark.variant import STRIDE

if TYPE_CHECKING:
    from torch import Tensor, nn

TEMPLATE, SEARCH = ("z", "template0"), ("x", "search")
MASK = "_mask"


def reference(network: "nn.Module", feed: Tensors) -> Tensors:
    """Every tensor of the config, computed by ``forward_backbone()`` and ``forward_transformer()`` as they stand.

    Args:
        network: in eval mode, official or our own.
        feed: "z" and "x", (1, 3, size, size); "z_mask" and "x_mask", (1, cells) with 1 where there is no image,
            or neither of them where all is image.
    """
    kept = template(network, feed)
    return {**kept, **track(network, kept, feed)}


def template(network: "nn.Module", feed: Tensors) -> Tensors:
    """What is kept of a template: "zv" and "zk", (1, tokens, 128), and its "z_mask" where it has one."""
    tokens = _tokens(network, feed, *TEMPLATE)
    kept = {"zv": _batch_first(tokens["feat"]), "zk": _batch_first(tokens["feat"] + tokens["pos"])}
    return kept | ({"z_mask": feed["z_mask"]} if "z_mask" in feed else {})


def track(network: "nn.Module", kept: Tensors, feed: Tensors) -> Tensors:
    """The answer for a search crop: "box", "corners" and "score", with "xv" and "xk" on the way."""
    import torch

    search = _tokens(network, feed, *SEARCH)
    feat, keys = search["feat"], search["feat"] + search["pos"]
    masks = [kept["z_mask"] > 0 if "z_mask" in kept else torch.zeros(kept["zv"].shape[:2], dtype=torch.bool)]
    with outputs_of(network.box_head.conv_tower) as scores, outputs_of(network.box_head) as corners:
        answer, *_ = network.forward_transformer(
            q=keys,
            k=torch.cat([_batch_first(kept["zk"]), keys]),
            v=torch.cat([_batch_first(kept["zv"]), feat]),
            key_padding_mask=torch.cat([*masks, search["mask"]], dim=1),
        )
    return {
        "box": answer["pred_boxes"],
        "corners": corners[-1],
        "score": scores[-1],
        "xv": _batch_first(feat),
        "xk": _batch_first(keys),
    }


def _tokens(network: "nn.Module", feed: Tensors, name: str, which: str) -> Tensors:
    import torch

    image, cells = feed[name], feed.get(name + MASK)
    if cells is None:
        mask = torch.zeros(image.shape[0], *image.shape[2:], dtype=torch.bool)
    else:
        side = image.shape[-1] // STRIDE
        mask = cells.reshape(-1, side, side).gt(0).repeat_interleave(STRIDE, 1).repeat_interleave(STRIDE, 2)
    tokens: Tensors = network.forward_backbone(image, which, mask)
    return tokens


def _batch_first(tokens: "Tensor") -> "Tensor":
    """(tokens, N, channels) to (N, tokens, channels), and back."""
    return tokens.transpose(0, 1).contiguous()
