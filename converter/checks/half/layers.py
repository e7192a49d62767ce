"""ncnn's layers in torch, in float32 or as its half arithmetic on ARM computes them.

Blobs are float32 tensors without the batch axis, as ncnn has them: (W,), (H, W), (C, H, W). A function here takes a
:class:`Step` and returns the layer's output. In half, values between the layer's steps are rounded, too, and
sums are those of :mod:`converter.checks.half.arithmetic`. Softmax, LayerNorm and global pooling sum in float32 there.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from converter.checks.half.products import batch_norm, convolution, inner_product, matrix_product
from converter.checks.half.step import NotAnalysed, Step, hard_sigmoid, hard_swish, leaky, sigmoid, swish

FLOAT_MAX = 3.4028234663852886e38


def forward(step: Step) -> Tensor:
    """The output of a layer with one output; Split and other layers that only pass on give it for every output.

    Raises:
        NotAnalysed: for a type or parameters that are not known here.
    """
    if step.layer.type not in _FORWARD:
        raise NotAnalysed(f"type {step.layer.type} is not known")
    try:
        return _FORWARD[step.layer.type](step)
    except (RuntimeError, IndexError, KeyError, TypeError, ArithmeticError) as error:  # shapes that do not fit
        raise NotAnalysed(" ".join(str(error).split())[:120]) from None


def _pooling(step):
    layer, values = step.layer, step.input
    average = layer.param(0) == 1
    if layer.param(4):
        return (values.mean((1, 2)) if average else values.amax((1, 2))).reshape(step.shape)
    width = layer.param(1)
    pads = (layer.param(3), layer.param(14, layer.param(3)), layer.param(13, layer.param(3)))
    if layer.param(7) or any(pads) or layer.param(15, pads[2]):
        raise NotAnalysed("adaptive or padded pooling")
    kernel, by = (layer.param(11, width), width), (layer.param(12, layer.param(2, 1)), layer.param(2, 1))
    pooled = (functional.avg_pool2d if average else functional.max_pool2d)(values[None], kernel, by)[0]
    return pooled.reshape(step.shape)


def _binary(step):
    layer = step.layer
    a = step.input
    if layer.param(1):
        b = step.rounded(torch.tensor(layer.number(2)))
    else:
        a, b = _broadcast(*step.inputs)
    kind = layer.param(0)
    if kind not in _BINARY:
        raise NotAnalysed(f"operation {kind} is not known")
    return _BINARY[kind](a, b).reshape(step.shape)


def _broadcast(a, b):
    """ncnn's rule: a blob with fewer axes gets new ones inside, unless its only axis fits the last."""
    if a.dim() > b.dim():
        b, a = _broadcast(b, a)
        return a, b
    missing = b.dim() - a.dim()
    if a.dim() == 1 and missing and len(a) != len(b):
        return a.reshape(*[1] * missing, -1), b
    return a.reshape(*a.shape, *[1] * missing), b


def _softmax(step):
    if step.layer.param(0) and not step.layer.param(1):
        raise NotAnalysed("an axis of the old kind")
    return torch.softmax(step.input, step.layer.param(0))


def _layer_norm(step):
    size = step.layer.param(0)
    axes = 1 if step.input.shape[-1] == size else 2
    shape = step.input.shape[-axes:]
    gamma, beta = (step.weights[role].reshape(shape) if role in step.weights else None for role in ("gamma", "beta"))
    return functional.layer_norm(step.input, shape, gamma, beta, step.layer.number(1, 0.001))


def _permute(step):
    x, order = step.input, step.layer.param(0)
    orders = {1: {0: (0,)}, 2: {0: (0, 1), 1: (1, 0)}, 3: _THREE}.get(x.dim(), {})
    if order not in orders:
        raise NotAnalysed(f"order {order} of {x.dim()} axes is not known")
    return x.permute(orders[order])


def _reshaped(step):
    return step.input.reshape(step.shape)


_THREE = {0: (0, 1, 2), 1: (0, 2, 1), 2: (1, 0, 2), 3: (1, 2, 0), 4: (2, 0, 1), 5: (2, 1, 0)}

_BINARY: dict[int, Callable] = {
    0: torch.add,
    1: torch.sub,
    2: torch.mul,
    3: torch.div,
    4: torch.maximum,
    5: torch.minimum,
    6: torch.pow,
    7: lambda a, b: b - a,
    8: lambda a, b: b / a,
    9: lambda a, b: torch.pow(b, a),
}

_UNARY: dict[int, Callable] = dict(
    enumerate(
        [
            *(torch.abs, torch.neg, torch.floor, torch.ceil, torch.square, torch.sqrt, torch.rsqrt, torch.exp),
            *(torch.log, torch.sin, torch.cos, torch.tan, torch.asin, torch.acos, torch.atan, torch.reciprocal),
            torch.tanh,
        ]
    )
)


def _unary(step):
    if step.layer.param(0) not in _UNARY:
        raise NotAnalysed(f"operation {step.layer.param(0)} is not known")
    return _UNARY[step.layer.param(0)](step.input)


_FORWARD: dict[str, Callable[[Step], Tensor]] = {
    **dict.fromkeys(("Convolution", "ConvolutionDepthWise"), convolution),
    "InnerProduct": inner_product,
    **dict.fromkeys(("MatMul", "Gemm"), matrix_product),
    "BatchNorm": batch_norm,
    "Pooling": _pooling,
    "BinaryOp": _binary,
    "UnaryOp": _unary,
    "Swish": lambda step: swish(step, step.input),
    "Sigmoid": lambda step: sigmoid(step, step.input),
    "TanH": lambda step: torch.tanh(step.input),
    "ReLU": lambda step: leaky(step, step.input, step.layer.number(0)),
    "Clip": lambda step: step.input.clamp(step.layer.number(0, -FLOAT_MAX), step.layer.number(1, FLOAT_MAX)),
    "HardSigmoid": lambda step: hard_sigmoid(step, step.input, step.layer.number(0, 0.2), step.layer.number(1, 0.5)),
    "HardSwish": lambda step: hard_swish(step, step.input, step.layer.number(0, 0.2), step.layer.number(1, 0.5)),
    "Softmax": _softmax,
    "LayerNorm": _layer_norm,
    "Permute": _permute,
    "Concat": lambda step: torch.cat(list(step.inputs), step.layer.param(0)),
    "MemoryData": lambda step: step.weights["data"].reshape(step.shape),
    **dict.fromkeys(("Split", "Noop"), lambda step: step.input),
    "Dropout": lambda step: step.input * step.layer.number(0, 1.0),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "ExpandDims"), _reshaped),
}
