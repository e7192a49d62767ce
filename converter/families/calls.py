"""How a siamese network's own ``template()`` and ``track()`` are called: the reference of every comparison."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Calls:
    """Of networks that keep a template's features as ``zf`` on themselves.

    Attributes:
        backbone: the part whose output is the features.
        answer: what ``track()`` gives, by these names or in this order.
    """

    backbone: str
    answer: tuple[str, ...]

    def reference(self, network: "nn.Module", feed: Tensors) -> Tensors:
        """``template()`` and ``track()`` as they stand, and "xf" on the way."""
        with outputs_of(getattr(network, self.backbone)) as features:
            kept = self.template(network, feed)
            return {**kept, **self.track(network, kept, feed), "xf": features[-1]}

    def template(self, network: "nn.Module", crop: Tensors) -> Tensors:
        """What the network remembers of a template: "zf"."""
        with _as_before(network):
            network.template(crop["z"])
            return {"zf": network.zf}

    def track(self, network: "nn.Module", kept: Tensors, crop: Tensors) -> Tensors:
        """The answer for a search crop."""
        with _as_before(network):
            network.zf = kept["zf"]
            answer = network.track(crop["x"])
        if isinstance(answer, Mapping):
            return {name: answer[name] for name in self.answer}
        return dict(zip(self.answer, answer, strict=True))
