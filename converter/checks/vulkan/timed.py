"""A model on a Vulkan device in this process, to be timed: without pipes between it and whoever asks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from converter.checks.device.guest import Models
from converter.errors import ConversionError
from converter.proof.runner import check_feed
from converter.spec.tensors import GraphSpec


class VulkanRunner:
    """One ncnn graph on a device.

    Args:
        files: ``.param`` and ``.bin``.
        options: of ncnn, the device among them; see :func:`converter.checks.vulkan.process.ncnn_options`.

    Raises:
        ConversionError: when ncnn does not load the files, or not onto the device.
    """

    def __init__(self, files: Sequence[Path], graph: GraphSpec, options: Mapping[str, Any]) -> None:
        self.graph, self._models = graph, Models(options)
        param, weights = map(str, files)
        try:
            self._models.load({"name": graph.name, "param": param, "weights": weights}, {})
        except RuntimeError as error:
            raise ConversionError(f"ncnn-vulkan {graph.name}: {error}") from None

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the graph; arrays are float32, (1, C, H, W) in and out.

        Raises:
            ConversionError: on a wrong feed or when ncnn returns an error code or an empty blob.
        """
        check_feed(f"ncnn-vulkan {self.graph.name}", feed, self.graph.inputs)
        names = [tensor.name for tensor in self.graph.outputs]
        arrays = {name: array[0] for name, array in feed.items()}
        try:
            _, outputs = self._models.infer({"name": self.graph.name, "blobs": names}, arrays)
        except RuntimeError as error:
            raise ConversionError(f"ncnn-vulkan {self.graph.name}: {error}") from None
        return {name: outputs[name][np.newaxis] for name in names}
