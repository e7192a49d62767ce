"""Which arrays each type of ncnn layer asks its ``.bin`` for: the facts of ``load_model`` in ncnn's ``src/layer``."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from converter.errors import ConversionError
from converter.formats.ncnn.layer import Layer

DYNAMIC_SCALE = -233
WEIGHT_SCALES, INPUT_SCALE, OUTPUT_SCALE = "weight scales", "input scale", "output scale"
INT8_OUTPUT = 100  # above it, parameter 8 says that the output is int8, too

INT8_TYPES = ("Convolution", "ConvolutionDepthWise", "InnerProduct")  # the first two can have an int8 output
WITHOUT_WEIGHTS = frozenset(
    """AbsVal ArgMax BNLL BinaryOp CELU Cast Clip Concat CopyTo Crop CumulativeSum DeepCopy DetectionOutput Diag
    Dropout ELU Einsum Eltwise Erf Exp ExpandDims Flatten Flip Fold GELU GLU GridSample HardSigmoid HardSwish Input
    Interp InverseSpectrogram LRN Log MVN MatMul Mish Noop PSROIPooling Packing Permute PixelShuffle Pooling
    Pooling1D Pooling3D Power PriorBox Proposal ROIAlign ROIPooling ReLU Reduction Reorg Reshape RotaryEmbed SDPA
    SELU SPP Shrink ShuffleChannel Sigmoid Slice Softmax Softplus Spectrogram Split Squeeze StatisticsPooling Swish
    TanH Threshold Tile UnaryOp Unfold YoloDetectionOutput Yolov3DetectionOutput""".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Slot:
    """What a layer asks the file for: an array's role, how many numbers, and whether a tag comes first."""

    role: str
    count: int
    tagged: bool = False


Slots = Callable[[Layer], Iterable[Slot]]


def slots_of(layer: Layer) -> tuple[Slot, ...]:
    """The arrays that a layer asks for, in order.

    Raises:
        ConversionError: for a layer whose weights we cannot tell, and for one that asks for what cannot be.
    """
    if layer.type in WITHOUT_WEIGHTS:
        return ()
    if layer.type not in _SLOTS:
        raise ConversionError(f"layer {layer.name} is of type {layer.type}, whose weights cannot be read")
    slots = tuple(_SLOTS[layer.type](layer))
    for slot in slots:
        if slot.count < 1:
            raise ConversionError(
                f"layer {layer.name} ({layer.type}) asks for {slot.count} numbers of {slot.role}, expected some"
            )
    return slots


def _convolution(weight: int = 6, bias: int = 5, dynamic: int | None = 19) -> Slots:
    def slots(layer: Layer) -> Iterator[Slot]:
        if dynamic is not None and layer.param(dynamic):
            return
        yield Slot("weight", layer.param(weight), tagged=True)
        if layer.param(bias):
            yield Slot("bias", layer.param(0))

    return slots


def _quantised(scales: Callable[[Layer], int], slots: Slots, output: bool) -> Slots:
    """Layers that may be int8: their scales come last."""

    def with_scales(layer: Layer) -> Iterator[Slot]:
        yield from slots(layer)
        if term := layer.param(8):
            yield Slot(WEIGHT_SCALES, scales(layer))
            yield Slot(INPUT_SCALE, 1)
            if output and term > INT8_OUTPUT:
                yield Slot(OUTPUT_SCALE, 1)

    return with_scales


def _memory_data(layer: Layer) -> Iterator[Slot]:
    sizes = [layer.param(key) for key in (0, 1, 11, 2)]
    if any(sizes):
        yield Slot("data", math.prod(size or 1 for size in sizes), tagged=layer.param(21, 1) == 0)


def _affine(count: int, switch: int | None, *roles: str) -> Slots:
    """Norms: arrays without tags, unless the layer is told to have none."""

    def slots(layer: Layer) -> Iterator[Slot]:
        if switch is None or layer.param(switch, 1):
            yield from (Slot(role, layer.param(count)) for role in roles)

    return slots


def _scale(layer: Layer) -> Iterator[Slot]:
    if layer.param(0) != DYNAMIC_SCALE:
        yield Slot("scale", layer.param(0))
        if layer.param(1):
            yield Slot("bias", layer.param(0))


def _gemm(layer: Layer) -> Iterator[Slot]:
    if layer.param(18):
        raise ConversionError(f"layer {layer.name} is a quantised Gemm, whose weights cannot be read")
    m, n, k = layer.param(7), layer.param(8), layer.param(9)
    if layer.param(4):
        yield Slot("A", m * k, tagged=True)
    if layer.param(5):
        yield Slot("B", n * k, tagged=True)
    broadcast = layer.param(10)
    if layer.param(6) and broadcast != -1:
        yield Slot("C", {0: 1, 1: m, 2: m, 3: m * n, 4: n}.get(broadcast, 0), tagged=True)


def _attention(layer: Layer) -> Iterator[Slot]:
    size = layer.param(0)
    if layer.param(18):
        raise ConversionError(f"layer {layer.name} is a quantised MultiHeadAttention, whose weights cannot be read")
    if size < 1 or layer.param(2) % size:
        raise ConversionError(f"layer {layer.name} has {layer.param(2)} weights for {size} channels")
    query = layer.param(2) // size
    for role, inputs, outputs in (
        ("query", query, size),
        ("key", layer.param(3, size), size),
        ("value", layer.param(4, size), size),
        ("output", size, query),
    ):
        yield Slot(f"{role} weight", inputs * outputs, tagged=True)
        yield Slot(f"{role} bias", outputs)


_SLOTS: dict[str, Slots] = {
    "Convolution": _quantised(lambda layer: layer.param(0), _convolution(), True),
    "ConvolutionDepthWise": _quantised(
        lambda layer: layer.param(7, 1) if layer.param(8) in (1, 101) else 1, _convolution(), True
    ),
    "InnerProduct": _quantised(lambda layer: layer.param(0), _convolution(2, 1, None), False),
    **dict.fromkeys(("Convolution1D", "ConvolutionDepthWise1D"), _convolution()),
    **dict.fromkeys(("Convolution3D", "ConvolutionDepthWise3D", "DeformableConv2D"), _convolution(dynamic=None)),
    **dict.fromkeys(
        ("Deconvolution", "DeconvolutionDepthWise", "Deconvolution1D", "DeconvolutionDepthWise1D"),
        _convolution(dynamic=28),
    ),
    **dict.fromkeys(("Deconvolution3D", "DeconvolutionDepthWise3D"), _convolution(dynamic=None)),
    "Embed": _convolution(3, 2, None),
    "BatchNorm": _affine(0, None, "slope", "mean", "variance", "bias"),
    **dict.fromkeys(("LayerNorm", "InstanceNorm"), _affine(0, 2, "gamma", "beta")),
    "GroupNorm": _affine(1, 3, "gamma", "beta"),
    "RMSNorm": _affine(0, 2, "gamma"),
    "PReLU": _affine(0, None, "slope"),
    "Bias": _affine(0, None, "bias"),
    "Normalize": _affine(3, None, "scale"),
    "Padding": lambda layer: [Slot("values", layer.param(6))] if layer.param(6) else [],
    "Scale": _scale,
    "MemoryData": _memory_data,
    "Gemm": _gemm,
    "MultiHeadAttention": _attention,
}
