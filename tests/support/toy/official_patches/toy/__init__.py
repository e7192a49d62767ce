"""Toy: forward modes; there is no official checkout of it."""

from torch import nn

from official_patches.checkout import CheckoutError
from official_patches.patching import BuildRequest, Mode, Patches, UnknownNetworkError

MODES = {
    "template": Mode(lambda self, z: self.extract(z), unused=("cls", "reg")),
    "backbone": Mode(lambda self, x: self.extract(x), unused=("cls", "reg")),
    "update": Mode(lambda self, zf, x: self.answer(zf, self.extract(x))),
    "neck_head": Mode(lambda self, zf, xf: self.answer(zf, xf), unused=("features",)),
}


def _check_parts(network: nn.Module) -> None:
    if not hasattr(network, "extract"):
        raise UnknownNetworkError(f"{type(network).__name__} has no 'extract', expected a ToyNet")


def _build(request: BuildRequest) -> nn.Module:
    raise CheckoutError("there is no official checkout of the toy")


PATCHES = Patches(
    modes=MODES,
    check_parts=_check_parts,
    reason="is not defined",
    also_for_trace=lambda network, mode, shapes: (),
    build=_build,
    own_parts=lambda path_name: {},
)
