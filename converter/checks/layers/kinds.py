"""The vocabulary both sides are lowered to, and how alike two primitives are."""

from dataclasses import dataclass, fields

CONVOLUTION = "convolution"
NORM = "batch norm"
MATMUL = "matrix product"
POOL, OTHER_POOL = "global mean", "pooling"
RELU, SIGMOID, CLIP, OTHER_ACTIVATION = "relu", "sigmoid", "clip", "activation"
ADD, MULTIPLY, OTHER_BINARY = "add", "multiply", "binary"
SHIFT, SCALE = "add constant", "multiply by constant"
RESHAPE, PERMUTE = "reshape", "permute"
OTHER = "other"

ACTIVATIONS = frozenset({RELU, SIGMOID, CLIP, OTHER_ACTIVATION})
BINARIES = frozenset({ADD, MULTIPLY, OTHER_BINARY})
CONSTANTS = frozenset({SHIFT, SCALE})
POOLS = frozenset({POOL, OTHER_POOL})
LAYOUT = frozenset({RESHAPE, PERMUTE})
COMMUTATIVE = frozenset({ADD, MULTIPLY})
# What a converter folds into the layer before it without an activation in between.
LINEAR = frozenset({NORM, SHIFT, SCALE})

_HARD_SIGMOID = (SHIFT, CLIP, SCALE)
# Names of operations in PyTorch, ncnn and ONNX, in small letters; what others write as several steps is several.
_NAMES: dict[tuple[str, ...], str] = {
    (NORM,): "batchnorm batchnormalization nativebatchnorm nativebatchnormlegitnotraining cudnnbatchnorm scale",
    (MATMUL,): "matmul mm bmm gemm",
    (POOL,): "globalaveragepool reducemean",
    (OTHER_POOL,): "globalmaxpool averagepool maxpool reducemax reducesum",
    (RELU,): "relu",
    (SIGMOID,): "sigmoid",
    (CLIP,): "clip clamp clampmin clampmax hardtanh relu6",
    (SIGMOID, MULTIPLY): "swish silu",
    _HARD_SIGMOID: "hardsigmoid",
    (*_HARD_SIGMOID, MULTIPLY): "hardswish",
    (
        OTHER_ACTIVATION,
    ): "tanh elu gelu mish selu celu prelu leakyrelu softplus softmax softsign erf exp log sqrt abs neg "
    "reciprocal ceil floor unaryop",
    (SHIFT,): "bias",
    (PERMUTE,): "permute transpose t numpyt swapaxes",
    (
        RESHAPE,
    ): "reshape reshapealias view unsafeview flatten squeeze unsqueeze expanddims expand clone contiguous alias "
    "detach tocopy liftfresh",
}
_STEPS = {name: steps for steps, names in _NAMES.items() for name in names.split()}
# Of two tensors that depend on the input; of one and a constant.
_ARITHMETIC = {
    "add": (ADD, SHIFT),
    "sum": (ADD, SHIFT),
    "sub": (OTHER_BINARY, SHIFT),
    "rsub": (OTHER_BINARY, SHIFT),
    "mul": (MULTIPLY, SCALE),
    "div": (OTHER_BINARY, SCALE),
}
_SAME = {CONVOLUTION: 12.0, MATMUL: 8.0, POOL: 5.0, RESHAPE: 1.0, PERMUTE: 3.0, SHIFT: 3.0, SCALE: 3.0}
_SAME_DEFAULT = 4.0
_SAME_CLASS = ((ACTIVATIONS, 1.0), (BINARIES, 1.0), (CONSTANTS, 0.5), (POOLS, 2.0))
_DIFFERENCE = {"outputs": 3.0, "inputs": 3.0, "groups": 3.0, "kernel": 2.0, "stride": 1.0, "pad": 0.5, "dilation": 0.5}
_FREE = LAYOUT | LINEAR

Size = int | tuple[int, ...]


@dataclass(frozen=True)
class Window:
    """What a convolution is besides its weights; None where a side cannot tell.

    Attributes:
        outputs: channels it gives.
        inputs: channels it reads per group.
        groups: of channels.
        kernel, stride, dilation: (height, width).
        pad: (top, left, bottom, right).
    """

    outputs: int | None
    inputs: int | None
    groups: int | None = 1
    kernel: tuple[int, ...] | None = (1, 1)
    stride: tuple[int, ...] | None = (1, 1)
    dilation: tuple[int, ...] | None = (1, 1)
    pad: tuple[int, ...] | None = (0, 0, 0, 0)

    def differences(self, other: "Window") -> dict[str, tuple[Size, Size]]:
        """Field to (own, other's) where both are known and differ."""
        pairs = {field.name: (getattr(self, field.name), getattr(other, field.name)) for field in fields(self)}
        return {name: pair for name, pair in pairs.items() if None not in pair and pair[0] != pair[1]}


@dataclass(frozen=True)
class Primitive:
    """One step of the vocabulary; ``window`` only for a convolution."""

    kind: str
    window: Window | None = None


def steps_of(name: str) -> tuple[str, ...]:
    """The kinds of the steps that an operation or a layer stands for, whoever gave it its name."""
    return _STEPS.get(name.replace("_", "").lower(), (OTHER,))


def arithmetic(name: str, operands: int) -> str:
    """The kind of an operation on two operands, of which as many depend on the graph's inputs."""
    return _ARITHMETIC.get(name.lower(), (OTHER_BINARY, OTHER_ACTIVATION))[operands == 1]


def likeness(left: Primitive, right: Primitive) -> float:
    """How much it is worth to take one for the other; 0 for not at all."""
    if left.kind == right.kind:
        worth = _SAME.get(left.kind, _SAME_DEFAULT)
        if left.window and right.window:
            worth -= sum(_DIFFERENCE[name] for name in left.window.differences(right.window))
        return max(worth, 0.0)
    return next((worth for kinds, worth in _SAME_CLASS if left.kind in kinds and right.kind in kinds), 0.0)


def skip_cost(primitive: Primitive) -> float:
    """What it costs to leave a primitive without a counterpart; nothing for what converters fold or add freely."""
    return 0.0 if primitive.kind in _FREE else 0.5


def sizes(value: Size) -> str:
    """3x5 or 3."""
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
