"""Build NanoTrack from an official checkout, on the CPU, without the libraries that it never calls."""

from typing import Any

from torch import nn

from official_patches.checkout import CheckoutError, isolated
from official_patches.patching import BuildRequest

PACKAGE = "nanotrack"
BUILDER = f"{PACKAGE}.models.model_builder"
CONFIG = f"{PACKAGE}.core.config"
HEAD = "DepthwiseBAN"
# Of a version: the backbone that models/config/configv1.yaml to configv3.yaml name, and where its head is defined.
# nanotrack/models/head/__init__.py imports one of the three heads, the others are commented out.
BACKBONES = {"v1": "mobilenetv3_small", "v2": "mobilenetv3_small", "v3": "mobilenetv3_small_v3"}
HEADS = {version: f"{PACKAGE}.models.head.ban_{version}" for version in BACKBONES}


def build_official_nanotrack(request: BuildRequest) -> nn.Module:
    """The official network with its initial weights and the head of the version asked for, without its neck.

    Raises:
        CheckoutError: when the tree cannot be imported or the network cannot be built.
    """
    root, version = request.root, request.path_name
    with isolated(root, PACKAGE) as load:
        builder, head = (
            _found(load(module), name, root) for module, name in ((BUILDER, "ModelBuilder"), (HEADS[version], HEAD))
        )
        try:
            settings = load(CONFIG).cfg
            settings.BACKBONE.TYPE = BACKBONES[version]
            settings.ADJUST.ADJUST = False  # the neck, which is never called
            settings.BAN.BAN = False  # the head of whichever version is imported
            network: nn.Module = builder()
            network.ban_head = head()
            return network
        except CheckoutError:
            raise
        except Exception as error:  # whatever the checkout's own code raises
            reason = f"{type(error).__name__}: {error}"
            raise CheckoutError(f"{root}: building NanoTrack {version} failed: {reason}") from error


def _found(module: Any, name: str, root: object) -> Any:
    if not hasattr(module, name):
        raise CheckoutError(f"{root} has no {name} in {module.__name__}")
    return getattr(module, name)
