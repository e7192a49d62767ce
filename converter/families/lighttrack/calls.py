"""How LightTrack's own methods are called: the reference of every comparison."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from converter.families.family import Tensors, outputs_of

if TYPE_CHECKING:
    from torch import nn


@contextmanager
def _as_before(network: "nn.Module") -> Iterator[None]:
    """Nothing of the calls in the block stays on the network."""
    before = dict(network.__dict__)
    try:
        yield
    finally:
        network.__dict__.clear()
        network.__dict__.update(before)


def reference(network: "nn.Module", feed: Tensors) -> Tensors:
    """``template()`` and ``track()`` as they stand."""
    with outputs_of(network.features) as features:
        kept = template(network, feed)
        return {**kept, **track(network, kept, feed), "xf": features[-1]}


def template(network: "nn.Module", crop: Tensors) -> Tensors:
    """What the network remembers of a template: "zf"."""
    with _as_before(network):
        network.template(crop["z"])
        return {"zf": network.zf}


def track(network: "nn.Module", kept: Tensors, crop: Tensors) -> Tensors:
    """The answer for a search crop: "cls" and "reg"."""
    with _as_before(network):
        network.zf = kept["zf"]
        cls, reg = network.track(crop["x"])
        return {"cls": cls, "reg": reg}
