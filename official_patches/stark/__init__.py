"""STARK-Lightning: forward modes, what a trace of them needs, and the network from an official checkout."""

from collections.abc import Callable
from pathlib import Path

from torch import nn

from official_patches.patching import Patches
from official_patches.stark.checkout import OFFICIAL_HEAD, build_official_stark
from official_patches.stark.modes import for_trace, forward_mode


def _build(
    root: Path,
    arch: str,
    *,
    path_name: str,
    template_size: int,
    search_size: int,
    stride: int,
    own: Callable[[], nn.Module],
) -> nn.Module:
    """A corner head that the checkout does not have is taken from our own network."""
    box_head = None if path_name == OFFICIAL_HEAD else own().box_head
    return build_official_stark(root, template_size=template_size, search_size=search_size, box_head=box_head)


def _own_parts(path_name: str) -> str:
    return "" if path_name == OFFICIAL_HEAD else "corner head"


PATCHES = Patches(forward_mode, for_trace, _build, _own_parts)
