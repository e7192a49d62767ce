"""What the layers of a ``.param`` file compute, in the common vocabulary."""

from converter.checks.layers import kinds
from converter.checks.layers.graphs import ConvertedGraph, ConvertedLayer, check_read
from converter.checks.layers.kinds import Primitive, Window
from converter.formats.ncnn.param import NcnnGraph

HANDS_ON = {"Split", "Noop", "Dropout", "Cast", "Packing"}
SOURCES = {"Input", "MemoryData"}
_CONVOLUTIONS = {"Convolution", "ConvolutionDepthWise"}
_HARD_SIGMOID = (kinds.SHIFT, kinds.CLIP, kinds.SCALE)
_FUSED = {
    1: (kinds.RELU,),
    3: (kinds.CLIP,),
    4: (kinds.SIGMOID,),
    6: (*_HARD_SIGMOID, kinds.MULTIPLY),
}
_SIMPLE = {
    "BatchNorm": (kinds.NORM,),
    "Scale": (kinds.NORM,),
    "Bias": (kinds.SHIFT,),
    "Swish": (kinds.SIGMOID, kinds.MULTIPLY),
    "HardSigmoid": _HARD_SIGMOID,
    "HardSwish": (*_HARD_SIGMOID, kinds.MULTIPLY),
    "Sigmoid": (kinds.SIGMOID,),
    "ReLU": (kinds.RELU,),
    "Clip": (kinds.CLIP,),
    "MatMul": (kinds.MATMUL,),
    "Gemm": (kinds.MATMUL,),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "ExpandDims"), (kinds.RESHAPE,)),
    "Permute": (kinds.PERMUTE,),
    **dict.fromkeys(
        ("TanH", "ELU", "GELU", "Mish", "SELU", "CELU", "PReLU", "UnaryOp", "Softmax", "Softplus", "Exp", "Erf"),
        (kinds.OTHER_ACTIVATION,),
    ),
}
_ARITHMETIC = {0: kinds.ADD, 2: kinds.MULTIPLY}
_WITH_CONSTANT = {0: kinds.SHIFT, 1: kinds.SHIFT, 7: kinds.SHIFT, 2: kinds.SCALE, 3: kinds.SCALE}
_ELTWISE = {0: kinds.MULTIPLY, 1: kinds.ADD}
_MEAN = 3


def converted_graph(graph: NcnnGraph) -> ConvertedGraph:
    """The layers that compute or hand on; sources are left out.

    Raises:
        ConversionError: for a layer that reads what no layer before it gives.
    """
    constant: set[str] = set()
    known: set[str] = set()
    layers = []
    for layer in graph.layers:
        check_read(layer.name, layer.inputs, known)
        known.update(layer.outputs)
        inputs = tuple(blob for blob in layer.inputs if blob not in constant)
        if layer.type == "MemoryData" or (layer.inputs and not inputs):
            constant.update(layer.outputs)
        elif layer.type not in SOURCES:
            layers.append(ConvertedLayer(layer.name, layer.type, inputs, layer.outputs, primitives(layer, len(inputs))))
    return ConvertedGraph(tuple(layers))


def primitives(layer, operands: int) -> tuple[Primitive, ...]:
    """What a layer computes.

    Args:
        layer: of the ``.param`` file.
        operands: how many of its inputs are not constants.
    """
    value = _Parameters(layer.params)
    if layer.type in HANDS_ON and operands == 1:
        scaled = layer.type == "Dropout" and value(0, 1) != 1
        return (Primitive(kinds.SCALE),) if scaled else ()
    if layer.type in _CONVOLUTIONS or layer.type == "InnerProduct":
        fused = _FUSED.get(value(9), (kinds.OTHER_ACTIVATION,) if value(9) else ())
        main = Primitive(kinds.CONVOLUTION, _window(layer.type, value)) if operands == 1 else Primitive(kinds.MATMUL)
        return (main, *map(Primitive, fused))
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
    return tuple(map(Primitive, _SIMPLE.get(layer.type, (kinds.OTHER,))))


class _Parameters:
    """Numbers of a layer by key; words that are no numbers (arrays, expressions) count as absent."""

    def __init__(self, words):
        self.numbers = {}
        for word in words:
            key, _, text = word.partition("=")
            try:
                self.numbers[int(key)] = float(text)
            except ValueError:
                continue

    def __call__(self, key, default=0):
        number = self.numbers.get(key, default)
        return int(number) if number == number // 1 else number


def _window(kind, value):
    outputs, size = value(0), value(6)
    if kind == "InnerProduct":
        return Window(outputs, _quotient(value(2), outputs))
    width, stride, dilation, left = value(1), value(3, 1), value(2, 1), value(4)
    kernel = (value(11, width), width)
    top = value(14, left)
    return Window(
        outputs=outputs,
        inputs=_quotient(size, outputs * kernel[0] * kernel[1]),
        groups=value(7, 1),
        kernel=kernel,
        stride=(value(13, stride), stride),
        dilation=(value(12, dilation), dilation),
        # negative: "same" padding, whose numbers depend on the input
        pad=(top, left, value(16, top), value(15, left)) if min(top, left) >= 0 else None,
    )


def _quotient(size, count):
    """A size that follows from two others, or None where they do not fit each other."""
    return size // count if count and size % count == 0 else None
