"""What ncnn does not look at when it loads a model with int8 layers, and crashes or answers wrongly for want of."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from converter.errors import ConversionError
from converter.formats.ncnn.layer import Layer
from converter.formats.ncnn.slots import INPUT_SCALE, INT8_OUTPUT, INT8_TYPES, WEIGHT_SCALES


class Array(Protocol):
    """An array as it lies in the file."""

    @property
    def role(self) -> str: ...

    @property
    def offset(self) -> int: ...

    @property
    def is_whole(self) -> bool:
        """Whether it holds int8 numbers."""

    def values(self) -> np.ndarray: ...


def check_scales(layers: Iterable[tuple[Layer, Sequence[Array]]], name: str) -> None:
    """Refuse int8 weights that nothing scales, and scales that give no numbers.

    Args:
        layers: with the arrays that each asks for.
        name: what to call the file in a message.

    Raises:
        ConversionError: naming layer and offset.
    """
    for layer, arrays in layers:
        scaled = any(stored.role == INPUT_SCALE for stored in arrays)
        for stored in arrays:
            where = f"{name}: byte {stored.offset}: {stored.role} of layer {layer.name} ({layer.type})"
            if stored.is_whole and not scaled:
                raise ConversionError(
                    f"{where}: is int8, but the layer has no scales for it (8=), with which ncnn crashes; damaged, or "
                    "the weights of another model"
                )
            if stored.role not in (WEIGHT_SCALES, INPUT_SCALE):
                continue
            values = stored.values()
            # a weight scale of 0 or without end is a channel of zeros for ncnn's own tools
            sound = values >= 0 if stored.role == WEIGHT_SCALES else (values > 0) & np.isfinite(values)
            if not sound.all():
                raise ConversionError(
                    f"{where}: holds {values[~sound][0]:.4g}, expected numbers above 0; damaged, or the weights of "
                    "another model"
                )


def check_outputs(layers: Sequence[Layer], name: str) -> None:
    """Refuse an int8 output that a layer in float takes: ncnn would read beyond its end.

    Args:
        name: what to call the file in a message.

    Raises:
        ConversionError: naming both layers; an output of the graph is taken by whoever runs it.
    """
    givers: dict[str, Layer] = {}
    untaken: dict[str, Layer] = {}
    for layer in layers:
        takes_int8 = layer.type == "Split" or (layer.type in INT8_TYPES and layer.param(8))
        given = [givers[blob] for blob in layer.inputs if blob in givers]
        if given and not takes_int8:
            raise _float_taker(name, given[0], f"layer {layer.name} ({layer.type})")
        for blob in layer.inputs:
            untaken.pop(blob, None)
        if layer.type in INT8_TYPES[:2] and layer.param(8) > INT8_OUTPUT:
            givers |= dict.fromkeys(layer.outputs, layer)
            untaken |= dict.fromkeys(layer.outputs, layer)
        elif given and layer.type == "Split":
            givers |= dict.fromkeys(layer.outputs, given[0])
            untaken |= dict.fromkeys(layer.outputs, given[0])
    if untaken:
        blob, giver = next(iter(untaken.items()))
        raise _float_taker(name, giver, f"the graph's output {blob}")


def _float_taker(name: str, giver: Layer, taker: str) -> ConversionError:
    return ConversionError(
        f"{name}: layer {giver.name} (8={giver.param(8)}) gives int8 to {taker}, expected another int8 layer: ncnn "
        "would read beyond its end"
    )
