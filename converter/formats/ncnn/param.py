"""ncnn's ``.param`` text: the layer table and its blobs, read and written without losing a byte.

Form (ncnn wiki, "param and model file structure"; pnnx and onnx2ncnn write it with other column widths):
a magic number, a line with the numbers of layers and blobs, then per layer its type, name, number of input
and output blobs, their names, and ``key=value`` parameters. A value is an integer, a float, a text (quoted
when it holds a comma or a blank) or an array: ``-23309=2,1.0,6.0`` or, shorter, ``9=1.0,6.0``.
"""

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from converter.errors import ConversionError
from converter.formats.ncnn.layer import Layer, check_words, is_integer, read_layer
from converter.util.content import File, content_of

MAGIC = "7767517"
LARGEST_FILE = 32 << 20  # bytes


@dataclass(frozen=True)
class NcnnGraph:
    """The layers of a ``.param`` file in order.

    Attributes:
        header: the text before the first layer, written again while the counts in it hold.
        trailer: the text after the last layer, blank lines.
    """

    layers: tuple[Layer, ...]
    header: str = field(default="", compare=False, repr=False)
    trailer: str = field(default="", compare=False, repr=False)

    def input_blobs(self) -> list[str]:
        """Blobs of the Input layers, in file order."""
        return [blob for layer in self.layers if layer.type == "Input" for blob in layer.outputs]

    def input_shapes(self) -> dict[str, tuple[int, ...] | None]:
        """Input blob to (channels, height, width), None where the file does not say it."""
        shapes: dict[str, tuple[int, ...] | None] = {}
        for layer in self.layers:
            if layer.type == "Input":
                size = tuple(layer.param(key) for key in (2, 1, 0))
                shapes.update(dict.fromkeys(layer.outputs, size if all(size) else None))
        return shapes

    def output_blobs(self) -> list[str]:
        """Blobs that no layer takes in, in file order."""
        used = {blob for layer in self.layers for blob in layer.inputs}
        return [blob for layer in self.layers for blob in layer.outputs if blob not in used]

    def renamed(self, names: Mapping[str, str]) -> "NcnnGraph":
        """The same graph with some blobs called otherwise.

        Raises:
            ConversionError: when a blob to rename is not there or a new name is already taken.
        """
        blobs = {blob for layer in self.layers for blob in layer.outputs}
        if missing := sorted(names.keys() - blobs):
            raise ConversionError(f"no blob {missing[0]!r} to rename")
        taken = sorted((blobs - names.keys()) & set(names.values()))
        if taken or len(set(names.values())) < len(names):
            raise ConversionError(f"renaming {dict(names)} would give two blobs one name")

        def rename(blobs: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(names.get(blob, blob) for blob in blobs)

        return self._with(
            replace(layer, inputs=rename(layer.inputs), outputs=rename(layer.outputs)) for layer in self.layers
        )

    def making_room(self, names: Collection[str]) -> "NcnnGraph":
        """The same graph with blobs that have one of these names called otherwise."""
        taken = {blob for layer in self.layers for blob in layer.outputs} | set(names)
        fresh = (name for number in itertools.count() if (name := f"blob{number}") not in taken)
        existing = [blob for layer in self.layers for blob in layer.outputs if blob in names]
        return self.renamed(dict(zip(existing, fresh)))  # noqa: B905 fresh names never end

    def part(self, outputs: Iterable[str]) -> "NcnnGraph":
        """The layers that some blobs depend on; the header is left out, its counts are of the whole."""
        needed, kept = set(outputs), []
        for layer in reversed(self.layers):
            if needed & set(layer.outputs):
                needed.update(layer.inputs)
                kept.append(layer)
        return NcnnGraph(tuple(reversed(kept)))

    def depending_on(self, blobs: Iterable[str]) -> set[str]:
        """These blobs, and all that is computed from them."""
        depending = set(blobs)
        for layer in self.layers:
            if depending & set(layer.inputs):
                depending |= set(layer.outputs)
        return depending

    def with_param(self, name: str, key: int, value: object) -> "NcnnGraph":
        """The same graph with one parameter of one layer changed or added.

        Raises:
            ConversionError: when no layer, or more than one, has that name.
        """
        count = sum(layer.name == name for layer in self.layers)
        if count != 1:
            raise ConversionError(f"{count} layers are called {name!r}, expected one")
        return self._with(layer.with_param(key, value) if layer.name == name else layer for layer in self.layers)

    def text(self) -> str:
        """The ``.param`` file."""
        counts = [str(len(self.layers)), str(sum(len(layer.outputs) for layer in self.layers))]
        end = "\r\n" if self.header.endswith("\r\n") else "\n"
        header = self.header if self.header.split() == [MAGIC, *counts] else f"{MAGIC}{end}{' '.join(counts)}{end}"
        lines = [header, *(layer.text(end) for layer in self.layers)]
        closed = [line if line.endswith("\n") else line + end for line in lines[:-1]]
        return "".join([*closed, lines[-1], self.trailer])

    def _with(self, layers: Iterable[Layer]) -> "NcnnGraph":
        return replace(self, layers=tuple(layers))


def load_param(file: File) -> NcnnGraph:
    """Read a ``.param`` file byte for byte: line ends stay as they are.

    Raises:
        ConversionError: when the file is not there, is no text, or as for :func:`read_param`.
    """
    content = content_of(file)
    if (size := len(content.data)) > LARGEST_FILE:
        raise ConversionError(
            f"{content.name}: has {size} bytes, expected at most {LARGEST_FILE}: a layer table is text"
        )
    try:
        return read_param(content.data.decode(), content.name)
    except UnicodeDecodeError as error:
        line = content.data.count(b"\n", 0, error.start) + 1
        raise ConversionError(
            f"{content.name}: line {line} is not text (byte {error.start}), expected ncnn's layer table"
        ) from None


def read_param(text: str, name: str) -> NcnnGraph:
    """Read a ``.param`` file that ncnn would read.

    Args:
        text: its content.
        name: what to call it in a message.

    Raises:
        ConversionError: naming the line that cannot be read.
    """
    return _read(text, name, check_words)


def read_table(text: str, name: str) -> NcnnGraph:
    """Read a ``.pnnx.param`` file, whose table has the same form and other parameters; raises the same."""
    return _read(text, name, lambda layer: None)


def _read(text: str, name: str, check: Callable[[Layer], None]) -> NcnnGraph:
    lines = re.findall(r"[^\n]*\n|[^\n]+$", text)
    if not lines or lines[0].strip() != MAGIC:
        first = ascii(lines[0].strip()[:20]) if lines else "an empty file"
        raise ConversionError(f"{name}: line 1 is {first}, expected ncnn's magic number {MAGIC}")
    layer_count, blob_count = _counts(lines, name)
    layers: list[Layer] = []
    known: set[str] = set()
    before = ""
    for number, line in enumerate(lines[2:], 3):
        before += line
        if not line.strip():
            continue
        if len(layers) == layer_count:
            raise ConversionError(f"{name}: line {number} is over, expected {layer_count} layers and then the end")
        try:
            layer = replace(read_layer(line), source=before)
            check(layer)
            _check_blobs(layer, known)
        except ValueError as error:
            raise ConversionError(f"{name}: cut off or not a layer table, line {number}: {error}") from None
        layers.append(layer)
        before = ""
    blobs = sum(len(layer.outputs) for layer in layers)
    if (len(layers), blobs) != (layer_count, blob_count):
        raise ConversionError(
            f"{name}: has {len(layers)} layers and {blobs} blobs, expected {layer_count} and {blob_count} "
            f"(line 2); it ends at line {len(lines)}"
        )
    return NcnnGraph(tuple(layers), header="".join(lines[:2]), trailer=before)


def _counts(lines: list[str], name: str) -> tuple[int, int]:
    words = lines[1].split() if len(lines) > 1 else []
    if len(words) != 2 or not all(is_integer(word, 19) for word in words):
        second = ascii(lines[1].strip()[:40]) if len(lines) > 1 else "not there"
        raise ConversionError(f"{name}: line 2 is {second}, expected the numbers of layers and blobs")
    return int(words[0]), int(words[1])


def _check_blobs(layer: Layer, blobs: set[str]) -> None:
    """A blob that no layer gives, or that two give, sends ncnn's loader out of its table of blobs."""
    if unknown := [blob for blob in layer.inputs if blob not in blobs]:
        raise ValueError(f"layer {layer.name} takes blob {unknown[0][:40]!r}, which no layer before it gives")
    for blob in layer.outputs:
        if blob in blobs:
            raise ValueError(f"layer {layer.name} gives blob {blob[:40]!r}, which is there already")
        blobs.add(blob)
