"""Each int8 layer of a model, as ncnn runs it, beside the same layer in whole numbers of numpy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converter.errors import ConversionError
from converter.formats.int8 import LayerProof
from converter.formats.ncnn.int8.arithmetic import NEARLY, activated, rounded, scaled_up, sums
from converter.formats.ncnn.int8.layers import NcnnModel, Scales, int8_layers, whole_weights
from converter.formats.ncnn.layer import Layer
from converter.formats.ncnn.runner import NcnnRunner
from converter.formats.ncnn.slots import INPUT_SCALE, INT8_OUTPUT, WEIGHT_SCALES
from converter.formats.ncnn.weights import INT8, Stored, load_model
from converter.spec.tensors import GraphSpec

TOLERANCE = 1e-6
PACKED, PACKED_TOLERANCE = 8, 5e-4  # as many depthwise channels at once take x86's approximate reciprocal


@dataclass(frozen=True, eq=False)
class Intended:
    """What a layer should compute.

    Attributes:
        layer: its geometry and activation.
        weights: int8, in the order of the file.
        scales: of weights and input.
    """

    layer: Layer
    weights: np.ndarray
    scales: Scales


def intended(source: NcnnModel, scales: Mapping[str, Scales]) -> dict[str, Intended]:
    """Layers of a float32 model as they should become with these scales.

    Raises:
        ConversionError: for a layer that the model does not have, and for a wrong number of scales.
    """
    found = {}
    for layer, arrays in zip(source[0].layers, source[1].arrays, strict=True):
        if layer.name in scales:
            weights = whole_weights(layer, arrays[0], scales[layer.name])
            found[layer.name] = Intended(layer, weights, scales[layer.name])
    if missing := sorted(scales.keys() - found.keys()):
        raise ConversionError(f"layer {missing[0]} has scales, but is not in the model")
    return found


def stated(model: NcnnModel) -> dict[str, Intended]:
    """The int8 layers of a model as its own files say what they compute."""
    layers = {layer.name for layer in int8_layers(model[0])}
    found = {}
    for layer, arrays in zip(model[0].layers, model[1].arrays, strict=True):
        if layer.name in layers:
            by_role = {stored.role: stored.values() for stored in arrays}
            count = len(by_role[WEIGHT_SCALES])
            each = by_role[WEIGHT_SCALES] if layer.type != "ConvolutionDepthWise" else _of_groups(layer, by_role)
            scales = Scales(each, by_role[INPUT_SCALE][0])
            weights = arrays[0]
            whole = weights.values().astype(np.int8) if weights.tag == INT8 else whole_weights(layer, weights, scales)
            found[layer.name] = Intended(layer, whole.reshape(count, -1), scales)
    return found


def _of_groups(layer: Layer, by_role: Mapping[str, np.ndarray]) -> np.ndarray:
    """Scales of a depthwise layer's groups: one of all serves each."""
    return np.resize(by_role[WEIGHT_SCALES], layer.param(7, 1))


def int8_proof(
    files: tuple[Path, ...],
    graph: GraphSpec,
    feed: Mapping[str, np.ndarray],
    wanted: Mapping[str, Intended] | None = None,
) -> Sequence[LayerProof]:
    """Run a model, and hold each int8 layer against whole numbers on what ncnn gave to it.

    Args:
        files: of the model.
        graph: its inputs and outputs.
        feed: tensor name to array, float32, NCHW, for every input.
        wanted: what its int8 layers should compute, from :func:`intended`; None for what the files themselves say,
            which cannot show that they say it wrongly.

    Raises:
        ConversionError: where the model cannot be read or run, or other layers are int8 than should be.
    """
    param, bin_file = files
    model = load_model(param, bin_file)
    part = model[0].part(tensor.name for tensor in graph.outputs)
    layers = int8_layers(part)
    wanted = stated(model) if wanted is None else wanted
    if other := {layer.name for layer in layers} ^ wanted.keys():
        raise ConversionError(f"{param.name}: layer {min(other)} is int8 and should not be, or the other way round")
    biases = {layer.name: arrays for layer, arrays in zip(model[0].layers, model[1].arrays, strict=True)}
    runner = NcnnRunner(param, bin_file, graph, any_outputs=True)
    given = {tensor.name: feed[tensor.name][0] for tensor in graph.inputs}
    names = dict.fromkeys(blob for layer in layers for blob in (layer.inputs[0], layer.outputs[0]))
    seen = given | runner.blobs(feed, [name for name in names if name not in given])
    return [
        _compared(layer, wanted[layer.name], biases[layer.name], seen[layer.inputs[0]], seen[layer.outputs[0]])
        for layer in layers
    ]


def _compared(
    layer: Layer, wanted: Intended, arrays: Sequence[Stored], given: np.ndarray, answer: np.ndarray
) -> LayerProof:
    if layer.param(8) > INT8_OUTPUT:
        raise ConversionError(f"layer {layer.name} has an int8 output, which cannot be compared")
    scale = wanted.scales.input
    total, expected = _computed(wanted, arrays, rounded(given, scale))
    packed = layer.type == "ConvolutionDepthWise" and wanted.layer.param(0) % PACKED == 0
    tolerance = PACKED_TOLERANCE if packed else TOLERANCE
    if expected.shape != answer.shape:
        return LayerProof(layer.name, float("inf"), tolerance)
    peak = max(float(np.abs(total).max(initial=0)), float(np.abs(expected).max(initial=0)), np.finfo(np.float32).tiny)
    off = np.abs(expected - answer)
    if (np.abs(scaled_up(given, scale)) == NEARLY).any():  # which of ncnn's loops had that number is not known
        off = np.minimum(off, np.abs(_computed(wanted, arrays, rounded(given, scale, nearly_up=True))[1] - answer))
    return LayerProof(layer.name, float(off.max(initial=0) / peak), tolerance)


def _computed(wanted: Intended, arrays: Sequence[Stored], whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a layer makes of whole numbers: sums without their scales, and its output.

    Args:
        arrays: with its bias.
    """
    outputs, scales = wanted.layer.param(0), wanted.scales
    each = np.repeat(scales.weights, outputs // len(scales.weights))
    with np.errstate(over="ignore", divide="ignore"):
        divided = np.where(each > 0, np.float32(1) / (scales.input * each), 0).astype(np.float64)
    bias = next((stored.values() for stored in arrays if stored.role == "bias"), np.zeros(outputs))
    last = wanted.layer.type == "InnerProduct"  # features, or rows of them
    shape = (outputs,) if last else (outputs, 1, 1)
    total = sums(wanted.layer, wanted.weights.reshape(-1), whole) * divided.reshape(shape)
    return total, activated(total + bias.astype(np.float64).reshape(shape), wanted.layer)
