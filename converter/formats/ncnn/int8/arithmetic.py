"""What ncnn computes in a layer that is int8, in numpy: the facts of ``forward_int8`` in ncnn's ``src/layer``.

An input is multiplied by its scale and rounded, halves away from zero; sums of products are whole numbers, and exact in
float64. Divided by both scales they get their bias and go through the layer's activation.
"""

from dataclasses import dataclass

import numpy as np

from converter.errors import ConversionError
from converter.formats.ncnn.layer import Layer

LEVELS = 127  # the largest int8 that ncnn writes, with either sign
# the one float32 below a half to which float32 adds a half up to one
NEARLY = float(np.nextafter(np.float32(0.5), np.float32(0)))
SAME_UPPER, SAME_LOWER = -233, -234  # paddings that depend on the input's size
LARGEST_EXPONENT = 88.3762626647949  # beyond it ncnn's sigmoid stays as it is


@dataclass(frozen=True)
class Kernel:
    """The window of a convolution, pairs of (rows, columns).

    Attributes:
        size, dilation, stride: of the window.
        pads: before and after the rows, before and after the columns; SAME_UPPER or SAME_LOWER four times.
        groups: of channels that are convolved apart.
    """

    size: tuple[int, int]
    dilation: tuple[int, int]
    stride: tuple[int, int]
    pads: tuple[int, int, int, int]
    groups: int

    @classmethod
    def of(cls, layer: Layer) -> "Kernel":
        """Of a Convolution or ConvolutionDepthWise."""

        def pair(wide: int, high: int, default: int) -> tuple[int, int]:
            width = layer.param(wide, default)
            return layer.param(high, width), width

        left = layer.param(4)
        top = layer.param(14, left)
        return cls(
            pair(1, 11, 0),
            pair(2, 12, 1),
            pair(3, 13, 1),
            (top, layer.param(16, top), left, layer.param(15, left)),
            layer.param(7, 1) if layer.type == "ConvolutionDepthWise" else 1,
        )

    def borders(self, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Zeros before and after the rows and the columns of an input."""
        if {*self.pads} not in ({SAME_UPPER}, {SAME_LOWER}):
            pads = [max(pad, 0) for pad in self.pads]
            return (pads[0], pads[1]), (pads[2], pads[3])
        less, more = [], []
        for axis, length in enumerate((height, width)):
            extent = self.dilation[axis] * (self.size[axis] - 1) + 1
            both = max(extent + (length - 1) // self.stride[axis] * self.stride[axis] - length, 0)
            less.append(both // 2)
            more.append(both - both // 2)
        first, last = (less, more) if self.pads[0] == SAME_UPPER else (more, less)
        return (first[0], last[0]), (first[1], last[1])

    def outputs(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the output."""
        found = []
        for axis, (length, border) in enumerate(zip((height, width), self.borders(height, width), strict=True)):
            extent = self.dilation[axis] * (self.size[axis] - 1) + 1
            found.append((length + sum(border) - extent) // self.stride[axis] + 1)
        return found[0], found[1]

    def windows(self, array: np.ndarray) -> np.ndarray:
        """What each output is computed from, (channels, rows and columns of the window, those of the output).

        Args:
            array: (channels, height, width).
        """
        rows, columns = self.outputs(*array.shape[1:])
        padded = np.ascontiguousarray(np.pad(array, ((0, 0), *self.borders(*array.shape[1:]))))
        channel, row, column = padded.strides
        (down, right), (tall, wide) = self.dilation, self.stride
        return np.lib.stride_tricks.as_strided(
            padded,
            (len(array), *self.size, rows, columns),
            (channel, down * row, right * column, tall * row, wide * column),
            writeable=False,
        )


def rounded(values: np.ndarray, scale: np.ndarray | np.float32, nearly_up: bool = False) -> np.ndarray:
    """Values times a scale as whole numbers from -127 to 127, float64 in the shape of the values.

    Args:
        values: float32.
        scale: float32, of all or in a shape that multiplies them.
        nearly_up: whether :data:`NEARLY` becomes one, as where ncnn adds a half in float32, or zero.
    """
    scaled = scaled_up(values, scale).astype(np.float64)
    if nearly_up:
        scaled = np.where(np.abs(scaled) == NEARLY, 2 * scaled, scaled)
    return np.asarray(np.clip(np.trunc(scaled + np.copysign(0.5, scaled)), -LEVELS, LEVELS))


def scaled_up(values: np.ndarray, scale: np.ndarray | np.float32) -> np.ndarray:
    """Values times a scale, float32."""
    return np.asarray(values.astype(np.float32, copy=False) * np.asarray(scale, np.float32))


def sums(layer: Layer, weights: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Sums of products of whole numbers, exact, float64 in the shape of the layer's output.

    Args:
        layer: Convolution, ConvolutionDepthWise or InnerProduct.
        weights: (count,) as they lie in the file.
        inputs: without the batch axis, as ncnn has them.
    """
    outputs = layer.param(0)
    matrix = weights.astype(np.float64).reshape(outputs, -1)
    if layer.type == "InnerProduct":
        each = matrix.shape[1]
        if inputs.ndim == 2 and inputs.shape[1] == each:
            return np.asarray(inputs.astype(np.float64) @ matrix.T)
        return np.asarray(matrix @ inputs.astype(np.float64).reshape(each))
    kernel = Kernel.of(layer)
    windows = kernel.windows(inputs.astype(np.float64))
    channels, *size = windows.shape
    rows, columns = size[2:]
    if channels == kernel.groups == outputs:
        taps = matrix.reshape(outputs, *kernel.size)
        total = np.zeros((outputs, rows, columns))
        for row, column in np.ndindex(*kernel.size):
            total += taps[:, row, column, np.newaxis, np.newaxis] * windows[:, row, column]
        return total
    grouped = windows.reshape(kernel.groups, -1, rows * columns)
    product = matrix.reshape(kernel.groups, outputs // kernel.groups, -1) @ grouped
    return np.asarray(product.reshape(outputs, rows, columns))


def multiply_adds(layer: Layer, count: int, shape: tuple[int, ...]) -> int:
    """Of one run of a layer.

    Args:
        count: of its weights.
        shape: of its input, without the batch axis.
    """
    if layer.type != "InnerProduct":
        rows, columns = Kernel.of(layer).outputs(*shape[1:])
        return count * rows * columns
    return count * (shape[0] if len(shape) == 2 and shape[1] * layer.param(0) == count else 1)


def activated(values: np.ndarray, layer: Layer) -> np.ndarray:
    """Numbers through the activation that a layer has in it, float64.

    Raises:
        ConversionError: for an activation that ncnn does not have.
    """
    kind, given = layer.param(9), layer.numbers(10)
    if kind not in ACTIVATIONS or len(given) < ACTIVATIONS[kind]:
        raise ConversionError(
            f"layer {layer.name}: activation {kind} with {len(given)} parameters, expected one of ncnn's: "
            f"{', '.join(f'{each} with {count}' for each, count in ACTIVATIONS.items())}"
        )
    if kind == 1:
        return np.asarray(np.maximum(values, 0))
    if kind == 2:
        return np.where(values > 0, values, values * given[0])
    if kind == 3:
        return np.asarray(np.clip(values, given[0], given[1]))
    if kind == 4:
        return np.asarray(1 / (1 + np.exp(-np.clip(values, -LARGEST_EXPONENT, LARGEST_EXPONENT))))
    if kind == 5:
        return np.asarray(values * np.tanh(np.logaddexp(values, 0)))
    if kind == 6:
        alpha, beta = given[:2]
        return np.asarray(values * np.clip(values * alpha + beta, 0, 1))
    return values


ACTIVATIONS = {0: 0, 1: 0, 2: 1, 3: 2, 4: 0, 5: 0, 6: 2}  # kinds that a layer can have in it, and their parameters
