"""Which releases of ncnn read a graph, and how to write one that an older release reads.

Releases are named by their date, as ncnn's tags and the middle of pyncnn's versions are. The facts are from ncnn's
own history: the release whose ``src/layer`` first has a layer, or first reads a parameter.
"""

import re
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

from converter.errors import ConversionError
from converter.formats.ncnn.layer import Layer
from converter.formats.ncnn.param import NcnnGraph
from converter.spec.releases import FLOOR

# what was there at the FLOOR
_KNOWN = frozenset(
    [
        *("BatchNorm", "BinaryOp", "Bias", "Cast", "Clip", "Concat", "Convolution", "ConvolutionDepthWise", "Crop"),
        *("Deconvolution", "DeconvolutionDepthWise", "Dropout", "Eltwise", "ELU", "ExpandDims", "Flatten", "GELU"),
        *("Gemm", "HardSigmoid", "HardSwish", "InnerProduct", "Input", "InstanceNorm", "Interp", "LayerNorm"),
        *("MemoryData", "Mish", "Noop", "Normalize", "Packing", "Padding", "Permute", "Pooling", "PReLU"),
        *("Reduction", "ReLU", "Reshape", "Scale", "Sigmoid", "Slice", "Softmax", "Softplus", "Split", "Squeeze"),
        *("Swish", "TanH", "UnaryOp"),
    ]
)
_SINCE = {"MatMul": "20220216", "Einsum": "20220701"}
MATMUL = _SINCE["MatMul"]
FUSED_HARD_SWISH = "20220216"
INT8 = "20220216"  # the same kernels, scales and activations ever since
SHAPE_EXPRESSIONS = "20250428"
_CONVOLUTIONS = ("Convolution", "ConvolutionDepthWise", "InnerProduct")
_ACTIVATION, _HARD_SWISH, _EXPRESSION, _INT8_TERM = 9, 6, 6, 8
# Reshape's 12 and 13 move a dimension to the batch and back; a release that does not know them answers wrongly
RESHAPE_WITH_BATCH, _BATCH = "20261020", (12, 13)


def installed_release() -> str | None:
    """The release of the installed runtime, by its date; None where its version does not say one."""
    try:
        found = re.search(r"\d{8}", version("ncnn"))
    except PackageNotFoundError:
        return None
    return found[0] if found else None


def oldest_release(graph: NcnnGraph) -> str | None:
    """The first release that reads a graph, FLOOR at the earliest; None where a layer is not known here."""
    releases = [FLOOR]
    for layer in graph.layers:
        if layer.type not in _KNOWN and layer.type not in _SINCE:
            return None
        releases.append(_SINCE.get(layer.type, FLOOR))
        if layer.type in _CONVOLUTIONS and layer.param(_ACTIVATION) == _HARD_SWISH:
            releases.append(FUSED_HARD_SWISH)
        if layer.type in _CONVOLUTIONS and layer.param(_INT8_TERM):
            releases.append(INT8)
        if layer.type == "Reshape" and layer.value(_EXPRESSION) is not None:
            releases.append(SHAPE_EXPRESSIONS)
        if layer.type == "Reshape" and any(layer.value(key) is not None for key in _BATCH):
            releases.append(RESHAPE_WITH_BATCH)
    return max(releases)


def readable_by(graph: NcnnGraph, release: str | None) -> NcnnGraph:
    """The same graph as an older release reads it.

    A Reshape that names a batch of one loses it: releases before 20261020 read the four sizes as those of one
    picture and answer wrongly without a word. A matrix product becomes a Gemm, which multiplies the same matrices.

    Args:
        release: of the oldest ncnn that has to read it; None for any that reads what is left.

    Raises:
        ConversionError: when something else in it is too new.
    """
    graph = replace(graph, layers=tuple(_without_batch(layer) for layer in graph.layers))
    if release is None:
        return graph
    if release < MATMUL:
        graph = replace(graph, layers=tuple(_as_gemm(layer) for layer in graph.layers))
    oldest = oldest_release(graph)
    if oldest is None or oldest > release:
        raise ConversionError(f"the model needs ncnn {oldest or 'of an unknown release'}, expected {release} at most")
    return graph


def _as_gemm(layer: Layer) -> Layer:
    if layer.type != "MatMul":
        return layer
    # MatMul 0=1 multiplies with the second matrix transposed; Gemm calls that 3=1
    return replace(layer, type="Gemm", params=("3=1",) if layer.param(0) else ())


def _without_batch(layer: Layer) -> Layer:
    sizes, batch = layer.value(_EXPRESSION) or "", {f"{key}=0" for key in _BATCH}
    if layer.type != "Reshape" or not sizes.endswith(',1"') or sizes.count(",") != 3 or not batch <= {*layer.params}:
        return layer
    kept = replace(layer, params=tuple(word for word in layer.params if word not in batch))
    return kept.with_param(_EXPRESSION, f'{sizes[:-3]}"')
