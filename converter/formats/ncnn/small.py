"""Weights of ncnn models in a byte each: a table of 256 values a layer, which ncnn expands when it loads a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from converter.formats.clusters import clusters
from converter.formats.halves import OVERFLOWS
from converter.formats.moments import Fed, Moments, by_channel
from converter.formats.ncnn.layer import Layer
from converter.formats.ncnn.param import NcnnGraph
from converter.formats.ncnn.runner import NcnnRunner
from converter.formats.ncnn.weights import HALF, RAW, TABLE, NcnnWeights, Stored, load_model
from converter.formats.ways import chosen
from converter.util.atomic import write

SPENT = 0.05  # of the bytes of tables: what the layers that pay take for weights in half
BIASED = ("Convolution", "ConvolutionDepthWise", "InnerProduct")  # types with one input, one weight and maybe a bias

Arrays = tuple[Stored, ...]
NcnnModel = tuple[NcnnGraph, NcnnWeights]


@dataclass(eq=False)
class _Part:
    """The arrays of a layer, wherever models have it.

    Attributes:
        layer: one of those that have it.
        arrays: as they are.
        moments: of its input in all models; None where they are not known.
    """

    layer: Layer
    arrays: Arrays
    moments: Moments | None = None


@dataclass(frozen=True, eq=False)
class _Small:
    """One way to store a part: its arrays, and the share of what the layer computes that is off."""

    arrays: Arrays
    error: float

    @property
    def size(self) -> int:
        return sum(len(stored.data) for stored in self.arrays)


def shrink(models: Sequence[Fed]) -> None:
    """Write the weights of models anew, in a byte each; layers that are smaller or much better so as halves.

    A layer that several models have is stored the same in all of them.

    Raises:
        ConversionError: for models that cannot be read or run.
    """
    loaded = [load_model(*fed.files) for fed in models]
    shown = [measured(fed, model) for fed, model in zip(models, loaded, strict=True)]
    for fed, weights in zip(models, small_weights(loaded, shown), strict=True):
        write(fed.files[1], weights.data())


def small_weights(loaded: Sequence[NcnnModel], shown: Sequence[Mapping[str, Moments | None]]) -> list[NcnnWeights]:
    """The weights of each model as :func:`shrink` writes them.

    Args:
        loaded: the models.
        shown: of each what :func:`measured` found.
    """
    parts: dict[tuple[str, Arrays], _Part] = {}
    for (graph, weights), found in zip(loaded, shown, strict=True):
        for layer, arrays in zip(graph.layers, weights.arrays, strict=True):
            if layer.name not in found:
                continue
            part = parts.setdefault((layer.type, arrays), _Part(layer, arrays))
            if (moments := found[layer.name]) is not None:
                part.moments = moments if part.moments is None else part.moments + moments
    ways = {key: _ways(part) for key, part in parts.items()}
    small = {key: way.arrays for key, way in chosen(ways, SPENT).items()}
    return [
        NcnnWeights(
            tuple(
                small.get((layer.type, arrays), arrays)
                for layer, arrays in zip(graph.layers, weights.arrays, strict=True)
            )
        )
        for graph, weights in loaded
    ]


def measured(fed: Fed, model: NcnnModel) -> dict[str, Moments | None]:
    """Layers with weights, by name, and what goes into them; None where that has no channels.

    Args:
        fed, model: the same model as files and as it was read.

    Raises:
        ConversionError: for a model that cannot be run.
    """
    graph, weights = model
    given = {layer.name for layer in graph.part(tensor.name for tensor in fed.graph.outputs).layers}
    layers = [
        (layer, arrays)
        for layer, arrays in zip(graph.layers, weights.arrays, strict=True)
        if layer.name in given and any(map(_is_weight, arrays))
    ]
    param, bin_file = fed.files
    runner = NcnnRunner(param, bin_file, fed.graph, any_outputs=True)
    inputs = {tensor.name: tensor.name for tensor in fed.graph.inputs}
    blobs = list(dict.fromkeys(layer.inputs[0] for layer, _ in layers if layer.type in BIASED))
    moments: dict[str, Moments] = {}
    for feed in fed.feeds:
        seen = runner.blobs(feed, [blob for blob in blobs if blob not in inputs])
        seen |= {name: feed[name][0] for name in blobs if name in inputs}
        for layer, arrays in layers:
            if (
                layer.type in BIASED
                and (channels := by_channel(seen[layer.inputs[0]], input_channels(layer, arrays))) is not None
            ):
                found = Moments.of(channels)
                moments[layer.name] = moments[layer.name] + found if layer.name in moments else found
    return {layer.name: moments.get(layer.name) for layer, _ in layers}


def _is_weight(stored: Stored) -> bool:
    return stored.tag == RAW


def input_channels(layer: Layer, arrays: Arrays) -> int:
    """Of its input."""
    if layer.type == "InnerProduct":
        return arrays[0].count // layer.param(0)
    return (
        _per_group(layer, arrays) * layer.param(7, 1)
        if layer.type == "ConvolutionDepthWise"
        else _per_group(layer, arrays)
    )


def _per_group(layer: Layer, arrays: Arrays) -> int:
    width = layer.param(1)
    return arrays[0].count // (layer.param(0) * width * layer.param(11, width))


def by_weight(layer: Layer, arrays: Arrays, channels: np.ndarray) -> np.ndarray:
    """What is known of input channels for each weight, (outputs, weights of an output)."""
    outputs, count = layer.param(0), arrays[0].count
    if layer.type != "ConvolutionDepthWise":
        return np.repeat(channels, count // outputs // len(channels))[np.newaxis].repeat(outputs, 0)
    groups, each = layer.param(7, 1), _per_group(layer, arrays)
    taps = count // outputs // each
    return channels.reshape(groups, each).repeat(taps, 1).repeat(outputs // groups, 0)


def _ways(part: _Part) -> list[_Small]:
    """A table, and halves; weights that no half can hold as they are."""
    if all(np.abs(stored.values()).max() < OVERFLOWS for stored in part.arrays if _is_weight(stored)):
        return [_stored(part, TABLE), _stored(part, HALF)]
    return [_stored(part, TABLE), _Small(part.arrays, 0.0)]


def _stored(part: _Part, tag: int) -> _Small:
    arrays, error = list(part.arrays), 0.0
    for place, stored in enumerate(part.arrays):
        if not _is_weight(stored):
            continue
        values = stored.values()
        importance = np.ones(len(values))
        if part.moments is not None and not place:
            importance = by_weight(part.layer, part.arrays, part.moments.importance).reshape(-1)
        if tag == TABLE:
            arrays[place] = stored.with_table(*clusters(values, importance))
        else:
            arrays[place] = stored.with_values(values, tag)
        off = values.astype(np.float64) - arrays[place].values()
        error += float((importance * off**2).sum() / max((importance * values.astype(np.float64) ** 2).sum(), 1e-30))
        if part.moments is not None and not place and len(arrays) > 1 and arrays[1].role == "bias":
            missing = off.reshape(part.layer.param(0), -1) * by_weight(part.layer, part.arrays, part.moments.means)
            bias = arrays[1].values() + missing.sum(1)
            arrays[1] = arrays[1].with_values(bias.astype(np.float32), None)
    return _Small(tuple(arrays), error)
