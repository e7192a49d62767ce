"""The layers of an ONNX model that onnxruntime can compute in int8, and the tensors that are rounded for them."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from converter.formats.blocks import Kind, Step, blocks
from converter.formats.onnx.small import Part, Weighted, weighted

FLOAT_OUTPUT = ("Gemm", "MatMul")  # their integer kernels give floats where floats are wanted
CLIPS = ("Relu", "Clip")  # between a layer and what rounds its output; the rounding does their work
SMALLEST = 1  # number in a weight
MOVES = ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Slice", "MaxPool", "Identity", "Gather", "Dropout")


@dataclass(frozen=True)
class Point:
    """Where a tensor is rounded to eight bits.

    Attributes:
        tensor: its name.
        even: whether every channel is divided by a number of its own before, so that all hold numbers alike.
    """

    tensor: str
    even: bool = False


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer that can compute in int8.

    Attributes:
        name: of the graph and of the node.
        weighted: the node and its weight.
        part: the same as numbers.
        input: where its input is rounded.
        end: where what it gives is rounded; None where its kernel gives floats. Where all that comes of it is
            x · sigmoid(x), its channels are made even: that it is behind floats again costs nothing.
    """

    name: str
    weighted: Weighted
    part: Part
    input: Point
    end: Point | None

    @property
    def node(self) -> onnx.NodeProto:
        return self.weighted.node


class Wiring:
    """Which node gives a tensor, and which read it.

    Attributes:
        producers: tensor to node.
        readers: tensor to nodes.
        outputs: of the model.
    """

    def __init__(self, model: onnx.ModelProto):
        graph = model.graph
        self.producers = {name: node for node in graph.node for name in node.output}
        self.outputs = {value.name for value in graph.output}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in dict.fromkeys(node.input):
                self.readers.setdefault(name, []).append(node)

    def end_of(self, node: onnx.NodeProto) -> str | None:
        """The tensor to round behind a layer: its output, or that of a Relu or Clip; None where it is floats."""
        name = str(node.output[0])
        readers = self.readers.get(name, [])
        if len(readers) == 1 and readers[0].op_type in CLIPS and readers[0].input[0] == name:
            return name if name in self.outputs else str(readers[0].output[0])
        return None if node.op_type in FLOAT_OUTPUT else name

    def bent(self, name: str) -> bool:
        """Whether nothing but a Sigmoid and the product with it read a tensor: x · sigmoid(x)."""
        readers = self.readers.get(name, [])
        if name in self.outputs or sorted(node.op_type for node in readers) != ["Mul", "Sigmoid"]:
            return False
        product, sigmoid = sorted(readers, key=lambda node: str(node.op_type))
        return sorted(product.input) == sorted([name, sigmoid.output[0]])


def layers_of(model: onnx.ModelProto, graph: str) -> list[Layer]:
    """In file order, which is that of a run.

    Args:
        graph: its name.
    """
    wiring = Wiring(model)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = weighted(model, SMALLEST)
    ends = {wiring.end_of(each.node) for each in nodes}
    layers = []
    for each in nodes:
        node, part = each.node, each.part()
        if len(node.input) > 2 and node.input[2] and each.bias is None:
            tensor = stored.get(node.input[2])
            if tensor is None or list(tensor.dims) != [len(part.rows)]:
                continue
            part.bias = np.asarray(numpy_helper.to_array(tensor))
        if not _plain(node) or node.input[0] in stored:
            continue
        end = wiring.end_of(node)
        depthwise = node.op_type == "Conv" and part.groups == part.channels > 1
        even = depthwise and node.input[0] not in ends  # else it may be rounded there already
        layers.append(
            Layer(
                *(name_of(node, graph), each, part, Point(node.input[0], even)),
                None if end is None else Point(end, wiring.bent(end)),
            )
        )
    return layers


def name_of(node: onnx.NodeProto, graph: str) -> str:
    """As users see it."""
    return f"{graph} {node.name or node.output[0]}"


def blocks_of(model: onnx.ModelProto, graph: str) -> dict[str, str]:
    """Node to the block that it is in, both by :func:`name_of`."""
    constants = {tensor.name for tensor in model.graph.initializer}
    groups = {str(each.node.output[0]): each.groups for each in weighted(model, SMALLEST)}
    steps = []
    for node in model.graph.node:
        kind: Kind = "other"
        if node.output and node.output[0] in groups:
            kind = "depthwise" if groups[node.output[0]] > 1 else "dense"
        inputs = tuple(name for name in node.input if name and name not in constants)
        steps.append(Step(name_of(node, graph), inputs, tuple(filter(None, node.output)), kind))
    return blocks(steps, [value.name for value in model.graph.input])


def _plain(node: onnx.NodeProto) -> bool:
    """Whether a product is of its inputs as they are."""
    given = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    return not given.get("transA") and given.get("alpha", 1.0) == 1.0 and given.get("beta", 1.0) == 1.0


def behind_rounding(name: str, rounded: Collection[str], wiring: Wiring) -> bool:
    """Whether a tensor holds what rounding gave, moved about at most."""
    while name not in rounded:
        node = wiring.producers.get(name)
        if node is None or node.op_type not in MOVES or not node.input:
            return False
        name = node.input[0]
    return True
