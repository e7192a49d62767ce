"""Changes to an ONNX graph that protobuf still reads: nodes of other kinds, inputs and attributes left out."""

from collections.abc import Sequence

import numpy as np
import onnx
from mutation import NUMBERS, steps
from onnx import helper, numpy_helper

KINDS = [
    "Conv",
    "Gemm",
    "MatMul",
    "Einsum",
    "Constant",
    "Identity",
    "Add",
    "Clip",
    "Min",
    "If",
    "Loop",
    "Relu",
    "Shape",
]
KINDS += ["", "\x1b[2J", "Cast", "Reshape", "BatchNormalization", "ReduceMean", "x" * 300]
NAMES = ["x", "y", "w", "c", "k", "", "nowhere", "\0", "a" * 300]
VALUES = [1, -1, 2**63 - 1, 1.5, float("nan"), "text", "", [1, 1], [0.5], ["a"], [], [1] * 9, b"\xff"]
ATTRIBUTES = ["kernel_shape", "pads", "strides", "dilations", "group", "auto_pad", "transB", "value", "then_branch", ""]


def changed_onnx(seeds: Sequence[bytes], which: int, program: bytes) -> bytes:
    """One of the models with its nodes, inputs, outputs, initializers and attributes changed."""
    model = onnx.load_from_string(seeds[which % len(seeds)])
    for what, where, value in steps(program):
        _change(model.graph, what, where, value)
    return model.SerializeToString()


def _change(graph: onnx.GraphProto, what: int, where: int, value: int) -> None:
    if not graph.node:
        return
    node = graph.node[where % len(graph.node)]
    side = node.input if where // 64 % 2 else node.output
    name = NAMES[value % len(NAMES)]
    match what % 10:
        case 0:
            node.op_type = KINDS[value % len(KINDS)]
        case 1 if side:
            del side[value % len(side)]
        case 2 if side:
            side[where % len(side)] = name
        case 3:
            side.append(name)
        case 4 if node.attribute:
            del node.attribute[value % len(node.attribute)]
        case 5:
            attribute = VALUES[value % len(VALUES)]
            key = ATTRIBUTES[where // 8 % len(ATTRIBUTES)]
            kind = onnx.AttributeProto.INTS if attribute == [] else None
            node.attribute.append(helper.make_attribute(key, attribute, attr_type=kind))
        case 6 if graph.initializer:
            shape = [abs(NUMBERS[each % len(NUMBERS)]) % 3 for each in range(value % 6)]
            array = numpy_helper.from_array(np.zeros(shape, np.float32), graph.initializer[0].name)
            graph.initializer[0].CopyFrom(array)
            if where % 2:
                graph.initializer[0].dims.append(NUMBERS[value % len(NUMBERS)] % 2**63)
        case 7:
            graph.node.add().CopyFrom(node)
        case 8:
            del graph.node[where % len(graph.node)]
        case 9 if node.attribute:
            node.attribute[where % len(node.attribute)].type = value % 15
