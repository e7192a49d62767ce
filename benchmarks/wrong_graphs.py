"""The layers of converted models as steps in PyTorch, many inputs at once: what a fault in one of them changes.

Only what comes behind the fault is computed again. Blobs keep the names that they have in the files, after the
name of their graph: ``update/57``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor
from torch.nn import functional as F

from converter.formats.ncnn.layer import Layer
from converter.formats.ncnn.weights import load_model
from converter.spec.model import Model

Values = dict[str, Tensor]
Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Step:
    """One layer of a graph.

    Attributes:
        graph, layer: their names.
        inputs, output: blobs.
        run: (inputs, weights) -> output, (N, C, H, W) or what the graph makes of it, float32.
        weights: by the layer's own words; the first axis is the output channel's.
    """

    graph: str
    layer: str
    inputs: tuple[str, ...]
    output: str
    run: Callable[[Sequence[Tensor], Weights], Tensor]
    weights: Weights = field(default_factory=dict)

    def __call__(self, values: Mapping[str, Tensor]) -> Tensor:
        return self.run([values[name] for name in self.inputs], self.weights)


@dataclass(frozen=True)
class Steps:
    """The graphs of a tracker in one format, in the order in which a device runs them.

    Attributes:
        steps: of all graphs.
        outputs: tensor of the config -> blob.
    """

    steps: tuple[Step, ...]
    outputs: Mapping[str, str]

    def values(self, images: Mapping[str, Tensor]) -> Values:
        """Every blob, of inputs by meaning."""
        values = dict(images)
        with torch.no_grad():
            for step in self.steps:
                values[step.output] = step(values)
        return values

    def behind(self, index: int, output: Tensor, values: Mapping[str, Tensor], rows: Tensor) -> Values:
        """The tensors of the config when a step gives something else, for some of the inputs.

        Args:
            index: of the step.
            output: what it gives for these rows.
            values: without the fault, for all inputs.
            rows: indices of inputs.
        """
        changed = {self.steps[index].output: output}
        with torch.no_grad():
            for step in self.steps[index + 1 :]:
                if any(name in changed for name in step.inputs):
                    inputs = [changed[name] if name in changed else values[name][rows] for name in step.inputs]
                    changed[step.output] = step.run(inputs, step.weights)
        return {tensor: changed[blob] for tensor, blob in self.outputs.items() if blob in changed}


def steps_of(folder: Path, models: Sequence[Model]) -> Steps:
    """The models of one format."""
    steps: list[Step] = []
    known: dict[str, str] = {}
    for model in models:
        fed = {tensor.name: known.get(tensor.meaning, tensor.meaning) for tensor in model.graph.inputs}
        read = ncnn_steps if model.format == "ncnn" else onnx_steps
        steps += _named(model.graph.name, fed, read(model.paths(folder)))
        known |= {tensor.meaning: f"{model.graph.name}/{tensor.name}" for tensor in model.graph.outputs}
    return Steps(tuple(steps), known)


def _named(graph: str, fed: Mapping[str, str], steps: Sequence[Step]) -> list[Step]:
    def name(blob: str) -> str:
        return fed.get(blob, f"{graph}/{blob}")

    return [
        replace(step, graph=graph, inputs=tuple(map(name, step.inputs)), output=f"{graph}/{step.output}")
        for step in steps
    ]


def ncnn_steps(files: Sequence[Path]) -> list[Step]:
    """The layers of an ncnn model; a Split is no layer here, its blobs are the one that it copies."""
    graph, stored = load_model(*files)
    steps, same = [], dict[str, str]()
    for layer, arrays in zip(graph.layers, stored.arrays, strict=True):
        if layer.type == "Split":
            same |= dict.fromkeys(layer.outputs, same.get(layer.inputs[0], layer.inputs[0]))
        elif layer.type != "Input":
            inputs = tuple(same.get(blob, blob) for blob in layer.inputs)
            weights = {each.role: torch.from_numpy(each.values().copy()) for each in arrays}
            run, weights = _NCNN[layer.type](layer, weights)
            steps.append(Step("", layer.name, inputs, layer.outputs[0], run, weights))
    return steps


Run = tuple[Callable[[Sequence[Tensor], Weights], Tensor], Weights]
ACTIVATIONS: dict[int, Callable[[Tensor], Tensor]] = {0: lambda x: x, 1: F.relu, 4: torch.sigmoid}


def _convolution(layer: Layer, weights: Weights) -> Run:
    groups, kernel = layer.param(7, 1), (layer.param(11), layer.param(1))
    stride, pad, activation = layer.param(3, 1), layer.param(4), ACTIVATIONS[layer.param(9)]
    shaped = weights["weight"].reshape(layer.param(0), -1, *kernel)
    return (
        lambda x, w: activation(F.conv2d(x[0], w["weight"], w.get("bias"), stride, pad, groups=groups)),
        {**weights, "weight": shaped},
    )


def _inner_product(layer: Layer, weights: Weights) -> Run:
    activation = ACTIVATIONS[layer.param(9)]
    shaped = weights["weight"].reshape(layer.param(0), -1)
    return (
        lambda x, w: activation(F.linear(x[0].flatten(1), w["weight"], w.get("bias")))[:, :, None, None],
        {**weights, "weight": shaped},
    )


def _batch_norm(layer: Layer, weights: Weights) -> Run:
    eps = layer.number(1)
    return (
        lambda x, w: F.batch_norm(x[0], w["mean"], w["variance"], w["slope"], w["bias"], eps=eps),
        weights,
    )


def _binary(layer: Layer, weights: Weights) -> Run:
    operation = {0: torch.add, 2: torch.mul}[layer.param(0)]
    if layer.param(1):
        scalar = layer.number(2)
        return lambda x, w: operation(x[0], scalar), weights
    return lambda x, w: operation(x[0], x[1]), weights


def _reshape(layer: Layer, weights: Weights) -> Run:
    shape = [layer.param(key, 1) for key in (2, 1, 0) if layer.value(key) is not None]
    return lambda x, w: x[0].reshape(len(x[0]), *shape), weights


def _plain(function: Callable[..., Tensor]) -> Callable[[Layer, Weights], Run]:
    return lambda layer, weights: (lambda x, w: function(*x), weights)


_NCNN: dict[str, Callable[[Layer, Weights], Run]] = {
    "Convolution": _convolution,
    "ConvolutionDepthWise": _convolution,
    "InnerProduct": _inner_product,
    "BatchNorm": _batch_norm,
    "BinaryOp": _binary,
    "Reshape": _reshape,
    "Swish": _plain(F.silu),
    "HardSigmoid": _plain(F.hardsigmoid),
    "Pooling": _plain(lambda x: F.adaptive_avg_pool2d(x, 1)),
    "Permute": _plain(lambda x: x.transpose(1, 2)),
    "MatMul": _plain(torch.matmul),
}


def onnx_steps(files: Sequence[Path]) -> list[Step]:
    """The nodes of an ONNX model."""
    graph = onnx.load(files[0]).graph
    constants = {each.name: torch.from_numpy(onnx.numpy_helper.to_array(each).copy()) for each in graph.initializer}
    steps = []
    for node in graph.node:
        fixed = [constants.get(name) for name in node.input]
        attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        run, weights = _onnx(node.op_type, fixed, attributes)
        inputs = tuple(name for name in node.input if name not in constants)
        steps.append(Step("", node.name, inputs, node.output[0], run, weights))
    return steps


def _onnx(kind: str, fixed: Sequence[Tensor | None], attributes: Mapping[str, object]) -> Run:
    if kind in ("Conv", "BatchNormalization"):
        return _onnx_weighted(kind, fixed, attributes)
    if kind in ("Add", "Mul", "Div"):
        operation = {"Add": torch.add, "Mul": torch.mul, "Div": torch.div}[kind]
        scalar = fixed[1]
        return (lambda x, w: operation(x[0], scalar if len(x) == 1 else x[1])), {}
    if kind == "Clip":
        low, high = (float(each) for each in fixed[1:] if each is not None)
        return (lambda x, w: x[0].clamp(low, high)), {}
    if kind == "Reshape":
        assert fixed[1] is not None
        shape = fixed[1].tolist()
        return (lambda x, w: x[0].reshape(len(x[0]), *shape[1:])), {}
    function = {
        "Sigmoid": torch.sigmoid,
        "Relu": F.relu,
        "GlobalAveragePool": lambda x: F.adaptive_avg_pool2d(x, 1),
        "Transpose": lambda x: x.transpose(1, 2),
        "MatMul": torch.matmul,
    }[kind]
    return (lambda x, w: function(*x)), {}


def _onnx_weighted(kind: str, fixed: Sequence[Tensor | None], attributes: Mapping[str, object]) -> Run:
    arrays = [each for each in fixed if each is not None]
    if kind == "Conv":
        stride, pads, groups = (attributes[name] for name in ("strides", "pads", "group"))
        weights = dict(zip(("weight", "bias"), arrays, strict=False))
        return (
            lambda x, w: F.conv2d(x[0], w["weight"], w.get("bias"), stride, pads[0], groups=groups)  # type: ignore
        ), weights
    eps = float(attributes["epsilon"])  # type: ignore[arg-type]
    weights = dict(zip(("slope", "bias", "mean", "variance"), arrays, strict=True))
    return (lambda x, w: F.batch_norm(x[0], w["mean"], w["variance"], w["slope"], w["bias"], eps=eps)), weights


def as_tensors(crops: Sequence[Mapping[str, np.ndarray]]) -> Values:
    """Crops, each by meaning, as one batch."""
    return {name: torch.from_numpy(np.concatenate([crop[name] for crop in crops])) for name in crops[0]}
