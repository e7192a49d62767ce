"""``31=``, the features switched off for one layer of a ``.param``: which are safe, and writing the one that is.

Bit 0 is half arithmetic and can be switched off anywhere: the layer takes its half inputs, computes in float32
and gives half. Bit 1 is half storage. A layer with it is not given its inputs in float32 when they are in half
already, and ncnn then reads halves as floats.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from converter.errors import ConversionError
from converter.formats.ncnn.layer import MASK, NO_HALF_ARITHMETIC, NO_HALF_STORAGE, computes_in_float
from converter.formats.ncnn.param import NcnnGraph, load_param
from converter.util.atomic import write

GIVES_FLOAT = ("Input", "Dropout")


@dataclass(frozen=True)
class DangerousMask:
    """A layer of a graph that reads half blobs as if they were float32."""

    graph: str
    layer: str
    mask: int
    blob: str

    def __str__(self) -> str:
        return (
            f"{MASK}={self.mask} on layer {self.layer} of {self.graph}: its input blob {self.blob} arrives in half and "
            "ncnn does not cast it back, which corrupts memory; write 31=1"
        )

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "about": str(self)}


def dangerous_masks(graph: NcnnGraph, name: str) -> tuple[DangerousMask, ...]:
    """Layers without half storage whose input is in half: all but those right behind the inputs, each other or a
    Dropout, which ncnn always computes in float32."""
    gives_float: set[str] = set()
    dangers = []
    for layer in graph.layers:
        mask = layer.param(MASK)
        stored = not mask & NO_HALF_STORAGE
        halves = [blob for blob in layer.inputs if blob not in gives_float]
        if not stored and halves:
            dangers.append(DangerousMask(name, layer.name, mask, halves[0]))
        if not stored or layer.type in GIVES_FLOAT:
            gives_float.update(layer.outputs)
    return tuple(dangers)


def protected(graph: NcnnGraph, layers: Iterable[str]) -> NcnnGraph:
    """The same graph with ``31=1`` on some layers; a layer's other bits stay, and one without half storage stays as
    it is, for it has no half arithmetic either.

    Args:
        layers: their names.

    Raises:
        ConversionError: for a name that no layer has, or more than one.
    """
    for name in layers:
        called = [layer for layer in graph.layers if layer.name == name]
        if len(called) != 1:
            raise ConversionError(f"{len(called)} layers are called {name!r}, expected one to protect")
        if not computes_in_float(called[0]):
            graph = graph.with_param(name, MASK, called[0].param(MASK) | NO_HALF_ARITHMETIC)
    return graph


def protect_files(params: Mapping[str, Path], protect: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Write the masks into the ``.param`` files; one that needs none is not touched.

    Args:
        params: graph name to its ``.param`` file.
        protect: graph name to the layers to protect; :attr:`converter.checks.half.report.HalfReport.protect`.

    Returns:
        graph name to the layers that now have a mask they had not, for graphs with some.

    Raises:
        ConversionError: when a file cannot be read or written, or has no such layer.
    """
    changed = {}
    for name, layers in protect.items():
        before = load_param(params[name])
        after = protected(before, layers)
        pairs = zip(before.layers, after.layers, strict=True)
        if new := tuple(new.name for old, new in pairs if old != new):
            write(params[name], after.text().encode())
            changed[name] = new
    return changed
