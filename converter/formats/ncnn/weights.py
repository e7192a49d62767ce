"""ncnn's ``.bin``: the weights of every layer, in the order in which ncnn's ``load_model`` asks for them.

Nothing in the file says what it holds; the ``.param`` beside it does. An array comes with a tag in front, four
bytes that say how it is stored, or without, and is then float32. Numbers are little-endian.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from converter.errors import ConversionError
from converter.formats.halves import check_halves
from converter.formats.ncnn.layer import Layer
from converter.formats.ncnn.param import NcnnGraph, load_param
from converter.formats.ncnn.scales import check_outputs, check_scales
from converter.formats.ncnn.slots import INPUT_SCALE, Slot, slots_of
from converter.formats.ways import precision_of
from converter.util.content import File, content_of

RAW, HALF, INT8, SCALED, TABLE = 0, 0x01306B47, 0x000D4B38, 0x0002C056, 1
# float32, half, int8, float32 with scales elsewhere, a table of 256 values and an index for each weight
TAGS = (RAW, HALF, INT8, SCALED, TABLE)
PRECISIONS = {RAW: "fp32", SCALED: "fp32", HALF: "half", INT8: "int8", TABLE: "w8"}
TABLE_VALUES = 256
TAG_BYTES, TABLE_BYTES = 4, 4 * TABLE_VALUES


@dataclass(frozen=True)
class Stored:
    """An array as it lies in the file.

    Attributes:
        role: weight, bias, mean, ...; what the layer calls it.
        count: of numbers.
        tag: how it is stored, one of :data:`TAGS`; None where the layer's float32 comes without a tag.
        data: the bytes behind the tag, table and padding included.
        offset: of its first byte, the tag's if there is one, in the file it was read from.
    """

    role: str
    count: int
    tag: int | None
    data: bytes = field(repr=False)
    offset: int = field(default=0, compare=False)

    @property
    def is_whole(self) -> bool:
        """Whether it holds int8 numbers, whose scales lie elsewhere."""
        return self.tag == INT8

    def values(self) -> np.ndarray:
        """The numbers as float32 (count,); int8 ones as they are, without their scales."""
        if self.tag == HALF:
            return np.frombuffer(self.data, "<f2", self.count).astype(np.float32)
        if self.tag == INT8:
            return np.frombuffer(self.data, "i1", self.count).astype(np.float32)
        if self.tag == TABLE:
            table = np.frombuffer(self.data, "<f4", TABLE_BYTES // 4)
            return table.take(np.frombuffer(self.data, "u1", self.count, TABLE_BYTES))
        return np.frombuffer(self.data, "<f4", self.count)

    def with_values(self, values: np.ndarray, tag: int | None) -> "Stored":
        """Other numbers in its place.

        Args:
            values: as many as before, any shape, float32.
            tag: RAW or HALF (rounded to nearest, subnormals kept) for a tagged array, None for one without.
        """
        if values.size != self.count or (tag is None) != (self.tag is None) or tag not in (None, RAW, HALF):
            raise ValueError(f"{values.size} numbers with tag {tag} in place of {self.count} with tag {self.tag}")
        if tag == HALF:
            with np.errstate(over="ignore"):
                data = values.astype("<f2").tobytes()
            return replace(self, tag=tag, data=data.ljust(_aligned(len(data)), b"\0"))
        return replace(self, tag=tag, data=values.astype("<f4").tobytes())

    def with_table(self, table: np.ndarray, indices: np.ndarray) -> "Stored":
        """In place of a tagged array, for each number which of 256 values it is.

        Args:
            table: (256,) float32.
            indices: (count,) uint8.
        """
        if self.tag is None or table.size != TABLE_VALUES or indices.size != self.count:
            raise ValueError(f"{indices.size} of {table.size} values in place of {self.count} with tag {self.tag}")
        data = indices.astype("u1").tobytes()
        return replace(self, tag=TABLE, data=table.astype("<f4").tobytes() + data.ljust(_aligned(len(data)), b"\0"))

    def with_whole(self, values: np.ndarray) -> "Stored":
        """In place of a tagged array, whole numbers from -128 to 127 whose scales follow elsewhere.

        Args:
            values: as many as before, any shape, int8.
        """
        if self.tag is None or values.size != self.count or values.dtype != np.int8:
            raise ValueError(f"{values.size} {values.dtype} in place of {self.count} numbers with tag {self.tag}")
        data = values.tobytes()
        return replace(self, tag=INT8, data=data.ljust(_aligned(len(data)), b"\0"))


@dataclass(frozen=True)
class NcnnWeights:
    """All arrays of a ``.bin``: for every layer of the graph, in its order, those it asks for, maybe none."""

    arrays: tuple[tuple[Stored, ...], ...]

    def data(self) -> bytes:
        """The ``.bin`` file."""
        parts = []
        for stored in (stored for arrays in self.arrays for stored in arrays):
            if stored.tag is not None:
                parts.append(stored.tag.to_bytes(TAG_BYTES, "little"))
            parts.append(stored.data)
        return b"".join(parts)

    def mapped(self, change: Callable[[int, Stored], Stored]) -> "NcnnWeights":
        """The same file with arrays changed by ``change(index of the layer, array)``."""
        return NcnnWeights(
            tuple(tuple(change(index, stored) for stored in arrays) for index, arrays in enumerate(self.arrays))
        )


def stored_precision(weights: NcnnWeights) -> str | None:
    """How the arrays that ncnn loads by a tag are stored: "fp32", "half", "int8", "w8" or "mixed"; None without any.

    Layers that compute in int8 make it "int8", however the others are stored; without such, tables make it "w8".
    """
    if any(stored.role == INPUT_SCALE for arrays in weights.arrays for stored in arrays):
        return "int8"
    tags = {stored.tag for arrays in weights.arrays for stored in arrays if stored.tag is not None}
    return precision_of({PRECISIONS[tag] for tag in tags})


def halved(graph: NcnnGraph, weights: NcnnWeights) -> NcnnWeights:
    """Weights as IEEE halves, rounded to nearest, subnormals kept; biases and batch norms stay float32.

    ncnn says which arrays may be halves: those that it loads by their tag, the weights of convolutions and
    matrix products.

    Raises:
        ConversionError: naming a layer with a weight that no half can hold.
    """

    def change(index: int, stored: Stored) -> Stored:
        if stored.tag != RAW:
            return stored
        values = stored.values()
        check_halves(values, f"layer {graph.layers[index].name} has a {stored.role}")
        return stored.with_values(values, HALF)

    return weights.mapped(change)


def load_part(param: File, weights: File, outputs: Iterable[str]) -> tuple[NcnnGraph, NcnnWeights]:
    """Read both files of a model, and keep the layers that some blobs depend on.

    Raises:
        ConversionError: as :func:`load_model`.
    """
    graph, stored = load_model(param, weights)
    part = graph.part(outputs)
    blobs = {layer.outputs for layer in part.layers}
    kept = zip(graph.layers, stored.arrays, strict=True)
    return part, NcnnWeights(tuple(arrays for layer, arrays in kept if layer.outputs in blobs))


def load_model(param: File, weights: File) -> tuple[NcnnGraph, NcnnWeights]:
    """Read both files of a model; ``a.bin`` serves ``a_b.param`` and others, each of which reads its beginning.

    Raises:
        ConversionError: when one is not there, damaged, or not the other's.
    """
    graph = load_param(param)
    stored = load_bin(graph, weights, shared=Path(param.name).stem.startswith(f"{Path(weights.name).stem}_"))
    check_scales(zip(graph.layers, stored.arrays, strict=True), weights.name)
    check_outputs(graph.layers, param.name)
    return graph, stored


def load_bin(graph: NcnnGraph, file: File, shared: bool = False) -> NcnnWeights:
    """Read a ``.bin`` file; one on the disk that is much too long is refused before it is read.

    Args:
        shared: whether other weights may follow.

    Raises:
        ConversionError: as for :func:`read_bin`, and when the file is not there.
    """
    if isinstance(file, Path) and not shared:
        longest = sum(_longest(slot) for _, slots in _asked(graph, file.name) for slot in slots)
        if os.path.isfile(file) and (size := file.stat().st_size) > longest:
            raise ConversionError(
                f"{file.name}: goes on to byte {size}, expected at most {longest} bytes of weights; "
                "damaged, or the weights of another model"
            )
    content = content_of(file)
    return read_bin(graph, content.data, content.name, shared)


def read_bin(graph: NcnnGraph, data: bytes, name: str, shared: bool = False) -> NcnnWeights:
    """Read a ``.bin`` file.

    Args:
        graph: what the ``.param`` beside it says.
        data: its content.
        name: what to call it in a message.
        shared: whether other weights may follow.

    Raises:
        ConversionError: naming the layer and the offset at which the file is cut off, goes on, or holds a tag
            that ncnn does not have; or a layer whose weights we cannot tell.
    """
    view, offset, arrays = memoryview(data), 0, []
    for layer, slots in _asked(graph, name):
        found = []
        for slot in slots:
            stored = _read_array(view, offset, slot, layer, name)
            offset += len(stored.data) + (TAG_BYTES if slot.tagged else 0)
            found.append(stored)
        arrays.append(tuple(found))
    if offset != len(data) and not shared:
        raise ConversionError(
            f"{name}: goes on for {len(data) - offset} bytes after byte {offset}, where the last layer's weights end; "
            "damaged, or the weights of another model"
        )
    return NcnnWeights(tuple(arrays))


def _asked(graph: NcnnGraph, name: str) -> Iterator[tuple[Layer, tuple[Slot, ...]]]:
    for layer in graph.layers:
        try:
            yield layer, slots_of(layer)
        except ConversionError as error:
            raise ConversionError(f"{name}: {error}") from None


def _read_array(view: memoryview, offset: int, slot: Slot, layer: Layer, name: str) -> Stored:
    start, tag = offset, None
    where = f"{slot.role} of layer {layer.name} ({layer.type})"
    if slot.tagged:
        if len(view) - offset < TAG_BYTES:
            raise _cut_off(name, len(view), where, start, TAG_BYTES)
        tag = int.from_bytes(view[offset : offset + TAG_BYTES], "little")
        if tag not in TAGS:
            tags = ", ".join(f"{tag:#x}" for tag in TAGS)
            raise ConversionError(
                f"{name}: byte {offset} begins with tag {tag:#x}, expected one of {tags}: {where}; "
                "damaged, or the weights of another model"
            )
        offset += TAG_BYTES
    size = _data_bytes(slot.count, tag)
    if len(view) - offset < size:
        raise _cut_off(name, len(view), where, start, offset - start + size)
    return Stored(slot.role, slot.count, tag, bytes(view[offset : offset + size]), start)


def _data_bytes(count: int, tag: int | None) -> int:
    if tag == HALF:
        return _aligned(2 * count)
    if tag == INT8:
        return _aligned(count)
    return TABLE_BYTES + _aligned(count) if tag == TABLE else 4 * count


def _longest(slot: Slot) -> int:
    return TAG_BYTES + max(_data_bytes(slot.count, tag) for tag in TAGS) if slot.tagged else 4 * slot.count


def _aligned(size: int) -> int:
    return -(-size // 4) * 4


def _cut_off(name: str, size: int, where: str, offset: int, needed: int) -> ConversionError:
    return ConversionError(
        f"{name}: cut off, or the weights of another model: ends at byte {size}, "
        f"expected {needed} bytes from byte {offset} for the {where}"
    )
