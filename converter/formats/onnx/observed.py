"""What calibration shows of a model's tensors: their ranges, and what goes into every layer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from converter.formats.moments import Fed, Moments, by_channel
from converter.formats.onnx.layers import Layer, Point
from converter.formats.onnx.ranges import Histogram, Range, best_range
from converter.formats.onnx.runner import OnnxBlobs

KNEE = -6.0  # x · sigmoid(x) of all below is nearly 0
LOWEST = 1.0  # that a channel before x · sigmoid(x) is taken to reach to
LEAST = 1e-3  # of the largest channel's numbers: what the others are divided by at least, to be like it


@dataclass(frozen=True, eq=False)
class Rounding:
    """What is known of a point.

    Attributes:
        range: that it is rounded to.
        even: what every channel is divided by before, (channels,) float32; None where nothing is.
        exact: of what the channels hold before they are rounded, divided; None where no layer reads it.
        means: of every channel after rounding, (channels,); None likewise.
    """

    range: Range
    even: np.ndarray | None = None
    exact: Moments | None = None
    means: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Observed:
    """Of a model.

    Attributes:
        points: every point of its layers.
        multiply_adds: of each layer.
    """

    points: Mapping[Point, Rounding]
    multiply_adds: Mapping[Layer, int]


class _Watched:
    """A point while the model is shown its feeds, three times.

    Args:
        point: what it is about.
        channels: of what a layer reads there; None where none reads it.
        bent: whether x · sigmoid(x) comes of it.
    """

    def __init__(self, point: Point, channels: int | None, bent: bool):
        self.point, self.channels, self.bent = point, channels, bent
        self.low = self.high = np.zeros(0)
        self.even: np.ndarray | None = None
        self.histogram = Histogram.between(0, 0)
        self.exact: Moments | None = None
        self.range = Range.between(0, 0)
        self.total = np.zeros(channels or 1)

    def measure(self, array: np.ndarray) -> None:
        """How far it goes."""
        rows = array[0].reshape(array.shape[1], -1) if self.point.even else array.reshape(1, -1)
        low, high = rows.min(1), rows.max(1)
        first = not len(self.low)
        self.low = low if first else np.minimum(low, self.low)
        self.high = high if first else np.maximum(high, self.high)

    def count(self, array: np.ndarray) -> None:
        """How often it holds what."""
        if self.channels:
            found = Moments.of(by_row(array, self.channels))
            self.exact = found if self.exact is None else self.exact + found
        self.histogram.add(array)

    def round(self, array: np.ndarray) -> None:
        """What rounding makes of it."""
        if self.channels:
            self.total += by_row(self.range.rounded(array), self.channels).sum(1, dtype=np.float64)

    def start_counting(self) -> None:
        """After all feeds were measured."""
        low, high = self.low, self.high
        if self.point.even:
            if self.bent:
                low, high = np.maximum(low, KNEE), np.maximum(high, LOWEST)
            self.even = _even(np.maximum(np.abs(low), np.abs(high)))
            low, high = low / self.even, high / self.even
        self.histogram = Histogram.between(float(low.min()), float(high.max()))

    def start_rounding(self) -> None:
        """After all feeds were counted."""
        self.range = best_range(self.histogram)

    def divided(self, array: np.ndarray) -> np.ndarray:
        """What is rounded."""
        return array if self.even is None else np.asarray(array / self.even.reshape(1, -1, 1, 1), np.float32)

    def result(self) -> Rounding:
        return Rounding(
            self.range, self.even, self.exact, None if self.exact is None else self.total / self.exact.count
        )


def observe(fed: Fed, layers: Sequence[Layer]) -> Observed:
    """Show a model its feeds.

    Raises:
        ConversionError: when it cannot be run.
    """
    channels = {layer.input: layer.part.channels for layer in layers}
    ends = {layer.end: layer.end.even for layer in layers if layer.end is not None}
    watched = [
        _Watched(point, channels.get(point), ends.get(point, False)) for point in dict.fromkeys([*channels, *ends])
    ]
    outputs = {layer: str(layer.node.output[0]) for layer in layers}
    tensors = list(dict.fromkeys([each.point.tensor for each in watched] + list(outputs.values())))
    shapes: dict[str, tuple[int, ...]] = {}
    for seen in _runs(fed, tensors):
        shapes = {name: array.shape for name, array in seen.items()}
        for each in watched:
            each.measure(seen[each.point.tensor])
    for each in watched:
        each.start_counting()
    for seen in _runs(fed, tensors):
        for each in watched:
            each.count(each.divided(seen[each.point.tensor]))
    for each in watched:
        each.start_rounding()
    for seen in _runs(fed, [each.point.tensor for each in watched if each.channels]):
        for each in watched:
            if each.channels:
                each.round(each.divided(seen[each.point.tensor]))
    numbers = {layer: int(np.prod(shapes[name], dtype=np.int64)) for layer, name in outputs.items()}
    return Observed(
        {each.point: each.result() for each in watched},
        {layer: number * int(layer.part.rows.shape[1]) for layer, number in numbers.items()},
    )


def by_row(array: np.ndarray, channels: int) -> np.ndarray:
    """An input of a convolution or a matrix product as (channels, numbers)."""
    found = by_channel(array[0] if array.ndim == 4 else array.reshape(-1, array.shape[-1]), channels)
    assert found is not None  # as the runtime has multiplied it with rows of so many weights
    return found


def _runs(fed: Fed, tensors: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
    inputs = {tensor.name for tensor in fed.graph.inputs}
    inner = list(dict.fromkeys(name for name in tensors if name not in inputs))
    runner = OnnxBlobs(fed.files[0], fed.graph)
    for feed in fed.feeds:
        yield {**feed, **(runner.blobs(feed, inner) if inner else {})}


def _even(largest: np.ndarray) -> np.ndarray:
    """What channels are divided by, so that the largest number of each is 1."""
    least = LEAST * float(largest.max(initial=0))
    return np.asarray(np.maximum(largest, least if least > 0 else 1), np.float32)
