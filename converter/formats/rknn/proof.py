"""Whether the toolkit's int8 layers compute what their source says: each by itself in the simulator.

The toolkit does not build a model whose inner tensors are outputs as well where layers are int8. So every layer is
taken out of the source, with the nodes that round what goes into it and what it gives, and all of them are built as one
model without anything between them.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from converter.formats.int8 import LayerProof
from converter.formats.moments import Fed
from converter.formats.onnx import DISABLE_QDQ
from converter.formats.onnx.file import load_model
from converter.formats.onnx.layers import Wiring, name_of
from converter.formats.onnx.proof import up_to_rounding
from converter.formats.onnx.runner import OnnxBlobs, OnnxRunner
from converter.formats.rknn.build import build
from converter.formats.rknn.process import Toolkit
from converter.formats.rknn.recipe import read_recipe
from converter.formats.rknn.root import RknnRoot
from converter.formats.rknn.runner import simulate
from converter.spec.tensors import GraphSpec, TensorSpec
from converter.util.content import Content

# Steps of a layer's output by which the simulator differs: what its factors between scales, of few bits, come to.
AT_MOST, IN_THE_MEAN = 8.0, 2.0


def proofs(root: RknnRoot, fed: Fed, path: Path, int8: Collection[str]) -> list[LayerProof]:
    """Every int8 layer of a source in the simulator, beside its nodes in onnxruntime, which computes them in float32.

    Args:
        root: with the toolkit.
        fed: the model that it was made of; its first feed is taken.
        path: of the source.
        int8: names of its layers that compute in int8.

    Raises:
        ConversionError: where they cannot be built or run.
    """
    model = load_model(path)
    wiring = Wiring(model)
    layers = [_Layer(model, wiring, node) for node in model.graph.node if name_of(node, fed.graph.name) in int8]
    seen = OnnxBlobs(path, fed.graph).blobs(fed.feeds[0], dict.fromkeys(each.input for each in layers))
    graph = _graph(layers, [seen[each.input].shape for each in layers])
    feed = {tensor.name: seen[each.input] for tensor, each in zip(graph.inputs, layers, strict=True)}
    source = _apart(model, layers, graph)
    expected = OnnxRunner(Content.holding(Path("layers.onnx"), source), graph, settings={DISABLE_QDQ: "1"}).infer(feed)
    recipe, toolkit = read_recipe(path).model_copy(update={"images": None}), Toolkit(root, f"rknn {fed.graph.name}")
    try:
        build(toolkit, source, recipe, [(tensor.name, tensor.shape[1]) for tensor in graph.inputs], runs=True)
        found = simulate(toolkit, recipe, graph.inputs, feed)
    finally:
        toolkit.stop()
    return [
        layer_proof(name_of(each.node, fed.graph.name), each.step, array, expected[tensor.name])
        for each, array, tensor in zip(layers, found, graph.outputs, strict=True)
    ]


class _Layer:
    """An int8 layer with the nodes that round what goes in and what comes out.

    Args:
        model: it is in.
        node: the layer's.

    Attributes:
        nodes: all of them in their order; the first reads ``source``, the last gives ``output``.
        input: what goes in, rounded.
        step: what a step of the output stands for.
    """

    def __init__(self, model: onnx.ModelProto, wiring: Wiring, node: onnx.NodeProto):
        before = wiring.producers[node.input[0]]
        behind = up_to_rounding(wiring, node)
        widened = wiring.readers[behind[-1].output[0]][0]
        rounds = wiring.producers[before.input[0]]
        weights = [wiring.producers[name] for name in node.input[1:]]
        self.nodes = [rounds, before, *weights, node, *behind, widened]
        self.node, self.input = node, str(node.input[0])
        self.source, self.output = str(rounds.input[0]), str(widened.output[0])
        scale = next(each for each in model.graph.initializer if each.name == behind[-1].input[1])
        self.step = float(numpy_helper.to_array(scale))

    def renamed(self, number: int, source: str, output: str) -> list[onnx.NodeProto]:
        """Copies of the nodes that have no tensor in common with others but constants.

        Args:
            source, output: what the first is to read, and what the last is to give.
        """
        given = [name for node in self.nodes for name in node.output]
        names = {name: f"{name} of {number}" for name in given} | {self.source: source, self.output: output}
        copies = []
        for node in self.nodes:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.name = f"{node.name} of {number}"
            copy.input[:] = [names.get(name, name) for name in node.input]
            copy.output[:] = [names[name] for name in node.output]
            copies.append(copy)
        return copies


def _graph(layers: Sequence[_Layer], shapes: Sequence[tuple[int, ...]]) -> GraphSpec:
    """Of layers side by side; nobody asks for the shapes of outputs."""

    def tensor(name: str, shape: tuple[int, ...]) -> TensorSpec:
        return TensorSpec(name=name, meaning=name, about=name, shape=shape)

    inputs = tuple(tensor(f"in{number}", shape) for number, shape in enumerate(shapes))
    outputs = tuple(tensor(f"out{number}", ()) for number in range(len(layers)))
    return GraphSpec(name="layers", family="", mode="", inputs=inputs, outputs=outputs)


def _apart(model: onnx.ModelProto, layers: Sequence[_Layer], graph: GraphSpec) -> bytes:
    """The layers side by side, as a file."""
    nodes = [
        node
        for number, each in enumerate(layers)
        for node in each.renamed(number, graph.inputs[number].name, graph.outputs[number].name)
    ]
    read = {name for node in nodes for name in node.input}
    kind = onnx.TensorProto.FLOAT
    made = helper.make_graph(
        nodes,
        "layers",
        [helper.make_tensor_value_info(tensor.name, kind, tensor.shape) for tensor in graph.inputs],
        [helper.make_tensor_value_info(tensor.name, kind, None) for tensor in graph.outputs],
        [tensor for tensor in model.graph.initializer if tensor.name in read],
    )
    part = helper.make_model(made, opset_imports=model.opset_import, ir_version=model.ir_version)
    data: bytes = part.SerializeToString(deterministic=True)
    return data


def layer_proof(name: str, step: float, found: np.ndarray, expected: np.ndarray) -> LayerProof:
    """What a layer gives beside what it should.

    Args:
        step: of it.
    """
    apart = np.abs(found.astype(np.float64) - expected)
    peak = max(float(np.abs(expected).max()), step)
    if not float(np.sqrt(np.square(apart).mean())) <= IN_THE_MEAN * step:
        return LayerProof(name, np.inf, AT_MOST * step / peak)
    return LayerProof(name, float(apart.max()) / peak, AT_MOST * step / peak)
