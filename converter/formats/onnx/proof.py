"""Whether onnxruntime computes an int8 model as it is written: those layers in integers, no others, and rightly."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from converter.errors import ConversionError
from converter.formats.int8 import LayerProof
from converter.formats.moments import Fed
from converter.formats.onnx.file import load_model
from converter.formats.onnx.layers import CLIPS, Wiring, name_of
from converter.formats.onnx.runner import OnnxBlobs, OnnxRunner, answer
from converter.util.atomic import scratch
from converter.util.content import Content

# nodes that onnxruntime makes of layers between DequantizeLinear and QuantizeLinear, and those of older models
INTEGER = {
    *("QLinearConv", "QLinearMatMul", "QGemm", "MatMulIntegerToFloat"),
    *("ConvInteger", "MatMulInteger", "DynamicQuantizeMatMul"),
}
ROUNDING = 1e-3  # of an output's range
AS_MUCH = 1.5  # times what int8 itself is off by
A_STEP = 1.001
FLOATS = 1e-5  # of the largest number, where a layer gives floats
OTHERWISE = 0.01  # of the numbers that a layer gives: how many may be rounded the other way


def proofs(fed: Fed, path: Path, int8: Collection[str]) -> list[LayerProof]:
    """Every int8 layer of a written model by onnxruntime with its default options, beside the nodes in the file.

    Args:
        fed: the model in float32; its first feed is taken.
        path: of the written one.
        int8: names of its layers that compute in int8.

    Raises:
        ConversionError: where onnxruntime computes other layers in integers than those, and where its answers differ
            more from those without its optimisations than rounding explains.
    """
    _check_alike(fed, path, len(int8))
    model = load_model(path)
    wiring = Wiring(model)
    nodes = {name: node for node in model.graph.node if (name := name_of(node, fed.graph.name)) in int8}
    parts = {name: _Part(model, wiring, node) for name, node in nodes.items()}
    names = list(dict.fromkeys(blob for part in parts.values() for blob in (part.input, part.output)))
    seen = OnnxBlobs(path, fed.graph).blobs(fed.feeds[0], names) if names else {}
    return [_proof(name, part, seen) for name, part in parts.items()]


def _check_alike(fed: Fed, path: Path, layers: int) -> None:
    """Hold a model's answers with onnxruntime's optimisations against those without.

    A number that is rounded the other way changes what follows as much as rounding itself does: both answers have to be
    about as near to each other as the model's are to those in float32.
    """
    with scratch("lt-onnx-") as folder:
        optimised = OnnxRunner(path, fed.graph, written=folder / "made.onnx")
        found = sum(node.op_type in INTEGER for node in load_model(folder / "made.onnx").graph.node)
    if found != layers:
        raise ConversionError(
            f"int8 in {path.name}: onnxruntime computes {found} layers in integers, expected {layers}; "
            "with another release of it, it may"
        )
    feed = fed.feeds[0]
    exact = OnnxRunner(fed.files[0], fed.graph).infer(feed)
    given, plain = optimised.infer(feed), OnnxRunner(path, fed.graph, optimised=False).infer(feed)
    for name, array in plain.items():
        apart = _rms(given[name] - array)
        allowed = max(ROUNDING * float(np.ptp(array)), AS_MUCH * _rms(array - exact[name]))
        if not apart <= allowed:
            raise ConversionError(
                f"int8 in {path.name}: onnxruntime's optimisations move {name} by {apart:.3g}, expected "
                f"{allowed:.3g} or less"
            )


def _rms(array: np.ndarray) -> float:
    return float(np.sqrt(np.square(array, dtype=np.float64).mean()))


class _Part:
    """An int8 layer as a model of its own, from integers to integers, or to floats where it gives some.

    Args:
        model: it is in.
        node: the layer's.

    Attributes:
        input, output: tensors of the model.
        whole: whether the output is in integers.
        content: a file.
    """

    def __init__(self, model: onnx.ModelProto, wiring: Wiring, node: onnx.NodeProto):
        before = [wiring.producers[name] for name in node.input]
        self.input, self.output = str(before[0].input[0]), str(node.output[0])
        nodes, self.whole = [*before, node], False
        for reader in up_to_rounding(wiring, node):
            nodes.append(reader)
            self.output, self.whole = str(reader.output[0]), reader.op_type == "QuantizeLinear"
        read = {name for each in nodes for name in each.input}
        kind = onnx.TensorProto.UINT8
        graph = helper.make_graph(
            nodes,
            "part",
            [helper.make_tensor_value_info(self.input, kind, None)],
            [helper.make_tensor_value_info(self.output, kind if self.whole else onnx.TensorProto.FLOAT, None)],
            [tensor for tensor in model.graph.initializer if tensor.name in read],
        )
        part = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
        self.content = Content.holding(Path(f"{node.name}.onnx"), part.SerializeToString())


def up_to_rounding(wiring: Wiring, node: onnx.NodeProto) -> Sequence[onnx.NodeProto]:
    """The nodes behind a layer up to the one that rounds; none where it gives floats."""
    readers: list[onnx.NodeProto] = []
    while node.op_type != "QuantizeLinear":
        following = wiring.readers.get(node.output[0], [])
        if len(following) != 1 or following[0].op_type not in ("QuantizeLinear", *CLIPS):
            return []
        node = following[0]
        readers.append(node)
    return readers


def _proof(name: str, part: _Part, seen: Mapping[str, np.ndarray]) -> LayerProof:
    expected = seen[part.output].astype(np.float64)
    found = answer(part.content, {part.input: seen[part.input]}, part.output).astype(np.float64)
    apart, peak = np.abs(found - expected), max(float(np.abs(expected).max()), 1e-30)
    if part.whole and float((apart > 0).mean()) > OTHERWISE:
        return LayerProof(name, np.inf, A_STEP / peak)
    return LayerProof(name, float(apart.max()) / peak, A_STEP / peak if part.whole else FLOATS)
