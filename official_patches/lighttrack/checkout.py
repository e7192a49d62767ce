"""Build LightTrack's networks from an official checkout."""

from typing import Any

from torch import nn

from official_patches.checkout import CheckoutError, UnknownArchError, isolated
from official_patches.patching import BuildRequest

MODELS = "lib.models.models"


def build_official(request: BuildRequest) -> nn.Module:
    """The official network with its initial weights, on the CPU.

    Args:
        request: ``arch`` is a class of ``lib/models/models.py``.

    Raises:
        CheckoutError: when the tree cannot be imported or the constructor fails.
        UnknownArchError: when the checkout has no such class.
    """
    root, arch = request.root, request.arch
    with isolated(root) as load:
        models = load(MODELS)
        try:
            network_class: Any = getattr(models, arch)
        except AttributeError:
            networks = [name for name in vars(models) if name.startswith("LightTrack")]
            raise UnknownArchError(f"{root} has no {arch!r}; its models are {', '.join(networks) or 'none'}") from None
        if arch == "LightTrackM_Speed" and not hasattr(network_class, "track"):
            # a fork's is the same network without template() and track(), which are our reference
            network_class = getattr(models, "LightTrackM_Subnet", network_class)
        try:
            return network_class(
                request.path_name,
                search_size=request.search_size,
                template_size=request.template_size,
                stride=request.stride,
            )
        except CheckoutError:
            raise
        except Exception as error:  # whatever the checkout's own code raises
            raise CheckoutError(f"{root}: building {arch} failed: {type(error).__name__}: {error}") from error
