"""The official supernet on one path of it, called as a subnet is."""

import types
from typing import Any

from torch import nn

from official_patches.checkout import CheckoutError, UnknownArchError, isolated
from official_patches.patching import BuildRequest

STAGES = (2, 4, 4, 4, 4)  # blocks of each, which the official constructor works out from its limit of multiply-adds


def build_supernet(request: BuildRequest) -> nn.Module:
    """The official supernet with its initial weights, on the CPU; ``template(z)`` and ``track(x)`` go along the path.

    The path is what the checkout's own ``name2path`` makes of its name.

    Args:
        request: ``arch`` is the supernet's class.

    Raises:
        CheckoutError: when the tree cannot be imported or the constructor fails.
        UnknownArchError: when the checkout has no such class.
    """
    root, arch = request.root, request.arch
    with isolated(root) as load:
        network_class: Any = getattr(load("lib.models.models"), arch, None)
        if network_class is None:
            raise UnknownArchError(f"{root} has no {arch!r}")
        try:
            back, head, output = load("lib.utils.transform").name2path(request.path_name, sta_num=STAGES)
            network = network_class(
                search_size=request.search_size, template_size=request.template_size, stride=request.stride
            )
        except CheckoutError:
            raise
        except Exception as error:  # whatever the checkout's own code raises
            raise CheckoutError(f"{root}: building {arch} failed: {type(error).__name__}: {error}") from error

    def template(self: Any, z: Any) -> None:
        network_class.template(self, z, back, output)

    def track(self: Any, x: Any) -> Any:
        return network_class.track(self, x, back, head, output)

    network.template, network.track = (types.MethodType(method, network) for method in (template, track))
    return network
