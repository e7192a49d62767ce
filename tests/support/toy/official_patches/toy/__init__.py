"""Toy: forward modes; there is no official checkout of it."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from official_patches.checkout import CheckoutError
from official_patches.patching import Patches, PatchSpec, UnknownNetworkError, answering

MODES: dict[str, Any] = {
    "template": lambda self, z: self.extract(z),
    "backbone": lambda self, x: self.extract(x),
    "update": lambda self, zf, x: self.answer(zf, self.extract(x)),
    "neck_head": lambda self, zf, xf: self.answer(zf, xf),
}


def _forward_mode(network: nn.Module, mode: str, activations: Sequence[str | None] = ()) -> PatchSpec:
    if mode not in MODES or not hasattr(network, "extract"):
        raise UnknownNetworkError(f"{type(network).__name__} has no mode {mode!r}, known are {', '.join(MODES)}")
    return answering(network, MODES[mode], activations, f"trace it as {mode}")


def _build(*_: Any, **__: Any) -> nn.Module:
    raise CheckoutError("there is no official checkout of the toy")


PATCHES = Patches(_forward_mode, lambda network, mode: (), _build, own_parts=lambda path_name: "")
