"""What the nodes of an ONNX graph compute, in the common vocabulary."""

from converter.checks.layers import kinds
from converter.checks.layers.graphs import ConvertedGraph, ConvertedLayer, check_read
from converter.checks.layers.kinds import Primitive, Window
from converter.formats.onnx.file import OnnxGraph

HANDS_ON = {"Identity", "Dropout", "Cast"}
# Their result is a shape, not numbers that depend on the input.
SHAPE_ONLY = {"Shape", "Size"}
_HARD_SIGMOID = (kinds.SHIFT, kinds.CLIP, kinds.SCALE)
_SIMPLE = {
    "BatchNormalization": (kinds.NORM,),
    "Sigmoid": (kinds.SIGMOID,),
    "Relu": (kinds.RELU,),
    "Clip": (kinds.CLIP,),
    "HardSigmoid": _HARD_SIGMOID,
    "HardSwish": (*_HARD_SIGMOID, kinds.MULTIPLY),
    "Swish": (kinds.SIGMOID, kinds.MULTIPLY),
    "GlobalAveragePool": (kinds.POOL,),
    "ReduceMean": (kinds.POOL,),
    **dict.fromkeys(("GlobalMaxPool", "AveragePool", "MaxPool", "ReduceMax", "ReduceSum"), (kinds.OTHER_POOL,)),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand"), (kinds.RESHAPE,)),
    "Transpose": (kinds.PERMUTE,),
    **dict.fromkeys(
        ("Tanh", "Elu", "Gelu", "Mish", "Selu", "PRelu", "LeakyRelu", "Softplus", "Softmax", "HardTanh", "Erf"),
        (kinds.OTHER_ACTIVATION,),
    ),
    **dict.fromkeys(("Abs", "Neg", "Exp", "Log", "Sqrt", "Reciprocal", "Softsign", "Ceil", "Floor"), ("activation",)),
}
_ARITHMETIC = {"Add": kinds.ADD, "Sum": kinds.ADD, "Mul": kinds.MULTIPLY}
_WITH_CONSTANT = {
    **dict.fromkeys(("Add", "Sum", "Sub"), kinds.SHIFT),
    **dict.fromkeys(("Mul", "Div"), kinds.SCALE),
    **dict.fromkeys(("Min", "Max"), kinds.CLIP),
    "Pow": kinds.OTHER_ACTIVATION,
}
_BINARY = {"Add", "Sum", "Sub", "Mul", "Div", "Min", "Max", "Pow"}


def converted_graph(graph: OnnxGraph) -> ConvertedGraph:
    """The nodes that depend on the graph's inputs; the arithmetic of shapes is left out.

    Raises:
        ConversionError: for a node that reads what no node before it gives.
    """
    dynamic = set(graph.inputs)
    known = {"", *graph.inputs, *graph.constants}
    layers = []
    for node in graph.nodes:
        check_read(node.name, node.inputs, known)
        known.update(node.outputs)
        inputs = tuple(name for name in node.inputs if name in dynamic)
        if inputs and node.type not in SHAPE_ONLY:
            dynamic.update(node.outputs)
            layers.append(ConvertedLayer(node.name, node.type, inputs, node.outputs, _primitives(node, inputs, graph)))
    return ConvertedGraph(tuple(layers))


def _primitives(node, inputs, graph):
    if node.type in HANDS_ON:
        return ()
    if node.type == "Conv":
        return (Primitive(kinds.CONVOLUTION, _window(node, graph)) if len(inputs) == 1 else Primitive(kinds.MATMUL),)
    if node.type in ("MatMul", "Gemm", "Einsum"):
        if len(inputs) > 1:
            return (Primitive(kinds.MATMUL),)
        return (Primitive(kinds.CONVOLUTION, _linear(node, graph)),)
    if node.type in _BINARY:
        table = _ARITHMETIC if len(inputs) > 1 else _WITH_CONSTANT
        return (Primitive(table.get(node.type, kinds.OTHER_BINARY)),)
    return tuple(map(Primitive, _SIMPLE.get(node.type, (kinds.OTHER,))))


def _window(node, graph):
    shape = graph.shapes.get(node.inputs[1])
    kernel = node.attributes.get("kernel_shape") or (shape[2:] if shape else None)
    automatic = node.attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", "NOTSET")
    return Window(
        outputs=shape[0] if shape else None,
        inputs=shape[1] if shape else None,
        groups=node.attributes.get("group", 1),
        kernel=tuple(kernel) if kernel else None,
        stride=tuple(node.attributes.get("strides", (1, 1))),
        dilation=tuple(node.attributes.get("dilations", (1, 1))),
        pad=None if automatic else tuple(node.attributes.get("pads", (0, 0, 0, 0))),
    )


def _linear(node, graph):
    constants = [graph.shapes[name] for name in node.inputs[:2] if name in graph.shapes]
    shape = constants[0] if constants else None
    if not shape or len(shape) < 2:
        return Window(None, None)
    turned = node.type == "Gemm" and node.attributes.get("transB")
    return Window(shape[-2], shape[-1]) if turned else Window(shape[-1], shape[-2])
