"""Half weights in an ONNX model whose arithmetic, inputs and outputs stay float32."""

import numpy as np
import onnx
from onnx import numpy_helper

from converter.formats.halves import check_halves

# Which input of a node is its weight. Biases, batch norms, limits and scales stay as they are.
WEIGHTS = {"Conv": 1, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1}
SUFFIX = "_half"


def store_halves(model: onnx.ModelProto) -> None:
    """Store the weights of convolutions and matrix products as IEEE halves, rounded to nearest, with a Cast behind.

    A runtime that folds constants widens them once, when it loads the model.

    Args:
        model: changed in place.

    Raises:
        ConversionError: naming a weight that no half can hold.
    """
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    read = (
        node.input[WEIGHTS[node.op_type]]
        for node in graph.node
        if len(node.input) > WEIGHTS.get(node.op_type, len(node.input))
    )
    casts = [_halved(stored[name]) for name in dict.fromkeys(read) if name in stored and _is_weight(stored[name])]
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])


def _is_weight(tensor: onnx.TensorProto) -> bool:
    return bool(tensor.data_type == onnx.TensorProto.FLOAT) and len(tensor.dims) > 1


def _halved(tensor: onnx.TensorProto) -> onnx.NodeProto:
    """Change the tensor to halves under another name; the node that gives them under the old one."""
    values = numpy_helper.to_array(tensor)
    check_halves(values, f"{tensor.name} has a weight")
    name = tensor.name
    tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}{SUFFIX}"))
    return onnx.helper.make_node("Cast", [tensor.name], [name], name=f"{name}_widened", to=onnx.TensorProto.FLOAT)
