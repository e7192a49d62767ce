"""A whole ncnn graph in torch, layer by layer, at a precision: what the half runs are simulated with."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from converter.checks.half.arithmetic import halved
from converter.checks.half.layers import forward
from converter.checks.half.masks import computes_in_float
from converter.checks.half.products import sum_bound
from converter.checks.half.step import NotAnalysed, Step
from converter.formats.ncnn.param import Layer, NcnnGraph
from converter.formats.ncnn.weights import NcnnWeights

AGREES = 1e-4
PASSED_ON = ("Split", "Noop")


@dataclass(frozen=True)
class Precision:
    """What is a half in a run.

    Attributes:
        name: as in the report.
        about: what is modelled, in words.
        blobs: between the layers, weights always.
        sums: and inside the layers.
    """

    name: str
    about: str
    blobs: bool
    sums: bool


PRECISIONS = (
    Precision("half weights", "weights rounded to half, everything else float32", False, False),
    Precision("half storage", "weights and every blob rounded to half, float32 inside the layers", True, False),
    Precision("half arithmetic", "as half storage, and every sum inside a layer made in half", True, True),
)


class HalfNetwork:
    """The layers of a graph with their weights.

    Args:
        graph, weights: both files of a model.
    """

    def __init__(self, graph: NcnnGraph, weights: NcnnWeights):
        self.graph = graph
        self.exact = [
            {stored.role: torch.from_numpy(stored.values().copy()) for stored in arrays} for arrays in weights.arrays
        ]
        tagged = [{stored.role for stored in arrays if stored.tag is not None} for arrays in weights.arrays]
        self.rounded = [
            {role: halved(values) if role in roles else values for role, values in arrays.items()}
            for arrays, roles in zip(self.exact, tagged, strict=True)
        ]

    def check(self, index: int, known: Mapping[str, np.ndarray]) -> tuple[float | None, str | None]:
        """One layer by itself on ncnn's own float32 blobs.

        Returns:
            the bound of its sums (None where it has none in half), and why the layer cannot be simulated
            (None when its output is ncnn's).
        """
        layer = self.graph.layers[index]
        if layer.type == "Input":
            return None, None
        inputs = [torch.from_numpy(known[blob]) for blob in layer.inputs]
        expected = known[layer.outputs[0]]
        step = Step(layer, self.exact[index], inputs, expected.shape, half=False)
        try:
            bound = sum_bound(step)
            found = forward(step).numpy()
        except NotAnalysed as error:
            return None, str(error)
        if not np.isfinite(expected).all():
            return bound, None
        off = float(np.abs(found - expected).max(initial=0))
        if not off <= AGREES * max(bound or 0.0, float(np.abs(expected).max(initial=0)), 1e-6):
            return None, f"our arithmetic is off ncnn's by {off:.1e}"
        return bound, None

    def run(
        self,
        precision: Precision,
        inputs: Mapping[str, np.ndarray],
        known: Mapping[str, np.ndarray],
        unknown: Collection[int] = (),
        protected: Collection[str] = (),
    ) -> dict[str, Tensor]:
        """Every blob at a precision.

        Args:
            inputs: blob to array without the batch axis.
            known: every blob as ncnn has it in float32; for the shapes, and in place of what is not simulated.
            unknown: indices of layers that are not simulated.
            protected: names of layers that would have ``31=1``, beside those of the file.
        """
        blobs: dict[str, Tensor] = {}
        for index, layer in enumerate(self.graph.layers):
            if layer.type == "Input":
                outputs = [torch.from_numpy(inputs[blob]) for blob in layer.outputs]
            elif index in unknown:
                outputs = [torch.from_numpy(known[blob]) for blob in layer.outputs]
            else:
                half = precision.sums and layer.name not in protected and not computes_in_float(layer)
                outputs = self._outputs(index, layer, blobs, known, half)
            for blob, value in zip(layer.outputs, outputs, strict=True):
                blobs[blob] = halved(value) if precision.blobs else value
        return blobs

    def _outputs(self, index, layer: Layer, blobs, known, half):
        shape = known[layer.outputs[0]].shape
        output = forward(Step(layer, self.rounded[index], [blobs[blob] for blob in layer.inputs], shape, half))
        return [output] * len(layer.outputs)
