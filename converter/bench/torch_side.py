"""The network itself as a candidate: what a user has without any export."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from converter.bench.measure import PARTS
from converter.bench.timed import TimedModel
from converter.families.family import family_of
from converter.network.load import load_network
from converter.network.reference import TorchModel
from converter.spec.network import TensorSpec
from converter.spec.options import NetworkOptions


class _InferenceModel(TorchModel):
    def template(self, *crop: np.ndarray) -> None:
        with torch.inference_mode():
            super().template(*crop)

    def track(self, *crop: np.ndarray) -> Mapping[str, np.ndarray]:
        with torch.inference_mode():
            return super().track(*crop)


def timed_network(
    options: NetworkOptions,
    stride: int,
    images: Sequence[TensorSpec],
    threads: int,
    z: Sequence[np.ndarray],
    x: Sequence[np.ndarray],
) -> TimedModel:
    """The network with its trained weights, eager, in inference mode, with a stopwatch.

    Raises:
        CheckpointError, ArchitectureError, DependencyError: as from :func:`converter.network.load.load_network`.
    """
    torch.set_num_threads(threads)
    network = load_network(options, stride)
    model = _InferenceModel(
        network.module, family_of(options.network.family), tuple(images), options.network.activations
    )
    return TimedModel(model, {part: {} for part in PARTS}, z, x)
