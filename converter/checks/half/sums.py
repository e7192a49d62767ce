"""Layers of ncnn that add up products: what they compute in float32, and how large their sums can get in half.

Blobs are float32 tensors without the batch axis, as ncnn has them: (W,), (H, W), (C, H, W).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from converter.checks.half.winograd import winograd_bound, winograd_for
from converter.formats.ncnn.layer import Layer

SAME_UPPER, SAME_LOWER = -233, -234
# the other types: ncnn makes no sum in half in them (softmax, layer norm and global pooling sum in float32)
WITHOUT_SUMS = frozenset(
    {
        *("Input", "MemoryData", "Split", "Noop", "Dropout", "Concat", "Permute"),
        *("Reshape", "Flatten", "Squeeze", "ExpandDims"),
        *("BinaryOp", "UnaryOp", "Softmax", "LayerNorm"),
        *("ReLU", "Clip", "Sigmoid", "TanH", "Swish", "HardSigmoid", "HardSwish"),
    }
)


class NotAnalysed(Exception):
    """A layer, or a way of using it, that is not known here."""


@dataclass(frozen=True)
class Step:
    """One run of one layer.

    Attributes:
        weights: role to values, float32.
        inputs: blobs.
        shape: of the output.
    """

    layer: Layer
    weights: Mapping[str, Tensor]
    inputs: Sequence[Tensor]
    shape: tuple[int, ...]

    @property
    def input(self) -> Tensor:
        return self.inputs[0]

    def bias(self, outputs: int) -> Tensor:
        return self.weights.get("bias", torch.zeros(outputs))


@dataclass(frozen=True)
class Sums:
    """What a layer that adds up products does.

    Attributes:
        output: in float32.
        bound: what no sum inside it exceeds for these inputs, in whatever order it is made: the largest
            ``sum of |w| |x| + |b|`` over the outputs, and over Winograd's transforms where ncnn takes them.
    """

    output: Tensor
    bound: float


def sums_of(step: Step) -> Sums | None:
    """None for a layer without sums in half.

    Raises:
        NotAnalysed: for a type or parameters that are not known here.
    """
    layer = step.layer
    if layer.type in WITHOUT_SUMS:
        return None
    if layer.type not in _SUMS:
        raise NotAnalysed(f"type {layer.type} is not known")
    try:
        return _SUMS[layer.type](step)
    except (RuntimeError, IndexError, KeyError, TypeError, ArithmeticError) as error:  # shapes that do not fit
        raise NotAnalysed(" ".join(str(error).split())[:120]) from None


def _convolution(step: Step) -> Sums:
    layer = step.layer
    if layer.param(8) or layer.param(19):
        raise NotAnalysed("its weights are int8 or come as a blob")
    width, outputs = layer.param(1), layer.param(0)
    kernel = (layer.param(11, width), width)
    groups = layer.param(7, 1) if layer.type == "ConvolutionDepthWise" else 1
    dilation = (layer.param(12, layer.param(2, 1)), layer.param(2, 1))
    stride = (layer.param(13, layer.param(3, 1)), layer.param(3, 1))
    values = step.input.reshape(-1, 1, 1) if step.input.dim() == 1 else step.input
    weight, start = step.weights["weight"].reshape(outputs, len(values) // groups, *kernel), step.bias(outputs)
    padded = functional.pad(values, _padding(layer, values, kernel, stride, dilation), value=layer.number(18))

    def convolved(values: Tensor, weight: Tensor, start: Tensor) -> Tensor:
        return functional.conv2d(values[None], weight, start, stride, 0, dilation, groups)[0]

    bound = float(convolved(padded.abs(), weight.abs(), start.abs()).max())
    if groups == 1 and (winograd := winograd_for(weight, stride, dilation)):
        bound = max(bound, winograd_bound(winograd, start, weight, padded))
    return Sums(_activated(layer, convolved(padded, weight, start)), bound)


def _padding(
    layer: Layer, values: Tensor, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> list[int]:
    """Left, right, top, bottom."""
    left = layer.param(4)
    top = layer.param(14, left)
    pads = [left, layer.param(15, left), top, layer.param(16, top)]
    if left not in (SAME_UPPER, SAME_LOWER):
        return pads
    pads = []
    for axis in (1, 0):
        size = values.shape[axis + 1]
        extent = dilation[axis] * (kernel[axis] - 1) + 1
        total = max(0, extent + (size - 1) // stride[axis] * stride[axis] - size)
        less, more = total // 2, total - total // 2
        pads += [less, more] if left == SAME_UPPER else [more, less]
    return pads


def _inner_product(step: Step) -> Sums:
    if step.layer.param(8):
        raise NotAnalysed("its weights are int8")
    weight = step.weights["weight"].reshape(step.layer.param(0), -1)
    by_row = step.input.dim() == 2 and step.input.shape[1] == weight.shape[1] and len(step.shape) == 2
    rows, start = step.input if by_row else step.input.reshape(1, -1), step.bias(len(weight))
    bound = float((rows.abs() @ weight.abs().t() + start.abs()).max())
    return Sums(_activated(step.layer, rows @ weight.t() + start), bound)


def _matrix_product(step: Step) -> Sums:
    a, b = step.inputs
    b = b.transpose(-1, -2) if step.layer.param(0) else b
    return Sums(a @ b, float((a.abs() @ b.abs()).max()))


def _gemm(step: Step) -> Sums:
    layer, blobs = step.layer, list(step.inputs)
    if layer.param(11) or layer.param(14) or layer.param(18):
        raise NotAnalysed("an output in another order, or quantised")
    m, n, k = layer.param(7), layer.param(8), layer.param(9)
    turned_a, turned_b = bool(layer.param(2)), bool(layer.param(3))
    a = step.weights["A"].reshape((k, m) if turned_a else (m, k)) if layer.param(4) else blobs.pop(0)
    b = step.weights["B"].reshape((n, k) if turned_b else (k, n)) if layer.param(5) else blobs.pop(0)
    added = torch.zeros(1)
    if layer.param(6):
        shapes = {0: (1, 1), 1: (m, 1), 2: (m, 1), 3: (m, n), 4: (1, n)}
        added = step.weights["C"].reshape(shapes[layer.param(10)]) if layer.param(10) != -1 else added
    elif blobs:
        raise NotAnalysed("adds a blob")
    a, b = a.t() if turned_a else a, b.t() if turned_b else b
    alpha, beta = layer.number(0, 1.0), layer.number(1, 1.0)
    product = a.abs() @ b.abs()
    bound = max(float(product.max()), float((abs(alpha) * product + abs(beta) * added.abs()).max()))
    return Sums(alpha * (a @ b) + beta * added, bound)


def _batch_norm(step: Step) -> Sums:
    slope, mean, variance, bias = (step.weights[role] for role in ("slope", "mean", "variance", "bias"))
    root = torch.sqrt(variance + step.layer.number(1))
    root = torch.where(root == 0, torch.full_like(root, 1e-4), root)
    shape = (-1, *[1] * (step.input.dim() - 1))
    start, factor = (bias - slope * mean / root).reshape(shape), (slope / root).reshape(shape)
    return Sums(start + factor * step.input, float((start.abs() + factor.abs() * step.input.abs()).max()))


def _pooling(step: Step) -> Sums | None:
    """Only a window's average is summed in half."""
    layer = step.layer
    if layer.param(4) or layer.param(0) != 1:
        return None
    pads = (layer.param(3), layer.param(14, layer.param(3)), layer.param(13, layer.param(3)))
    if layer.param(7) or any(pads) or layer.param(15, pads[2]):
        raise NotAnalysed("adaptive or padded pooling")
    width = layer.param(1)
    kernel, by = (layer.param(11, width), width), (layer.param(12, layer.param(2, 1)), layer.param(2, 1))
    bound = float(functional.avg_pool2d(step.input.abs()[None], kernel, by, divisor_override=1).max())
    return Sums(functional.avg_pool2d(step.input[None], kernel, by)[0], bound)


_SUMS: dict[str, Callable[[Step], Sums | None]] = {
    **dict.fromkeys(("Convolution", "ConvolutionDepthWise"), _convolution),
    "InnerProduct": _inner_product,
    "MatMul": _matrix_product,
    "Gemm": _gemm,
    "BatchNorm": _batch_norm,
    "Pooling": _pooling,
}


def _activated(layer: Layer, sums: Tensor) -> Tensor:
    """The activation that is fused into a convolution or inner product."""
    kind = layer.param(9)
    if kind not in _FUSED:
        raise NotAnalysed(f"fused activation {kind} is not known")
    return _FUSED[kind](sums, *layer.numbers(10))


_FUSED: dict[int, Callable[..., Tensor]] = {
    0: lambda x: x,
    1: lambda x: x.clamp(min=0),
    2: lambda x, slope: torch.where(x > 0, x, x * slope),
    3: lambda x, low, high: x.clamp(low, high),
    4: torch.sigmoid,
    5: functional.mish,
    6: lambda x, alpha, beta: x * (x * alpha + beta).clamp(0, 1),
}
