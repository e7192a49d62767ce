"""LightTrack: forward modes, what a trace of them needs, and networks from an official checkout."""

from collections.abc import Callable
from pathlib import Path

from torch import nn

from official_patches.lighttrack.checkout import build_official
from official_patches.lighttrack.modes import for_trace, forward_mode
from official_patches.patching import Patches


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
    """All of it is the checkout's."""
    sizes = {"template_size": template_size, "search_size": search_size, "stride": stride}
    return build_official(root, arch, path_name=path_name, **sizes)


PATCHES = Patches(forward_mode, for_trace, _build, own_parts=lambda path_name: "")
