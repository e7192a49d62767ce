"""The reference: the network's own methods, unpatched, in PyTorch on the CPU."""

from collections.abc import Mapping

import numpy as np
import torch

from converter.errors import ConversionError
from converter.networks import Family
from converter.runners import check_feed
from converter.spec import TensorSpec


class TorchReference:
    """Answers for a template and a search crop as the official tracker would get them.

    Args:
        network: the loaded network; put into eval mode by whoever loaded it.
        family: how to call it.
        inputs: the images, z and x.
    """

    def __init__(self, network: torch.nn.Module, family: Family, inputs: tuple[TensorSpec, ...]):
        if any(module.training for module in network.modules()):
            raise ConversionError("the reference network is in train mode; its batch norms would answer otherwise")
        self.network = network
        self.family = family
        self.inputs = inputs

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every tensor of the config (zf, xf, cls, reg) as a float32 array, NCHW."""
        check_feed("torch", feed, self.inputs)
        with torch.no_grad():
            tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in feed.items()}
            answers = self.family.reference(self.network, tensors)
        return {name: tensor.numpy().copy() for name, tensor in answers.items()}
