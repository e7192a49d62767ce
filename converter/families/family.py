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
from converter.families.lighttrack import path_name
from converter.families.stark import calls, variant
from converter.spec.dimensions import Dimensions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Family:
    """What the rest of the converter asks of a family.

    A crop is a dict of tensors by meaning: "z" or "x", and "z_mask" or "x_mask" where the config has masks.

    Attributes:
        dimensions: (path_name, template_size, search_size) -> its dimensions. Raises ArchitectureError,
            UsageError.
        build: (path_name, template_size, search_size) -> our own network without weights (parameters on the
            meta device).
        reference: (network, both crops) -> every tensor of the config, computed by the network's own
            unpatched methods.
        template: (network, template crop) -> what the network remembers of a template, by the same methods.
        track: (network, what ``template`` gave, search crop) -> the answer, by meaning.
        recognise: {state-dict key: shape} -> the path name that such weights belong to, or None.
        settle: (path_name asked for, {state-dict key: shape}) -> the path name to build, where the asked one
            leaves it to the weights.
        ignores: (state-dict key) -> whether weights may have it although the network has not.
        covers: (path_name asked for, path_name that weights have) -> whether they are what was asked for.
        sizes: {state-dict key: shape} -> template and search size that weights are of; None where they are of any.
        words: (path_name) -> the option that asks for it.
        with_blocks: (path_name, blocks of the head) -> the path name with so many; None where there is no choice.
        arch: the name of the network to begin with.
        called: what a path name is.
        methods: the methods that make the reference.
        root: the environment variable that names an official checkout.
    """

    dimensions: Callable[[str, int, int], Dimensions]
    build: Callable[[str, int, int], Any]
    reference: Callable[[Any, dict[str, Any]], dict[str, Any]]
    template: Callable[[Any, dict[str, Any]], Any]
    track: Callable[[Any, Any, dict[str, Any]], dict[str, Any]]
    recognise: Callable[[dict[str, tuple[int, ...]]], str | None]
    settle: Callable[[str, dict[str, tuple[int, ...]]], str] = lambda asked, shapes: asked
    ignores: Callable[[str], bool] = lambda key: False
    covers: Callable[[str, str], bool] = lambda asked, found: asked == found
    sizes: Callable[[dict[str, tuple[int, ...]]], tuple[int, int] | None] = lambda shapes: None
    words: Callable[[str], str] = lambda name: f"--path-name {name}"
    with_blocks: Callable[[str, int], str] | None = None
    arch: str = "LightTrackM_Subnet"
    called: str = "path name"
    methods: str = "template() and track()"
    root: str = "LIGHTTRACK_ROOT"


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
    return Dimensions(template_size, search_size, stride, architecture.channels, template_cells, search_cells)


def _lighttrack_build(name, template_size, search_size=None):
    """Of any search size."""
    import torch

    from converter.families.lighttrack.subnet import Subnet

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
        zf = _lighttrack_template(network, feed)
        return {"zf": zf, **_lighttrack_track(network, zf, feed), "xf": features[-1]}
    finally:
        hook.remove()


def _lighttrack_template(network, crop):
    with _as_before(network):
        network.template(crop["z"])
        return network.zf


def _lighttrack_track(network, zf, crop):
    with _as_before(network):
        network.zf = zf
        cls, reg = network.track(crop["x"])
        return {"cls": cls, "reg": reg}


def _stark_build(name, template_size, search_size):
    from converter.families.stark.network import build

    return build(variant.parse_variant(name), template_size, search_size)


FAMILIES = {
    "lighttrack": Family(
        dimensions=_lighttrack_dimensions,
        build=_lighttrack_build,
        reference=_lighttrack_reference,
        template=_lighttrack_template,
        track=_lighttrack_track,
        recognise=path_name.recognise,
    ),
    "stark": Family(
        dimensions=variant.dimensions,
        build=_stark_build,
        reference=calls.reference,
        template=calls.template,
        track=calls.track,
        recognise=variant.recognise,
        settle=variant.settle,
        ignores=variant.ignores,
        covers=variant.covers,
        sizes=variant.sizes,
        words=variant.words,
        with_blocks=variant.with_blocks,
        arch="STARK_Lightning",
        called="corner head",
        methods="forward_backbone() and forward_transformer()",
        root="STARK_ROOT",
    ),
}
