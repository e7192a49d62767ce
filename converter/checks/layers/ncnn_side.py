"""What the layers of a ``.param`` file compute, in the common vocabulary."""

from functools import partial
from pathlib import Path

from converter.checks.layers import kinds
from converter.checks.layers.graphs import ConvertedGraph, ConvertedLayer
from converter.checks.layers.kinds import Primitive, Window
from converter.errors import ConversionError
from converter.formats.ncnn.layer import Layer
from converter.formats.ncnn.param import NcnnGraph, read_param
from converter.spec.network import GraphSpec

HANDS_ON = {"Split", "Noop", "Dropout", "Cast", "Packing"}
SOURCES = {"Input", "MemoryData"}
_CONVOLUTIONS = {"Convolution", "ConvolutionDepthWise", "InnerProduct"}
_FUSED = {0: (), 1: (kinds.RELU,), 3: (kinds.CLIP,), 4: (kinds.SIGMOID,), 6: kinds.HARD_SWISH}
_RESHAPES = ("Reshape", "Flatten", "Squeeze", "ExpandDims")
_ACTIVATIONS = ("TanH", "ELU", "GELU", "Mish", "SELU", "CELU", "PReLU", "UnaryOp", "Softmax", "Softplus", "Exp", "Erf")
_KINDS: dict[str, tuple[str, ...]] = {
    "BatchNorm": (kinds.NORM,),
    "Scale": (kinds.NORM,),
    "Bias": (kinds.SHIFT,),
    "Swish": kinds.SWISH,
    "HardSigmoid": kinds.HARD_SIGMOID,
    "HardSwish": kinds.HARD_SWISH,
    "Sigmoid": (kinds.SIGMOID,),
    "ReLU": (kinds.RELU,),
    "Clip": (kinds.CLIP,),
    "MatMul": (kinds.MATMUL,),
    "Gemm": (kinds.MATMUL,),
    "Permute": (kinds.PERMUTE,),
    **dict.fromkeys(_RESHAPES, (kinds.RESHAPE,)),
    **dict.fromkeys(_ACTIVATIONS, (kinds.OTHER_ACTIVATION,)),
}
_ARITHMETIC = {0: kinds.ADD, 2: kinds.MULTIPLY}
_WITH_CONSTANT = {0: kinds.SHIFT, 1: kinds.SHIFT, 7: kinds.SHIFT, 2: kinds.SCALE, 3: kinds.SCALE}
_ELTWISE = {0: kinds.MULTIPLY, 1: kinds.ADD}
_MEAN = 3


def read(files: tuple[Path, ...], graph: GraphSpec) -> ConvertedGraph:
    """The layers of a model; of one that several graphs are read from, those that this graph runs.

    Raises:
        ConversionError: when the ``.param`` file cannot be read.
    """
    table = read_param(files[0].read_text(errors="replace"), files[0].name)
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
    value = partial(_value, layer)
    if layer.type in HANDS_ON and operands == 1:
        return (Primitive(kinds.SCALE),) if layer.type == "Dropout" and _scaled(layer) else ()
    if layer.type in _CONVOLUTIONS:
        main = Primitive(kinds.CONVOLUTION, _window(layer)) if operands == 1 else Primitive(kinds.MATMUL)
        return (main, *map(Primitive, _FUSED.get(value(9), (kinds.OTHER_ACTIVATION,))))
    if layer.type == "BinaryOp":
        table, other = (_ARITHMETIC, kinds.OTHER_BINARY) if operands > 1 else (_WITH_CONSTANT, kinds.OTHER_ACTIVATION)
        return (Primitive(table.get(value(0), other)),)
    if layer.type == "Eltwise":
        return (Primitive(_ELTWISE.get(value(0), kinds.OTHER_BINARY)),)
    if layer.type == "Pooling":
        whole = value(4) == 1 or (value(7) == 1 and (value(8, 1), value(18, value(8, 1))) == (1, 1))
        return (Primitive(kinds.POOL if whole and value(0) == 1 else kinds.OTHER_POOL),)
    if layer.type == "Scale" and operands > 1:
        return (Primitive(kinds.MULTIPLY),)
    if layer.type == "Reduction":
        return (Primitive(kinds.POOL if value(0) == _MEAN else kinds.OTHER_POOL),)
    return tuple(map(Primitive, _KINDS.get(layer.type, (kinds.OTHER,))))


def _value(layer: Layer, key: int, default: int = 0) -> int:
    """An integer parameter; one that is written as something else counts as absent."""
    try:
        return layer.param(key, default)
    except ConversionError:
        return default


def _scaled(layer: Layer) -> bool:
    """Whether a Dropout multiplies; an integer there is a very small factor to ncnn."""
    try:
        return layer.number(0, 1.0) != 1
    except ConversionError:
        return True


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
