"""Weights of ONNX models in a byte each: int8 with a scale for every channel, and a DequantizeLinear behind.

A convolution's scales are of output channels. A matrix product's are of input channels: where they are of outputs,
onnxruntime by default computes the product itself in int8 (MatMulNBits), and answers are off by a percent.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from converter.errors import ConversionError
from converter.formats.halves import OVERFLOWS
from converter.formats.moments import Fed, Moments, by_channel
from converter.formats.onnx.file import load_model
from converter.formats.onnx.half import SUFFIX
from converter.formats.onnx.runner import OnnxBlobs
from converter.formats.ways import chosen
from converter.util.atomic import write

LARGEST = 127
SCALES = np.linspace(1.0, 0.5, 26)  # of the one that holds the largest weight, what is tried for each channel
SPENT = 0.05  # of the bytes: what the weights that pay take as halves
LEFT = 512  # numbers; smaller weights stay as they are, for a node and its scales take as many bytes
INT8, SCALE = "_int8", "_scale"


@dataclass(eq=False)
class Part:
    """A weight with the bias beside it, wherever models have it.

    Attributes:
        rows: of every output channel, (outputs, weights), float32.
        groups: of its convolution.
        taps: weights of one input channel in a row.
        bias: (outputs,) float32; None without.
        by_input: whether a scale is of an input channel.
        moments: of its input in all models; None where they are not known.
    """

    rows: np.ndarray
    groups: int
    taps: int
    bias: np.ndarray | None
    by_input: bool
    moments: Moments | None = None

    @property
    def channels(self) -> int:
        """Of its input."""
        return int(self.rows.shape[1]) // self.taps * self.groups

    def by_weight(self, channels: np.ndarray) -> np.ndarray:
        """What is known of input channels for each weight, as ``rows``."""
        of_group = channels.reshape(self.groups, -1).repeat(self.taps, 1)
        return of_group.repeat(len(self.rows) // self.groups, 0)


@dataclass(frozen=True, eq=False)
class Small:
    """One way to store a part.

    Attributes:
        rows: int8 or float16.
        scales: float32, (outputs, 1) or (1, inputs); None for float16.
        bias: corrected.
        error: the share of what the layer computes that is off.
    """

    rows: np.ndarray
    scales: np.ndarray | None
    bias: np.ndarray | None
    error: float

    @property
    def size(self) -> int:
        return int(self.rows.nbytes) + (0 if self.scales is None else int(self.scales.nbytes))


Key = tuple[str, bytes, bytes]


@dataclass(frozen=True, eq=False)
class Weighted:
    """A node that multiplies with a constant of floats.

    Attributes:
        axis: of the weight's output channels.
        key: the same for equal weights and biases.
    """

    node: onnx.NodeProto
    weight: onnx.TensorProto
    bias: onnx.TensorProto | None
    axis: int
    groups: int

    @property
    def values(self) -> np.ndarray:
        return np.asarray(numpy_helper.to_array(self.weight))

    @property
    def scaled(self) -> int:
        """The axis of the weight that has a scale for each of its places."""
        return self.axis if self.node.op_type == "Conv" else 1 - self.axis

    @property
    def key(self) -> Key:
        bias = b"" if self.bias is None else numpy_helper.to_array(self.bias).tobytes()
        return f"{self.node.op_type} {self.axis} {self.groups} {self.values.shape}", self.values.tobytes(), bias

    def part(self) -> Part:
        rows = np.moveaxis(self.values, self.axis, 0)
        taps = int(np.prod(rows.shape[2:], dtype=int))
        bias = None if self.bias is None else np.asarray(numpy_helper.to_array(self.bias))
        return Part(rows.reshape(len(rows), -1), self.groups, taps, bias, self.scaled != self.axis)


def shrink(models: Sequence[Fed]) -> None:
    """Write models anew, with weights of convolutions and matrix products in a byte each, some of them as halves.

    A weight that several models have is stored the same in all of them.

    Raises:
        ConversionError: for models that cannot be read or run, and where onnx does not take the result.
    """
    loaded = {fed.files[0]: load_model(fed.files[0]) for fed in models}
    small = smaller([(fed, weighted(loaded[fed.files[0]])) for fed in models])
    for path, model in loaded.items():
        _store(model, [(each, small[each.key]) for each in weighted(model)])
        try:
            onnx.checker.check_model(model, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, RuntimeError) as error:
            first = str(error).strip().partition("\n")[0]
            raise ConversionError(
                f"storing the weights of {path.name} in bytes: not a valid ONNX model: {first}"
            ) from error
        write(path, model.SerializeToString(deterministic=True))


def smaller(models: Sequence[tuple[Fed, Sequence[Weighted]]]) -> dict[Key, Small]:
    """How to store the weights of nodes, by their key.

    Args:
        models: with their nodes.

    Raises:
        ConversionError: for models that cannot be run.
    """
    parts: dict[Key, Part] = {}
    for fed, nodes in models:
        for each, moments in _measured(fed, nodes):
            part = parts.setdefault(each.key, each.part())
            if moments is not None:
                part.moments = moments if part.moments is None else part.moments + moments
    return chosen({key: _ways(part) for key, part in parts.items()}, SPENT)


def weighted(model: onnx.ModelProto, least: int = LEFT) -> list[Weighted]:
    """The nodes with a weight, and maybe a bias, that no other node reads.

    Args:
        least: numbers in a weight.
    """
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    readers = Counter(name for node in model.graph.node for name in node.input)
    found = []
    for node in model.graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul"):
            continue
        attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        weight, bias = (stored.get(name) for name in (*node.input[1:3], "", "")[:2])
        if weight is None or readers[weight.name] > 1 or weight.data_type != onnx.TensorProto.FLOAT:
            continue
        if np.prod(weight.dims) < least or len(weight.dims) < 2 or (node.op_type == "MatMul" and len(weight.dims) > 2):
            continue
        axis = 0 if node.op_type == "Conv" or attributes.get("transB") else 1
        alone = bias is not None and readers[bias.name] == 1 and list(bias.dims) == [weight.dims[axis]]
        scaled = attributes.get("alpha", 1.0) != 1.0 or attributes.get("beta", 1.0) != 1.0
        found.append(Weighted(node, weight, bias if alone and not scaled else None, axis, attributes.get("group", 1)))
    return found


def _measured(fed: Fed, nodes: Sequence[Weighted]) -> list[tuple[Weighted, Moments | None]]:
    """The nodes with what goes into them."""
    inputs = {tensor.name for tensor in fed.graph.inputs}
    inner = list(dict.fromkeys(each.node.input[0] for each in nodes if each.node.input[0] not in inputs))
    runner, channels = OnnxBlobs(fed.files[0], fed.graph), [each.part().channels for each in nodes]
    moments: list[Moments | None] = [None] * len(nodes)
    for feed in fed.feeds:
        seen = {**feed, **(runner.blobs(feed, inner) if inner else {})}
        for place, each in enumerate(nodes):
            array = seen[each.node.input[0]]
            plain = array[0] if each.node.op_type == "Conv" else array.reshape(-1, array.shape[-1])
            if (found := by_channel(plain, channels[place])) is not None:
                one, before = Moments.of(found), moments[place]
                moments[place] = one if before is None else before + one
    return list(zip(nodes, moments, strict=True))


def _ways(part: Part) -> list[Small]:
    """int8, and halves where the weights can be halves."""
    importance = np.ones(part.rows.shape)
    if part.moments is not None:
        importance = part.by_weight(part.moments.importance)
    ways = [_way(part, importance, *rounded(part.rows, importance, int(not part.by_input)))]
    if np.abs(part.rows).max() < OVERFLOWS:
        ways.append(_way(part, importance, part.rows.astype(np.float16), None))
    return ways


def rounded(
    rows: np.ndarray, importance: np.ndarray, across: int = 1, most: int = LARGEST
) -> tuple[np.ndarray, np.ndarray]:
    """int8 (outputs, weights) and scales, float32: of those tried the ones with the least error.

    Args:
        across: the axis along which weights have one scale.
        most: the largest integer.
    """
    largest = np.abs(rows).max(across, keepdims=True).astype(np.float32)
    widest = np.where(largest > 0, largest / most, 1).astype(np.float32)
    best, least = widest, np.full(widest.shape, np.inf)
    for share in SCALES:
        scale = (widest * np.float32(share)).astype(np.float32)
        off = (np.clip(np.rint(rows / scale), -most, most) * scale - rows).astype(np.float64)
        error = (importance * off * off).sum(across, keepdims=True)
        best, least = np.where(error < least, scale, best), np.minimum(error, least)
    return np.clip(np.rint(rows / best), -most, most).astype(np.int8), best.astype(np.float32)


def _way(part: Part, importance: np.ndarray, rows: np.ndarray, scales: np.ndarray | None) -> Small:
    kept = rows.astype(np.float32) * (1 if scales is None else scales)
    off, wide = part.rows.astype(np.float64) - kept, part.rows.astype(np.float64)
    error = float((importance * off**2).sum() / max((importance * wide**2).sum(), 1e-30))
    bias = part.bias
    if bias is not None and part.moments is not None:
        bias = (bias + (off * part.by_weight(part.moments.means)).sum(1)).astype(np.float32)
    return Small(rows, scales, bias, error)


def stored(each: Weighted, way: Small) -> tuple[list[onnx.TensorProto], onnx.NodeProto]:
    """The tensors in place of a node's weight and bias, and the node that gives the weight as floats."""
    name, dims = each.weight.name, each.weight.dims
    others = [size for axis, size in enumerate(dims) if axis != each.axis]
    values = np.ascontiguousarray(np.moveaxis(way.rows.reshape(-1, *others), 0, each.axis))
    small = f"{name}{SUFFIX if way.scales is None else INT8}"
    tensors = [numpy_helper.from_array(values, small)]
    if each.bias is not None and way.bias is not None:
        tensors.append(numpy_helper.from_array(way.bias, each.bias.name))
    if way.scales is None:
        node = onnx.helper.make_node("Cast", [small], [name], name=f"{name}_widened", to=onnx.TensorProto.FLOAT)
    else:
        tensors.append(numpy_helper.from_array(way.scales.reshape(-1), f"{name}{SCALE}"))
        node = onnx.helper.make_node(
            "DequantizeLinear", [small, f"{name}{SCALE}"], [name], name=f"{name}_widened", axis=each.scaled
        )
    return tensors, node


def _store(model: onnx.ModelProto, small: Sequence[tuple[Weighted, Small]]) -> None:
    """Change weights and biases in the model, and put what widens the weights before all other nodes."""
    widening: list[onnx.NodeProto] = []
    replaced = {each.weight.name for each, _ in small} | {each.bias.name for each, _ in small if each.bias is not None}
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in replaced]
    for each, way in small:
        tensors, node = stored(each, way)
        kept += tensors
        widening.append(node)
    nodes = list(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend([*widening, *nodes])
