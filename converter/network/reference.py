"""The reference: the network's own methods, unpatched, in PyTorch on the CPU."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch

from converter.errors import ConversionError
from converter.families.family import Family, family_of
from converter.proof.feeds import Feed
from converter.proof.runner import check_feed
from converter.spec.model import TrackerModels
from converter.spec.network import TensorSpec

NONE: Mapping[str, str] = {}
ACTIVATIONS = {None: lambda tensor: tensor, "sigmoid": torch.sigmoid}


class _Network:
    """What both runners have.

    Args:
        network: the loaded network; put into eval mode by whoever loaded it.
        family: how to call it.
        inputs: the images, z and x.
        activations: meaning -> what the exported graphs do to that output of the network, "sigmoid".
    """

    def __init__(
        self,
        network: torch.nn.Module,
        family: Family,
        inputs: tuple[TensorSpec, ...],
        activations: Mapping[str, str] = NONE,
    ):
        _refuse_train_mode(network)
        self.network = network
        self.family = family
        self.inputs = inputs
        self.activations = activations

    @classmethod
    def of(cls, network: torch.nn.Module, tracker: TrackerModels) -> Self:
        """The network behind a tracker's models, with outputs as their graphs give them."""
        spec = tracker.network
        return cls(network, family_of(spec.family), tracker.images, spec.activations)


class TorchReference(_Network):
    """Answers for a template and a search crop as the official tracker would get them."""

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every tensor of the config (zf, xf, cls, reg) as a float32 array, NCHW."""
        check_feed("torch", feed, self.inputs)
        with torch.no_grad():
            tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in feed.items()}
            answers = _activated(self.family.reference(self.network, tensors), self.activations)
        return {name: tensor.numpy().copy() for name, tensor in answers.items()}


class TorchModel(_Network):
    """The network as a tracker calls it: ``template()`` once, then ``track()`` on every frame, both unpatched.

    What the template left is kept here and not on the network, so that several may share one.
    """

    remembered: Any = None

    def template(self, z: np.ndarray, mask: np.ndarray | None = None) -> None:
        """Remember a template crop, (1, 3, T, T) float32, and its mask, (1, cells), where there is one."""
        with torch.no_grad():
            self.remembered = self.family.template(self.network, self._crop("z", z, mask))

    def track(self, x: np.ndarray, mask: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """The answer for a search crop, (1, 3, S, S) float32, likewise: meaning -> float32 array."""
        with torch.no_grad():
            answers = self.family.track(self.network, self.remembered, self._crop("x", x, mask))
            answers = _activated(answers, self.activations)
        return {name: tensor.numpy() for name, tensor in answers.items()}

    def _crop(self, meaning, image, mask):
        given = {meaning: image} if mask is None else {meaning: image, f"{meaning}_mask": mask}
        return {name: self._tensor(name, array) for name, array in given.items()}

    def _tensor(self, meaning, array):
        check_feed("torch", {meaning: array}, [tensor for tensor in self.inputs if tensor.meaning == meaning])
        return torch.from_numpy(np.ascontiguousarray(array))


def _activated(answers, activations):
    return {name: ACTIVATIONS[activations.get(name)](tensor) for name, tensor in answers.items()}


def _refuse_train_mode(network):
    if any(module.training for module in network.modules()):
        raise ConversionError("the reference network is in train mode; its batch norms would answer otherwise")


def reference_outputs(
    network: torch.nn.Module, tracker: TrackerModels, feeds: Sequence[Feed]
) -> tuple[dict[str, np.ndarray], ...]:
    """What the unpatched network computes for every feed: tensors of the config by name."""
    reference = TorchReference.of(network, tracker)
    return tuple(reference.infer(feed.tensors) for feed in feeds)
