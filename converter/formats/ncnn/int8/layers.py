"""Layers that can compute in int8: which, with what scales, and what they become in the files."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from converter.errors import ConversionError
from converter.formats.blocks import Kind, Step
from converter.formats.ncnn.int8.arithmetic import ACTIVATIONS, LEVELS, Kernel, rounded
from converter.formats.ncnn.layer import Layer
from converter.formats.ncnn.param import NcnnGraph
from converter.formats.ncnn.weights import RAW, NcnnWeights, Stored

TERM = 8  # the parameter that makes a layer int8
# what ncnn2int8 writes there: scales of outputs, or of the groups of a depthwise layer; 100 more would give an int8
# output, which only another int8 layer takes
TERMS = {"Convolution": 2, "ConvolutionDepthWise": 1, "InnerProduct": 2}
WINOGRAD_LEVELS = 31  # of weights that Winograd's transformation must not push out of int8

NcnnModel = tuple[NcnnGraph, NcnnWeights]


@dataclass(frozen=True, eq=False)
class Scales:
    """What a layer's numbers are multiplied by before they are rounded.

    Attributes:
        weights: of each output channel, of each group of a ConvolutionDepthWise, (channels,) float32.
        input: of its input, float32.
    """

    weights: np.ndarray
    input: np.float32


def can_be_int8(layer: Layer, arrays: tuple[Stored, ...]) -> bool:
    """Whether a layer of a float32 model can compute in int8 in every release of ncnn."""
    if layer.type not in TERMS or not arrays or arrays[0].tag != RAW or len(layer.inputs) != 1 or layer.param(TERM):
        return False
    if layer.param(9) not in ACTIVATIONS or arrays[0].count % layer.param(0):
        return False
    if layer.type == "InnerProduct":
        return True
    return not layer.number(18) and not layer.param(0) % Kernel.of(layer).groups  # 18: what it pads with, not scaled


def levels(layer: Layer) -> int:
    """The largest whole number that a weight of the layer may become, as in ncnn2table.

    Dense 3x3 convolutions of stride 1 go through Winograd's transformation.
    """
    if layer.type != "Convolution":
        return LEVELS
    kernel = Kernel.of(layer)
    return WINOGRAD_LEVELS if (kernel.size, kernel.dilation, kernel.stride) == ((3, 3), (1, 1), (1, 1)) else LEVELS


def scaled_channels(layer: Layer) -> int:
    """How many weight scales it has."""
    return layer.param(7, 1) if layer.type == "ConvolutionDepthWise" else layer.param(0)


def whole_weights(layer: Layer, weight: Stored, scales: Scales) -> np.ndarray:
    """Its weights as int8, in the order of the file, (channels of the scales, weights of one).

    Raises:
        ConversionError: when there are more scales, or fewer.
    """
    channels = scaled_channels(layer)
    if len(scales.weights) != channels:
        raise ConversionError(f"layer {layer.name} has {len(scales.weights)} weight scales, expected {channels}")
    whole = rounded(weight.values().reshape(channels, -1), scales.weights[:, np.newaxis])
    return np.asarray(whole.astype(np.int8))


def int8_arrays(
    layer: Layer, arrays: tuple[Stored, ...], scales: Scales, shift: np.ndarray | None = None
) -> tuple[Stored, ...]:
    """What an int8 layer asks its ``.bin`` for.

    Args:
        layer, arrays: as in the float32 model.
        scales: of it.
        shift: what its bias is to make up for, (outputs,); None for nothing.

    Raises:
        ConversionError: as :func:`whole_weights`.
    """
    weight, *biases = arrays
    stored = [weight.with_whole(whole_weights(layer, weight, scales))]
    for bias in biases:
        stored.append(bias if shift is None else bias.with_values((bias.values() + shift).astype(np.float32), None))
    stored.append(_bare("weight scales", scales.weights))
    stored.append(_bare("input scale", np.array([scales.input])))
    return tuple(stored)


def _bare(role: str, values: np.ndarray) -> Stored:
    return Stored(role, values.size, None, values.astype("<f4").tobytes())


def with_int8(graph: NcnnGraph, weights: NcnnWeights, stored: Mapping[str, tuple[Stored, ...]]) -> NcnnModel:
    """The same model with some layers int8.

    Args:
        graph, weights: of the model; other layers stay as they are.
        stored: layer to its arrays, of :func:`int8_arrays`.
    """
    layers = tuple(
        layer.with_param(TERM, TERMS[layer.type]) if layer.name in stored else layer for layer in graph.layers
    )
    arrays = zip(graph.layers, weights.arrays, strict=True)
    return replace(graph, layers=layers), NcnnWeights(tuple(stored.get(layer.name, each) for layer, each in arrays))


def int8_layers(graph: NcnnGraph) -> list[Layer]:
    """Those that compute in int8."""
    return [layer for layer in graph.layers if layer.type in TERMS and layer.param(TERM)]


def steps(layers: Iterable[Layer], weighted: Collection[str]) -> list[Step]:
    """Layers as :func:`converter.formats.blocks.blocks` takes them.

    Args:
        weighted: names of those that can be int8.
    """

    def kind(layer: Layer) -> Kind:
        if layer.name not in weighted:
            return "other"
        return "depthwise" if layer.type == "ConvolutionDepthWise" and layer.param(7, 1) > 1 else "dense"

    return [Step(layer.name, layer.inputs, layer.outputs, kind(layer)) for layer in layers]
