"""What the layers of a ``.param`` file compute, in the common vocabulary."""

from functools import partial
from pathlib import Path

from converter.checks.layers import kinds
from converter.checks.layers.graphs import ConvertedGraph, ConvertedLayer
from converter.checks.layers.kinds import Primitive, Window
from converter.errors import ConversionError
from converter.formats.ncnn.layer import Layer
from converter.formats.ncnn.param import NcnnGraph, read_param
from converter.spec.tensors import GraphSpec
from converter.util.paths import read_bytes

HANDS_ON = {"Split", "Noop", "Dropout", "Cast", "Packing"}
SOURCES = {"Input", "MemoryData"}
_CONVOLUTIONS = {"Convolution", "ConvolutionDepthWise", "InnerProduct"}
_FUSED = {1: "relu", 3: "clip", 4: "sigmoid", 6: "hardswish"}
_BINARY_OP = {0: "add", 1: "sub", 2: "mul", 3: "div", 7: "rsub"}
_ELTWISE = {0: "mul", 1: "add"}
_MEAN = 3


def read(files: tuple[Path, ...], graph: GraphSpec) -> ConvertedGraph:
    """The layers of a model; of one that several graphs are read from, those that this graph runs.

    Raises:
        ConversionError: when the ``.param`` file cannot be read.
    """
    table = read_param(read_bytes(files[0]).decode(errors="replace"), files[0].name)
    if set(table.input_blobs()) > {tensor.name for tensor in graph.inputs}:
        table = table.part(tensor.name for tensor in graph.outputs)
    return converted_graph(table)


def converted_graph(graph: NcnnGraph) -> ConvertedGraph:
    """The layers that compute or hand on; sources are left out."""
    constant: set[str] = set()
    layers = []
    for layer in graph.layers:
        inputs = tuple(blob for blob in layer.inputs if blob not in constant)
        if layer.type == "MemoryData" or (layer.inputs and not inputs):
            constant.update(layer.outputs)
        elif layer.type not in SOURCES:
            steps = _primitives(layer, len(inputs))
            layers.append(ConvertedLayer(layer.name, layer.type, inputs, layer.outputs, steps))
    return ConvertedGraph(tuple(layers))


def _primitives(layer: Layer, operands: int) -> tuple[Primitive, ...]:
    """What a layer computes; ``operands`` is how many of its inputs are not constants."""
    if layer.type in _CONVOLUTIONS:
        main = Primitive(kinds.CONVOLUTION, _window(layer)) if operands == 1 else Primitive(kinds.MATMUL)
        fused = _value(layer, 9)
        return (main, *map(Primitive, kinds.steps_of(_FUSED.get(fused, "unaryop")) if fused else ()))
    return tuple(map(Primitive, _steps(layer, operands)))


def _steps(layer: Layer, operands: int) -> tuple[str, ...]:
    value = partial(_value, layer)
    if layer.type in HANDS_ON and operands == 1:
        scaled = layer.type == "Dropout" and any(word.startswith("0=") for word in layer.params)
        return (kinds.SCALE,) if scaled else ()
    if layer.type == "BinaryOp":
        return (kinds.arithmetic(_BINARY_OP.get(value(0), ""), operands),)
    if layer.type == "Eltwise":
        return (kinds.arithmetic(_ELTWISE.get(value(0), ""), 2),)
    if layer.type == "Pooling":
        whole = value(4) == 1 or (value(7) == 1 and (value(8, 1), value(18, value(8, 1))) == (1, 1))
        return (kinds.POOL if whole and value(0) == 1 else kinds.OTHER_POOL,)
    if layer.type == "Scale" and operands > 1:
        return (kinds.MULTIPLY,)
    if layer.type == "Reduction":
        return (kinds.POOL if value(0) == _MEAN else kinds.OTHER_POOL,)
    return kinds.steps_of(layer.type)


def _value(layer: Layer, key: int, default: int = 0) -> int:
    """An integer parameter; one that is written as something else counts as absent."""
    try:
        return layer.param(key, default)
    except ConversionError:
        return default


def _window(layer: Layer) -> Window:
    value = partial(_value, layer)
    outputs, width, stride, dilation, left = value(0), value(1), value(3, 1), value(2, 1), value(4)
    if layer.type == "InnerProduct":
        return Window(outputs, _quotient(value(2), outputs))
    height, top = value(11, width), value(14, left)
    return Window(
        outputs=outputs,
        inputs=_quotient(value(6), outputs * height * width),
        groups=value(7, 1),
        kernel=(height, width),
        stride=(value(13, stride), stride),
        dilation=(value(12, dilation), dilation),
        # negative: "same" padding, whose numbers depend on the input
        pad=(top, left, value(16, top), value(15, left)) if min(top, left) >= 0 else None,
    )


def _quotient(size: int, count: int) -> int | None:
    """A size that follows from two others, or None where they do not fit each other."""
    return size // count if count and size % count == 0 else None
