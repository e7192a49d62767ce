"""The reference: the network's own methods, unpatched, in PyTorch on the CPU."""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import torch

from converter.errors import ConversionError
from converter.families.family import Family, Tensors, family_of
from converter.proof.chain import SEARCH, TEMPLATE, shown
from converter.proof.feeds import Feed
from converter.proof.runner import check_feed
from converter.spec.model import TrackerModels
from converter.spec.tensors import TensorSpec
from official_patches.patching import ACTIVATIONS

NONE: Mapping[str, str] = {}


class TorchModel:
    """The network as the official tracker calls it: at once, or ``template`` once, then ``track`` on every frame.

    What the template left is kept here and not on the network, so that several may share one.

    Args:
        network: the loaded network; put into eval mode by whoever loaded it.
        family: how to call it.
        inputs: the images, z and x, and their masks where there are some.
        activations: meaning -> what the exported graphs do to that output of the network, "sigmoid".

    Raises:
        ConversionError: for a network in train mode.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        family: Family,
        inputs: tuple[TensorSpec, ...],
        activations: Mapping[str, str] = NONE,
    ) -> None:
        if any(module.training for module in network.modules()):
            raise ConversionError("the reference network is in train mode; its batch norms would answer otherwise")
        self.network = network
        self.family = family
        self.inputs = inputs
        self.activations = activations
        self.remembered: Tensors = {}

    @classmethod
    def of(cls, network: torch.nn.Module, tracker: TrackerModels) -> Self:
        """The network behind a tracker's models, with outputs as their graphs give them."""
        spec = tracker.network
        return cls(network, family_of(spec.family), tracker.images, spec.activations)

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every tensor of the config (zf, xf, cls, reg) as a float32 array, NCHW, for both crops."""
        with torch.no_grad():
            return self._arrays(self.family.reference(self.network, self._tensors(feed, self.inputs)))

    def template(self, z: np.ndarray, mask: np.ndarray | None = None) -> None:
        """Remember a template crop, (1, 3, T, T) float32, and its mask, (1, cells), where there is one."""
        with torch.no_grad():
            self.remembered = self.family.template(self.network, self._crop(TEMPLATE, z, mask))

    def track(self, x: np.ndarray, mask: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """The answer for a search crop, (1, 3, S, S) float32, likewise: meaning -> float32 array."""
        with torch.no_grad():
            return self._arrays(self.family.track(self.network, self.remembered, self._crop(SEARCH, x, mask)))

    def _crop(self, meaning: str, image: np.ndarray, mask: np.ndarray | None) -> Tensors:
        crop = shown(meaning, image, mask)
        return self._tensors(crop, [tensor for tensor in self.inputs if tensor.meaning in crop])

    def _tensors(self, feed: Mapping[str, np.ndarray], inputs: Sequence[TensorSpec]) -> Tensors:
        check_feed("torch", feed, inputs)
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in feed.items()}

    def _arrays(self, answer: Tensors) -> dict[str, np.ndarray]:
        """Copies, which a later run does not change."""
        activated = {name: ACTIVATIONS[self.activations.get(name)](tensor) for name, tensor in answer.items()}
        return {name: tensor.numpy().copy() for name, tensor in activated.items()}


def reference_outputs(
    network: torch.nn.Module, tracker: TrackerModels, feeds: Sequence[Feed]
) -> tuple[dict[str, np.ndarray], ...]:
    """What the unpatched network computes for every feed: tensors of the config by name."""
    reference = TorchModel.of(network, tracker)
    return tuple(reference.infer(feed.tensors) for feed in feeds)
