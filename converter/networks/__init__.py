"""Tracker families: what a config's ``family`` names.

A family is its config, its network and its forward modes. Importing this package does not import
torch; building a network does.
"""

import logging
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from converter.errors import UsageError
from converter.networks import path_name

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Family:
    """What the rest of the converter asks of a family.

    Attributes:
        dimensions: (path_name, template_size, search_size) -> the numbers behind the names that the
            config's tensor shapes use. Raises ArchitectureError or UsageError.
        build: (path_name, template_size) -> our own network without weights (parameters on the meta device).
        reference: (network, {"z", "x"} tensors) -> every tensor of the config, computed by the
            network's own unpatched methods.
        template: (network, z) -> what the network remembers of a template, by the same methods.
        track: (network, what ``template`` gave, x) -> the answer for a search crop, by meaning.
        recognise: {state-dict key: shape} -> the path name that such weights belong to, or None.
    """

    dimensions: Callable[[str, int, int], dict[str, int]]
    build: Callable[[str, int], Any]
    reference: Callable[[Any, dict[str, Any]], dict[str, Any]]
    template: Callable[[Any, Any], Any]
    track: Callable[[Any, Any, Any], dict[str, Any]]
    recognise: Callable[[dict[str, tuple[int, ...]]], str | None]


def _lighttrack_dimensions(name, template_size, search_size):
    """Shapes follow the convolutions (a size is halved, rounding up); the correlation layer's width follows
    the official ``round(template_size / stride) ** 2``, so a template where the two differ has no network."""
    architecture = path_name.parse_path_name(name)
    stride = architecture.stride
    template_cells, search_cells = -(-template_size // stride), -(-search_size // stride)
    if round(template_size / stride) != template_cells:
        raise UsageError(
            f"--template-size {template_size}: the features have {template_cells}x{template_cells} cells but the "
            f"official correlation layer is built for {round(template_size / stride)}x"
            f"{round(template_size / stride)} (stride {stride}); use a multiple of {stride}, or one less"
        )
    if round(search_size / stride) != search_cells:
        log.warning(
            "search size %d: the network answers with %dx%d cells, the official tracker counts round(%d / %d) = %d",
            *(search_size, search_cells, search_cells, search_size, stride, round(search_size / stride)),
        )
    return {
        "template_size": template_size,
        "search_size": search_size,
        "stride": stride,
        "channels": architecture.channels,
        "template_cells": template_cells,
        "search_cells": search_cells,
    }


def _lighttrack_build(name, template_size):
    import torch

    from converter.networks.subnet import Subnet

    architecture = path_name.parse_path_name(name)
    with torch.device("meta"):
        return Subnet(architecture, -(-template_size // architecture.stride))


@contextmanager
def _as_before(network):
    """Nothing of the calls in the block stays on the network."""
    before = dict(network.__dict__)
    try:
        yield
    finally:
        network.__dict__.clear()
        network.__dict__.update(before)


def _lighttrack_reference(network, feed):
    """``template()`` and ``track()`` as they stand."""
    features = []
    hook = network.features.register_forward_hook(lambda module, inputs, output: features.append(output))
    try:
        zf = _lighttrack_template(network, feed["z"])
        return {"zf": zf, **_lighttrack_track(network, zf, feed["x"]), "xf": features[-1]}
    finally:
        hook.remove()


def _lighttrack_template(network, z):
    with _as_before(network):
        network.template(z)
        return network.zf


def _lighttrack_track(network, zf, x):
    with _as_before(network):
        network.zf = zf
        cls, reg = network.track(x)
        return {"cls": cls, "reg": reg}


FAMILIES = {
    "lighttrack": Family(
        dimensions=_lighttrack_dimensions,
        build=_lighttrack_build,
        reference=_lighttrack_reference,
        template=_lighttrack_template,
        track=_lighttrack_track,
        recognise=path_name.recognise,
    )
}
