"""How the network of every family is built from an official checkout."""

from collections.abc import Callable
from pathlib import Path

from torch import nn

from official_patches.checkout import build_official
from official_patches.stark.checkout import OFFICIAL_HEAD, build_official_stark

Own = Callable[[], nn.Module]


def _lighttrack(
    root: Path, arch: str, *, path_name: str, template_size: int, search_size: int, stride: int, own: Own
) -> nn.Module:
    sizes = {"template_size": template_size, "search_size": search_size, "stride": stride}
    return build_official(root, arch, path_name=path_name, **sizes)


def _stark(
    root: Path, arch: str, *, path_name: str, template_size: int, search_size: int, stride: int, own: Own
) -> nn.Module:
    """A corner head that the checkout does not have is taken from our own network."""
    box_head = None if path_name == OFFICIAL_HEAD else own().box_head
    return build_official_stark(root, template_size=template_size, search_size=search_size, box_head=box_head)


def own_parts(family: str, path_name: str) -> str:
    """What of such a network cannot come from a checkout, in words; empty where all does."""
    return "corner head" if family == "stark" and path_name != OFFICIAL_HEAD else ""


# (root, arch, *, path_name, template_size, search_size, stride, own): the last gives our own network, without weights
BUILDERS = {"lighttrack": _lighttrack, "stark": _stark}
