"""Layers that add up products (convolutions, inner and matrix products, batch norms), and how large the sums can be."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from converter.checks.half.arithmetic import (
    depthwise_sum,
    lane_sum,
    running_sum,
    winograd_bound,
    winograd_for,
    winograd_sum,
)
from converter.checks.half.step import NotAnalysed, Step, activated

SAME_UPPER, SAME_LOWER = -233, -234


@dataclass(frozen=True)
class Window:
    """Where a convolution looks: its weight (M, C / groups, R, S) and its padded input (C, H, W)."""

    weight: Tensor
    values: Tensor
    stride: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


def window(step: Step) -> Window:
    """Raises:
    NotAnalysed: for int8 weights and for weights that come as a blob.
    """
    layer = step.layer
    if layer.param(8) or layer.param(19):
        raise NotAnalysed("its weights are int8 or come as a blob")
    width, outputs = layer.param(1), layer.param(0)
    kernel = (layer.param(11, width), width)
    groups = layer.param(7, 1) if layer.type == "ConvolutionDepthWise" else 1
    dilation = (layer.param(12, layer.param(2, 1)), layer.param(2, 1))
    stride = (layer.param(13, layer.param(3, 1)), layer.param(3, 1))
    values = step.input.reshape(-1, 1, 1) if step.input.dim() == 1 else step.input
    weight = step.weights["weight"].reshape(outputs, len(values) // groups, *kernel)
    padded = functional.pad(values, _padding(layer, values, kernel, stride, dilation), value=layer.number(18))
    return Window(weight, padded, stride, dilation, groups)


def _padding(layer, values, kernel, stride, dilation):
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


def convolution(step: Step) -> Tensor:
    seen = window(step)
    start = step.bias(len(seen.weight))
    if not step.half:
        sums = functional.conv2d(seen.values[None], seen.weight, start, seen.stride, 0, seen.dilation, seen.groups)[0]
    elif seen.groups == len(seen.values) == len(seen.weight):
        sums = depthwise_sum(start, seen.weight[:, 0], seen.values, seen.stride, seen.dilation)
    elif seen.groups == 1 and (winograd := winograd_for(seen.weight, seen.stride, seen.dilation)):
        sums = winograd_sum(winograd, start, seen.weight, seen.values)
    else:
        sums = _grouped_sum(seen, start, step.shape)
    return activated(step, sums).reshape(step.shape)


def _grouped_sum(seen, start, shape):
    groups = seen.groups
    parts = []
    for values, weight, bias in zip(
        seen.values.chunk(groups), seen.weight.chunk(groups), start.chunk(groups), strict=True
    ):
        patches = functional.unfold(values[None], weight.shape[2:], seen.dilation, 0, seen.stride)[0]
        parts.append(running_sum(bias, weight.flatten(1), patches))
    return torch.cat(parts).reshape(len(start), *shape[1:])


def rows_of(step: Step) -> tuple[Tensor, Tensor]:
    """An inner product's weight (M, K) and its input as rows (N, K)."""
    if step.layer.param(8):
        raise NotAnalysed("its weights are int8")
    weight = step.weights["weight"].reshape(step.layer.param(0), -1)
    by_row = step.input.dim() == 2 and step.input.shape[1] == weight.shape[1] and len(step.shape) == 2
    return weight, step.input if by_row else step.input.reshape(1, -1)


def inner_product(step: Step) -> Tensor:
    weight, rows = rows_of(step)
    start = step.bias(len(weight))
    if step.half:
        sums = lane_sum(start, weight, rows[0]) if len(rows) == 1 else running_sum(start, weight, rows.t()).t()
    else:
        sums = rows @ weight.t() + start
    return activated(step, sums).reshape(step.shape)


def factors(step: Step) -> tuple[Tensor, Tensor, Tensor | None]:
    """What a MatMul or Gemm multiplies, (..., M, K) and (..., K, N), and what a Gemm adds."""
    layer, blobs = step.layer, list(step.inputs)
    if layer.type == "MatMul":
        a, b = blobs
        return a, b.transpose(-1, -2) if layer.param(0) else b, None
    if layer.param(11) or layer.param(14) or layer.param(18):
        raise NotAnalysed("an output in another order, or quantised")
    m, n, k = layer.param(7), layer.param(8), layer.param(9)
    turned_a, turned_b = bool(layer.param(2)), bool(layer.param(3))
    a = step.weights["A"].reshape((k, m) if turned_a else (m, k)) if layer.param(4) else blobs.pop(0)
    b = step.weights["B"].reshape((n, k) if turned_b else (k, n)) if layer.param(5) else blobs.pop(0)
    c = None
    if layer.param(6):
        shapes = {0: (1, 1), 1: (m, 1), 2: (m, 1), 3: (m, n), 4: (1, n)}
        c = step.weights["C"].reshape(shapes[layer.param(10)]) if layer.param(10) != -1 else None
    elif blobs:
        raise NotAnalysed("adds a blob")
    return a.t() if turned_a else a, b.t() if turned_b else b, c


def matrix_product(step: Step) -> Tensor:
    a, b, c = factors(step)
    alpha, beta = (step.layer.number(0, 1.0), step.layer.number(1, 1.0)) if step.layer.type == "Gemm" else (1.0, 1.0)
    if step.half and a.dim() >= 2 and b.dim() >= 2:
        product = torch.stack(
            [running_sum(torch.zeros(one.shape[0]), one, other) for one, other in zip(*_batches(a, b), strict=True)]
        )
    else:
        product = a @ b
    product = step.rounded(product * alpha) if alpha != 1.0 else product
    if c is not None:
        product = product + step.rounded(c * beta)
    return product.reshape(step.shape)


def _batches(a, b):
    ahead = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return tuple(part.expand(*ahead, *part.shape[-2:]).reshape(-1, *part.shape[-2:]) for part in (a, b))


def batch_norm_line(step: Step) -> tuple[Tensor, Tensor]:
    """A batch norm as ``start + factor * x``, each (C, 1, ...)."""
    slope, mean, variance, bias = (step.weights[role] for role in ("slope", "mean", "variance", "bias"))
    root = torch.sqrt(variance + step.layer.number(1))
    root = torch.where(root == 0, torch.full_like(root, 1e-4), root)
    shape = (-1, *[1] * (step.input.dim() - 1))
    return (bias - slope * mean / root).reshape(shape), (slope / root).reshape(shape)


def batch_norm(step: Step) -> Tensor:
    start, factor = batch_norm_line(step)
    return step.rounded(step.rounded(start) + step.rounded(factor) * step.input)


def sum_bound(step: Step) -> float | None:
    """The largest value that a sum inside the layer can pass through, in whatever order it is made.

    An upper bound for these inputs: the largest ``sum of |w| |x| + |b|`` over the outputs, and where ncnn's half
    arithmetic takes Winograd's transforms, over those, too. None for a layer without sums in half.

    Raises:
        NotAnalysed: as for the layer's output.
    """
    if step.layer.type not in _BOUNDS:
        return None
    try:
        return _BOUNDS[step.layer.type](step)
    except (RuntimeError, IndexError, KeyError, ArithmeticError) as error:  # shapes that do not fit
        raise NotAnalysed(" ".join(str(error).split())[:120]) from None


def _convolution_bound(step):
    seen = window(step)
    start = step.bias(len(seen.weight))
    sums = functional.conv2d(
        seen.values.abs()[None], seen.weight.abs(), start.abs(), seen.stride, 0, seen.dilation, seen.groups
    )
    bound = float(sums.max())
    if seen.groups == 1 and (winograd := winograd_for(seen.weight, seen.stride, seen.dilation)):
        bound = max(bound, winograd_bound(winograd, start, seen.weight, seen.values))
    return bound


def _inner_product_bound(step):
    weight, rows = rows_of(step)
    return float((rows.abs() @ weight.abs().t() + step.bias(len(weight)).abs()).max())


def _matrix_product_bound(step):
    a, b, c = factors(step)
    product = a.abs() @ b.abs()
    if step.layer.type == "MatMul":
        return float(product.max())
    alpha, beta = abs(step.layer.number(0, 1.0)), abs(step.layer.number(1, 1.0))
    added = 0.0 if c is None else beta * c.abs()
    return max(float(product.max()), float((alpha * product + added).max()))


def _batch_norm_bound(step):
    start, factor = batch_norm_line(step)
    return float((start.abs() + factor.abs() * step.input.abs()).max())


def _pooling_bound(step):
    """Global pooling sums in float32; only a window's average is summed in half."""
    layer = step.layer
    if layer.param(4) or layer.param(0) != 1:
        return None
    width = layer.param(1)
    kernel, by = (layer.param(11, width), width), (layer.param(12, layer.param(2, 1)), layer.param(2, 1))
    return float(functional.avg_pool2d(step.input.abs()[None], kernel, by, divisor_override=1).max())


_BOUNDS = {
    **dict.fromkeys(("Convolution", "ConvolutionDepthWise"), _convolution_bound),
    "InnerProduct": _inner_product_bound,
    **dict.fromkeys(("MatMul", "Gemm"), _matrix_product_bound),
    "BatchNorm": _batch_norm_bound,
    "Pooling": _pooling_bound,
}
