"""Build STARK-Lightning from an official checkout, on the CPU, without the libraries that it never calls."""

from collections.abc import Mapping
from typing import Any

import torch

from official_patches.checkout import CheckoutError, isolated
from official_patches.patching import BuildRequest, PatchSpec, patched

MODELS = "lib.models.stark.stark_lightning_x_trt"
CONFIG = "lib.config.stark_lightning_X_trt.config"
BUILDER = "build_stark_lightning_x_trt"
STRIDE = 16
OFFICIAL_HEAD = "rep_v2"  # what our configs call the head that the settings below name

# experiments/stark_lightning_X_trt/baseline_rephead_4_lite_search5.yaml, what of it the network depends on
SETTINGS = {
    "MODEL": {
        "BACKBONE": {"TYPE": "RepVGG-A0", "DILATION": False, "LAST_STAGE_BLOCK": 4},
        "HEAD_TYPE": "CORNER_LITE_REP_v2",
        "HEAD_DIM": 128,
        "HIDDEN_DIM": 128,
        "TRANSFORMER": {"NHEADS": 8, "DIM_FEEDFORWARD": 1024, "DROPOUT": 0.1},
    },
    "TRAIN": {"FREEZE_BACKBONE_BN": True, "DISTILL": False, "BACKBONE_MULTIPLIER": 0.1},
}


def build_official_stark(request: BuildRequest) -> torch.nn.Module:
    """The official network with its initial weights, and with the official corner head whatever the path name.

    Raises:
        CheckoutError: when the tree cannot be imported or the network cannot be built.
    """
    root = request.root
    sizes = {"SEARCH": request.search_size, "TEMPLATE": request.template_size}
    data = {"DATA": {name: {"SIZE": size, "FEAT_SIZE": size // STRIDE} for name, size in sizes.items()}}
    with isolated(root) as load:
        builder: Any = getattr(load(MODELS), BUILDER, None)
        if builder is None:
            raise CheckoutError(f"{root} has no {BUILDER} in {MODELS}")
        try:
            settings = load(CONFIG).cfg
            for part in (SETTINGS, data):
                _put(settings, part)
            # the official head asks for a GPU to keep its coordinates on
            to_cpu = PatchSpec(torch.Tensor, "cuda", lambda self, *_, **__: self.cpu(), "the network stays on the CPU")
            with patched(to_cpu):
                return builder(settings, phase="test")
        except CheckoutError:
            raise
        except Exception as error:  # whatever the checkout's own code raises
            reason = f"{type(error).__name__}: {error}"
            raise CheckoutError(f"{root}: building STARK-Lightning failed: {reason}") from error


def _put(settings: Any, values: Mapping[str, Any]) -> None:
    """Set the values, nested as they are, and leave others as the checkout has them."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            _put(getattr(settings, name), value)
        else:
            setattr(settings, name, value)
