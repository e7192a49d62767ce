"""The network itself as a candidate: what a user has without any export."""

import numpy as np
import torch

from converter.bench.timed import Crop, TimedModel
from converter.network.load import load_network
from converter.network.reference import TorchModel
from converter.spec.model import TrackerModels
from converter.spec.options import NetworkOptions


class _InferenceModel(TorchModel):
    def template(self, z: np.ndarray, mask: np.ndarray | None = None) -> None:
        with torch.inference_mode():
            super().template(z, mask)

    def track(self, x: np.ndarray, mask: np.ndarray | None = None) -> dict[str, np.ndarray]:
        with torch.inference_mode():
            return super().track(x, mask)


def timed_network(options: NetworkOptions, tracker: TrackerModels, threads: int, z: Crop, x: Crop) -> TimedModel:
    """The network with its trained weights, eager, in inference mode, with a stopwatch.

    Raises:
        CheckpointError, ArchitectureError, DependencyError: as from :func:`converter.network.load.load_network`.
    """
    torch.set_num_threads(threads)
    network = load_network(options, tracker.dimensions.stride)
    return TimedModel(_InferenceModel.of(network.module, tracker), {}, z, x)
