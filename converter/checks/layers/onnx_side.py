"""What the nodes of an ONNX graph compute, in the common vocabulary."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from converter.checks.layers import kinds
from converter.checks.layers.graphs import ConvertedGraph, ConvertedLayer
from converter.checks.layers.kinds import Primitive, Window
from converter.errors import ConversionError
from converter.formats.onnx.file import Node, OnnxGraph, read_onnx
from converter.spec.tensors import GraphSpec
from converter.util.content import File

HANDS_ON = {"Identity", "Dropout", "Cast"}
# Their result is a shape, not numbers that depend on the input.
SHAPE_ONLY = {"Shape", "Size"}
_ARITHMETIC = {"Add", "Sum", "Sub", "Mul", "Div", "Pow"}


def read(files: Sequence[File], graph: GraphSpec) -> ConvertedGraph:
    """The nodes that depend on the file's inputs; the arithmetic of shapes is left out.

    Raises:
        ConversionError: when the file cannot be read, a node reads what no node before it gives, gives what is
            there already, or has an attribute of another kind.
    """
    table = read_onnx(files[0])
    dynamic = set(table.inputs)
    sources = {"", *table.inputs, *table.constants}
    layers = []
    for node in _whole_softmax(table.nodes):
        if missing := [name for name in node.inputs if name not in sources]:
            raise ConversionError(f"layer {node.name} reads {missing[0]!r}, which no layer before it gives")
        if again := [name for name in node.outputs if name in sources]:
            raise ConversionError(f"layer {node.name} gives {again[0]!r}, which is there already")
        sources.update(node.outputs)
        inputs = tuple(name for name in node.inputs if name in dynamic)
        if inputs and node.outputs and node.type not in SHAPE_ONLY:
            dynamic.update(node.outputs)
            layers.append(ConvertedLayer(node.name, node.type, inputs, node.outputs, _primitives(node, inputs, table)))
    return ConvertedGraph(tuple(layers))


def _whole_softmax(nodes: Sequence[Node]) -> Iterator[Node]:
    """The nodes; a softmax over channels, before opset 13 one over the last axis between two transpositions, as one."""
    position = 0
    while position < len(nodes):
        node, *behind = nodes[position : position + 3]
        softmax, after = behind if len(behind) == 2 else (node, node)
        if (
            (node.type, softmax.type, after.type) == ("Transpose", "Softmax", "Transpose")
            and node.outputs == softmax.inputs
            and softmax.outputs == after.inputs
        ):
            yield replace(softmax, inputs=node.inputs, outputs=after.outputs)
            position += 3
        else:
            yield node
            position += 1


def _primitives(node: Node, inputs: tuple[str, ...], table: OnnxGraph) -> tuple[Primitive, ...]:
    if node.type in HANDS_ON:
        return ()
    if node.type in ("Conv", "MatMul", "Gemm", "Einsum"):
        if len(inputs) > 1:
            return (Primitive(kinds.MATMUL),)
        return (Primitive(kinds.CONVOLUTION, _window(node, table) if node.type == "Conv" else _linear(node, table)),)
    if node.type in ("Min", "Max"):
        return (Primitive(kinds.CLIP if len(inputs) == 1 else kinds.OTHER_BINARY),)
    if node.type in _ARITHMETIC:
        return (Primitive(kinds.arithmetic(node.type, len(inputs))),)
    return tuple(map(Primitive, kinds.steps_of(node.type)))


def _window(node: Node, table: OnnxGraph) -> Window:
    shape = table.shapes.get(node.inputs[1], ()) if len(node.inputs) > 1 else ()
    shape = shape if len(shape) > 2 else ()
    automatic = node.attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", "NOTSET")
    return Window(
        outputs=shape[0] if shape else None,
        inputs=shape[1] if shape else None,
        groups=node.integer("group", 1),
        kernel=node.integers("kernel_shape", ()) or shape[2:] or None,
        stride=node.integers("strides", (1, 1)),
        dilation=node.integers("dilations", (1, 1)),
        pad=None if automatic else node.integers("pads", (0, 0, 0, 0)),
    )


def _linear(node: Node, table: OnnxGraph) -> Window:
    shape = next((table.shapes[name] for name in node.inputs[:2] if name in table.shapes), None)
    if not shape or len(shape) < 2:
        return Window(None, None)
    turned = node.type == "Gemm" and node.integer("transB", 0)
    return Window(shape[-2], shape[-1]) if turned else Window(shape[-1], shape[-2])
