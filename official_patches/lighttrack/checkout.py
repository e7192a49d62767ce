"""Build LightTrack's networks from an official checkout."""

from pathlib import Path
from typing import Any

import torch

from official_patches.checkout import CheckoutError, UnknownArchError, isolated

MODELS = "lib.models.models"


def build_official(
    root: Path, arch: str, *, path_name: str, template_size: int, search_size: int, stride: int
) -> torch.nn.Module:
    """The official network with its initial weights, on the CPU.

    Args:
        root: the checkout, the folder that holds ``lib``.
        arch: a class of ``lib/models/models.py``.

    Raises:
        CheckoutError: when the tree cannot be imported or the constructor fails.
        UnknownArchError: when the checkout has no such class.
    """
    with isolated(root) as load:
        models = load(MODELS)
        try:
            network_class: Any = getattr(models, arch)
        except AttributeError:
            found = [name for name in vars(models) if name.startswith("LightTrack")]
            raise UnknownArchError(f"{root} has no {arch!r}; its models are {', '.join(found) or 'none'}") from None
        if arch == "LightTrackM_Speed" and not hasattr(network_class, "track"):
            # a fork's is the same network without template() and track(), which are our reference
            network_class = getattr(models, "LightTrackM_Subnet", network_class)
        try:
            return network_class(path_name, search_size=search_size, template_size=template_size, stride=stride)
        except CheckoutError:
            raise
        except Exception as error:  # whatever the checkout's own code raises
            raise CheckoutError(f"{root}: building {arch} failed: {type(error).__name__}: {error}") from error
