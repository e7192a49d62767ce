"""What calibration shows of the layers of an ncnn model: scales, and what int8 takes from means."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from converter.errors import ConversionError
from converter.formats.blocks import blocks
from converter.formats.int8 import Int8Layer
from converter.formats.moments import RAISED, Fed, Moments, by_channel
from converter.formats.ncnn.int8.arithmetic import multiply_adds, rounded
from converter.formats.ncnn.int8.layers import (
    NcnnModel,
    Scales,
    can_be_int8,
    int8_arrays,
    levels,
    scaled_channels,
    steps,
    whole_weights,
)
from converter.formats.ncnn.int8.ranges import Histogram, input_scale, weight_scales
from converter.formats.ncnn.layer import Layer
from converter.formats.ncnn.runner import NcnnRunner
from converter.formats.ncnn.small import by_weight, input_channels
from converter.formats.ncnn.weights import Stored

QUIET = 1e-3  # of the mean square: what a depthwise channel counts for that is next to nothing
Arrays = tuple[Stored, ...]


@dataclass(eq=False)
class _Seen:
    """What went into a layer that can be int8.

    Attributes:
        layer, arrays: as in the float32 model.
        moments: of its input.
        shape: of it; () where that is nothing that int8 takes.
        histogram: of it.
        rounded_total: the sum of each input channel as int8 gives it, (channels,).
    """

    layer: Layer
    arrays: Arrays
    moments: Moments
    shape: tuple[int, ...] = ()
    histogram: Histogram = field(default_factory=Histogram)
    rounded_total: np.ndarray = field(default_factory=lambda: np.zeros(()))


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A layer that can be int8.

    Attributes:
        listed: as it is offered.
        layer, arrays: as in the float32 model.
        scales: of it.
        shift: what int8 takes from the mean of each output, (outputs,).
    """

    listed: Int8Layer
    layer: Layer
    arrays: Arrays
    scales: Scales
    shift: np.ndarray

    @cached_property
    def plain(self) -> Arrays:
        """Its arrays in int8."""
        return int8_arrays(self.layer, self.arrays, self.scales)

    @cached_property
    def corrected(self) -> Arrays:
        """The same with a bias that makes up for the means."""
        return int8_arrays(self.layer, self.arrays, self.scales, self.shift)


def calibrated(fed: Fed, model: NcnnModel, shown: Mapping[str, Moments | None]) -> Iterator[tuple[str, Calibrated]]:
    """The layers of a model that can be int8.

    Args:
        fed, model: the same model as files and as it was read.
        shown: what went into its layers.

    Raises:
        ConversionError: for a model that cannot be run, and for inner numbers that are not finite.
    """
    graph, weights = model
    part = graph.part(tensor.name for tensor in fed.graph.outputs)
    seen = [
        _Seen(layer, arrays, moments)
        for layer, arrays in zip(graph.layers, weights.arrays, strict=True)
        if (moments := shown.get(layer.name)) is not None and can_be_int8(layer, arrays)
    ]
    if unknown := [each.layer.name for each in seen if not np.isfinite(each.moments.squares).all()]:
        raise ConversionError(f"ncnn {fed.graph.name}: layer {unknown[0]} takes numbers that are not finite")
    _count(fed, seen)
    seen = [each for each in seen if each.shape]
    scales = [_scales(each) for each in seen]
    _round(fed, seen, scales)
    names = blocks(steps(part.layers, {each.layer.name for each in seen}), part.input_blobs())
    for each, found in zip(seen, scales, strict=True):
        name = each.layer.name
        listed = Int8Layer(
            f"{fed.graph.name} {name}",
            fed.graph.name,
            f"{fed.graph.name} {names[name]}",
            multiply_adds(each.layer, each.arrays[0].count, each.shape),
        )
        yield name, Calibrated(listed, each.layer, each.arrays, found, _shift(each, found))


def _inputs(fed: Fed, seen: Sequence[_Seen]) -> Iterator[list[np.ndarray]]:
    """For every feed what goes into each of the layers, without the batch axis."""
    param, bin_file = fed.files
    runner = NcnnRunner(param, bin_file, fed.graph, any_outputs=True)
    given = {tensor.name for tensor in fed.graph.inputs}
    names = [each.layer.inputs[0] for each in seen]
    for feed in fed.feeds:
        blobs = {name: feed[name][0] for name in names if name in given}
        blobs |= runner.blobs(feed, [name for name in dict.fromkeys(names) if name not in given])
        yield [blobs[name] for name in names]


def _count(fed: Fed, seen: Sequence[_Seen]) -> None:
    """Histograms and shapes."""
    counting = [_counting(each) for each in seen]
    for inputs in _inputs(fed, seen):
        for each, weights, array in zip(seen, counting, inputs, strict=True):
            if (channels := _channels(each, array)) is not None:
                each.histogram.add(channels, weights)
                each.shape = array.shape


def _channels(each: _Seen, array: np.ndarray) -> np.ndarray | None:
    if each.layer.type != "InnerProduct" and array.ndim != 3:
        return None
    return by_channel(array, input_channels(each.layer, each.arrays))


def _round(fed: Fed, seen: Sequence[_Seen], scales: Sequence[Scales]) -> None:
    """What is left of the means when inputs are rounded."""
    for inputs in _inputs(fed, seen):
        for each, found, array in zip(seen, scales, inputs, strict=True):
            channels = _channels(each, array)
            if channels is not None:
                each.rounded_total = each.rounded_total + rounded(channels, found.input).sum(1)


def _counting(each: _Seen) -> np.ndarray:
    """How much the square of an error in each input channel counts, (channels,).

    In dense layers as much as the squares of the weights that it meets. A depthwise layer's output channel has nothing
    but its own input: there an error counts as a share of the channel's own size.
    """
    moments = each.moments
    if each.layer.type == "ConvolutionDepthWise":
        squares = moments.squares / moments.count
        return np.asarray(1 / (squares + QUIET * squares.mean() + np.finfo(np.float64).tiny))
    squares = each.arrays[0].values().astype(np.float64) ** 2
    return np.asarray(squares.reshape(each.layer.param(0), len(moments.total), -1).sum((0, 2)))


def _scales(each: _Seen) -> Scales:
    """The ranges with the least error."""
    moments = each.moments
    squares = moments.squares / moments.count
    importance = by_weight(each.layer, each.arrays, squares + RAISED * squares.mean() + np.finfo(np.float64).tiny)
    channels = scaled_channels(each.layer)
    weights = each.arrays[0].values().reshape(channels, -1)
    return Scales(
        weight_scales(weights, importance.reshape(channels, -1), levels(each.layer)),
        input_scale(each.histogram.range()),
    )


def _shift(each: _Seen, scales: Scales) -> np.ndarray:
    """What int8 takes from the mean of each output, but for the borders."""
    moments = each.moments
    whole = whole_weights(each.layer, each.arrays[0], scales).astype(np.float64) / scales.weights[:, np.newaxis]
    outputs = each.layer.param(0)
    exact = each.arrays[0].values().reshape(outputs, -1) * by_weight(each.layer, each.arrays, moments.means)
    means = each.rounded_total / scales.input / moments.count
    return np.asarray((exact - whole.reshape(outputs, -1) * by_weight(each.layer, each.arrays, means)).sum(1))
