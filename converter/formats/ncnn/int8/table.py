"""ncnn's calibration table: a line for each layer's weights and one for its input, as ncnn2table writes it.

``<layer>_param_0 <scale of each channel>`` and ``<layer> <scale of the input>``; ncnn2int8 makes an int8 model of a
float32 one and such a table. Other types of layers have lines ``_param_1`` and so on, or no line of an input.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from converter.errors import ConversionError
from converter.formats.ncnn.int8.layers import Scales, scaled_channels
from converter.formats.ncnn.param import NcnnGraph

PARAM = "_param_"  # in a line's name, it is of weights
LONGEST_NAME, LONGEST_LINE = 255, 10_240_000  # bytes that ncnn2int8 reads


def table_text(scales: Mapping[str, Scales]) -> str:
    """A calibration table, with as many digits as give the same float32 back.

    Args:
        scales: of every layer that is to be int8.

    Raises:
        ConversionError: for a layer whose name would be read as something else.
    """
    for layer in scales:
        if PARAM in layer or len(f"{layer}{PARAM}0".encode()) > LONGEST_NAME or re.search(r"\s", layer):
            raise ConversionError(
                f"layer {layer[:60]!r} cannot be in ncnn's calibration table, expected a name without blanks and "
                f"{PARAM!r}, of at most {LONGEST_NAME - len(PARAM) - 1} bytes"
            )
    lines = [f"{layer}{PARAM}0 {_numbers(each.weights)}" for layer, each in scales.items()]
    lines += [f"{layer} {_numbers(np.array([each.input]))}" for layer, each in scales.items()]
    return "".join(f"{line}\n" for line in lines)


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.9g}" for value in values.tolist())


@dataclass(frozen=True)
class Table:
    """A calibration table.

    Attributes:
        scales: of layers with an input's.
        others: lines of weights without one: what ncnn2int8 does without calibration, or in layers of other types.
    """

    scales: Mapping[str, Scales]
    others: Mapping[str, tuple[float, ...]]


def read_table(text: str, name: str) -> Table:
    """Read a calibration table.

    Args:
        text: its content.
        name: what to call it in a message.

    Raises:
        ConversionError: naming the line that is no layer's, is there twice, or holds what no scale can be; an input's
            scale without weights'.
    """
    weights: dict[str, tuple[float, ...]] = {}
    inputs: dict[str, float] = {}
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if not words:
            continue
        where = f"{name}: line {number}"
        key, *given = words
        if len(line.encode()) >= LONGEST_LINE or len(key.encode()) > LONGEST_NAME:
            raise ConversionError(f"{where} is too long for ncnn2int8, expected a layer's name and its scales")
        if key in weights or key in inputs:
            raise ConversionError(f"{where}: {key} is there twice")
        found = tuple(_scale(word, where) for word in given)
        if PARAM in key:
            if not found:
                raise ConversionError(f"{where}: {key} has no scales, expected one for each channel")
            weights[key] = found
        elif len(found) != 1 or not 0 < found[0] < math.inf:
            raise ConversionError(f"{where}: input of {key} has scales {' '.join(given)[:40]!r}, expected one above 0")
        else:
            inputs[key] = found[0]
    scales = {}
    for layer, scale in inputs.items():
        of_weights = weights.pop(f"{layer}{PARAM}0", None)
        if of_weights is None:
            raise ConversionError(f"{name}: has a scale for the input of {layer}, but no line {layer}{PARAM}0")
        scales[layer] = Scales(_finite(of_weights), np.float32(scale))
    return Table(scales, weights)


def _scale(word: str, where: str) -> float:
    try:
        scale = float(word)
    except ValueError:
        scale = math.nan
    if not scale >= 0:
        raise ConversionError(f"{where}: {word[:40]!r} is no scale, expected a number of at least 0")
    return scale


def _finite(scales: tuple[float, ...]) -> np.ndarray:
    """ncnn2table divides by zero where a channel's weights are zero; there is nothing to scale."""
    with np.errstate(over="ignore"):
        found = np.array(scales, np.float32)
    return np.where(np.isfinite(found) & (found > 0), found, np.float32(1)).astype(np.float32)


def check_table(table: Table, graph: NcnnGraph, name: str) -> None:
    """Hold a table against the model that it is for.

    Args:
        name: of the table, for messages.

    Raises:
        ConversionError: for a layer that the model does not have, and for other numbers of scales than it has channels.
    """
    layers = {layer.name: layer for layer in graph.layers}
    for key, scales in table.scales.items():
        if key not in layers:
            raise ConversionError(f"{name}: layer {key} is not in the model; the table is another model's")
        if len(scales.weights) != (channels := scaled_channels(layers[key])):
            raise ConversionError(
                f"{name}: layer {key} has {len(scales.weights)} weight scales, expected {channels}; the table is "
                "another model's"
            )
