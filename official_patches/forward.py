"""The forward modes of every family, by the name that a config gives them."""

from collections.abc import Sequence

from torch import nn

from official_patches.lighttrack import modes as lighttrack
from official_patches.lighttrack.folding import folded_norms
from official_patches.patching import PatchSpec
from official_patches.stark import modes as stark


def forward_mode(network: nn.Module, mode: str, activations: Sequence[str | None] = ()) -> PatchSpec:
    """The patch that makes ``network`` answer as ``mode`` when it is called; for :func:`patching.patched`.

    Args:
        activations: of the mode's outputs, in their order; keys of ``modes.ACTIVATIONS``.

    Raises:
        UnknownNetworkError: for an unknown mode or a network without the official parts.
    """
    return _family(mode).forward_mode(network, mode, activations)


def for_trace(network: nn.Module, mode: str) -> tuple[PatchSpec, ...]:
    """What else has to be in place while a mode is traced.

    Raises:
        UnknownNetworkError: for a network that cannot be traced.
    """
    if _family(mode) is stark:
        return stark.for_trace(network, mode)
    return (*folded_norms(network, mode), *lighttrack.without_unused(network, mode))


def _family(mode):
    return stark if mode in stark.MODES else lighttrack
