"""Layers in whole numbers, and how models with such layers are written for what runs them.

Where a processor has no instruction for sums of products of bytes (AVX2, AVX-512 without VNNI), onnxruntime adds pairs
of products of unsigned and signed bytes in 16 bits, and what does not fit is cut off. With weights of 64 at most it
fits: 2 · 255 · 64 = 32640. Unsigned weights would have all eight bits, and take half as long again on every processor.
An NPU has all eight bits, and no kernels that make integers of what stands between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from converter.formats.onnx.layers import FLOAT_OUTPUT, Layer, Point
from converter.formats.onnx.observed import Rounding
from converter.formats.onnx.small import rounded

LARGEST_BIAS = 2.0**30  # steps; sums of products have to fit into int32 beside it


@dataclass(frozen=True)
class Style:
    """How models are written for what runs them.

    Attributes:
        most: of an int8 weight.
        zeros: whether every DequantizeLinear is given the zeros that it would take by itself.
        in_bytes: whether weights of layers in float are stored in a byte each.
        guarded: whether layers in float have to be kept from being computed in integers.
        products: whether matrix products can be in int8.
        apart: whether no tensor is read by a layer in int8 and by something else.
        evened: whether channels before x · sigmoid(x) are made even, by a product in float behind the rounding.
    """

    most: int
    zeros: bool
    in_bytes: bool
    guarded: bool
    products: bool
    apart: bool = False
    evened: bool = True

    def layers_of(self, layers: Sequence[Layer]) -> list[Layer]:
        """Those that can be in int8, with what they give made even only where that is wanted."""
        taken = [layer for layer in layers if self.products or layer.node.op_type not in FLOAT_OUTPUT]
        if self.evened:
            return taken
        return [layer if layer.end is None else replace(layer, end=Point(layer.end.tensor)) for layer in taken]


HOST = Style(most=64, zeros=False, in_bytes=True, guarded=True, products=True)  # onnxruntime


@dataclass(frozen=True, eq=False)
class Whole:
    """A layer in integers.

    Attributes:
        weights: int8, (outputs, weights).
        scales: of every output, float32.
        bias: int32, (outputs,), in steps of ``scales`` and the input's; None without.
        bias_scales: float32.
    """

    weights: np.ndarray
    scales: np.ndarray
    bias: np.ndarray | None
    bias_scales: np.ndarray


def whole(
    layer: Layer, given: Rounding, corrected: bool, divisors: np.ndarray | None = None, most: int = HOST.most
) -> Whole:
    """A layer in integers, by what calibration has shown of its input.

    Args:
        corrected: whether the bias, where there can be one, makes up for the mean of what rounding of input and weights
            is off by.
        divisors: of what every output gives, (outputs,) float32; None where it gives that itself.
        most: of a weight.
    """
    part, exact, means = layer.part, given.exact, given.means
    assert exact is not None  # both are known where a layer reads
    assert means is not None
    corrected = corrected and layer.node.op_type != "MatMul"  # which has no bias
    rows = part.rows.astype(np.float32)
    if given.even is not None:
        rows = rows * part.by_weight(given.even)
    bias = None if part.bias is None else part.bias.astype(np.float64)
    if divisors is not None:
        rows = rows / divisors[:, np.newaxis]
        bias = None if bias is None else bias / divisors
    importance = exact.importance if corrected else exact.squares / exact.count
    steps, by_row = rounded(rows, part.by_weight(importance), most=most)
    scales = _like_others(by_row[:, 0], steps)
    step = np.float32(given.range.scale)
    for _ in range(2):  # where a scale is raised, the weights change, and with them what the bias makes up for
        total = np.zeros(len(rows)) if bias is None else bias.copy()
        if corrected:
            kept = steps.astype(np.float64) * scales[:, np.newaxis]
            total += (rows * part.by_weight(exact.means) - kept * part.by_weight(means)).sum(1)
        least = (np.abs(total) / (float(step) * LARGEST_BIAS)).astype(np.float32)
        if (scales >= least).all():
            break
        scales = np.maximum(scales, least * np.float32(1.01))
        steps = np.clip(np.rint(rows / scales[:, np.newaxis]), -most, most).astype(np.int8)
    bias_scales = np.maximum(step * scales, np.finfo(np.float32).tiny)
    in_steps = np.clip(np.rint(total / bias_scales.astype(np.float64)), -LARGEST_BIAS, LARGEST_BIAS)
    return Whole(
        *(steps, scales, None if bias is None and not corrected else in_steps.astype(np.int32), bias_scales),
    )


def _like_others(scales: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Scales of rows, where those of zeros are as the largest of others: an NPU has factors of few bits in a layer.

    Args:
        steps: the rows in integers.
    """
    used = steps.any(1)
    return np.where(used, scales, scales[used].max(initial=0)) if used.any() else scales
