"""One ``.bin`` for several ``.param`` files: ncnn reads weights in the order of the layers, from the first byte on, and
stops where the layers end; so one graph's weights have to begin with the other's."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from converter.errors import ConversionError
from converter.formats.ncnn.layer import Layer
from converter.formats.ncnn.param import NcnnGraph
from converter.formats.ncnn.weights import NcnnWeights, Stored, load_model
from converter.util.atomic import write

FLOAT = 4  # bytes

NcnnModel = tuple[NcnnGraph, NcnnWeights]


def share(folder: Path, stems: Sequence[str], name: str) -> None:
    """Write the weights that models have in common once, and the layers of each model in the order of that file.

    Args:
        folder: with their ``.param`` and ``.bin`` files.
        stems: names of the models without suffix.
        name: of the file to write.

    Raises:
        ConversionError: when two have too little in common.
    """
    models = {stem: load_model(folder / f"{stem}.param", folder / f"{stem}.bin") for stem in stems}
    by_size = sorted(stems, key=lambda stem: len(models[stem][1].data()))
    for smaller, larger in itertools.pairwise(by_size):
        try:
            models[larger] = beginning_with(models[larger], models[smaller])
        except ConversionError as error:
            raise ConversionError(
                f"--share-weights: {larger} has too little in common with {smaller}: {error}; leave --share-weights out"
            ) from None
    for stem, (graph, _) in models.items():
        write(folder / f"{stem}.param", graph.text().encode())
    write(folder / name, models[by_size[-1]][1].data())


def beginning_with(model: NcnnModel, other: NcnnModel) -> NcnnModel:
    """The same model with its layers in an order in which its weights begin with those of another.

    What only the other has (positions in a crop of another size, a convolution with another batch norm folded into it)
    is read by a constant that nothing takes.

    Raises:
        ConversionError: when that is more than what both have.
    """
    if model[1].data().startswith(other[1].data()):
        return model
    graph, weights = model
    layers = list(zip(graph.layers, weights.arrays, strict=True))
    givers = {blob: index for index, layer in enumerate(graph.layers) for blob in layer.outputs}
    placed = dict.fromkeys(index for index, layer in enumerate(graph.layers) if layer.type == "Input")
    ordered = [layers[index] for index in placed]
    unread = 0
    for layer, arrays in zip(other[0].layers, other[1].arrays, strict=True):
        if not arrays:
            continue
        if found := _found(layers, layer.type, arrays, placed, givers):
            placed.update(dict.fromkeys(found))
            ordered += [layers[index] for index in found]
        else:
            ordered.append(_unread(arrays, [each for each, _ in (*layers, *ordered)]))
            unread += len(ordered[-1][1][0].data)
    if 2 * unread > (size := len(other[1].data())):
        raise ConversionError(f"of its {size} bytes of weights {size - unread} are the same")
    ordered += [each for index, each in enumerate(layers) if index not in placed]
    return (
        replace(graph, layers=tuple(layer for layer, _ in ordered)),
        NcnnWeights(tuple(arrays for _, arrays in ordered)),
    )


def _found(
    layers: Sequence[tuple[Layer, tuple[Stored, ...]]],
    kind: str,
    arrays: tuple[Stored, ...],
    placed: dict[int, None],
    givers: dict[str, int],
) -> list[int]:
    """The first layer with these weights that can come next, behind what it needs; none where there is no such."""
    for index, (layer, stored) in enumerate(layers):
        if index in placed or layer.type != kind or stored != arrays:
            continue
        needed: set[int] = set()
        waiting = [index]
        while waiting:
            needed.add(each := waiting.pop())
            waiting += {givers[blob] for blob in layers[each][0].inputs} - placed.keys() - needed
        if not any(layers[each][1] for each in needed - {index}):
            return sorted(needed)
    return []


def _unread(arrays: tuple[Stored, ...], others: Sequence[Layer]) -> tuple[Layer, tuple[Stored, ...]]:
    """A constant that reads a layer's arrays, tags and all, as float32; under names that are free."""
    taken = {name for other in others for name in (other.name, *other.outputs)}
    name = next(name for number in itertools.count() if (name := f"unread_{number}") not in taken)
    data = NcnnWeights((arrays,)).data()
    count = len(data) // FLOAT
    return Layer("MemoryData", name, (), (name,), (f"0={count}",)), (Stored("data", count, None, data),)
