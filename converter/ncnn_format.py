"""ncnn's ``.param`` text: the layer table, its blobs, and how many bytes of ``.bin`` it asks for.

Form (ncnn wiki, "param and model file structure"; ``tools/pnnx/src/save_ncnn.cpp`` writes it): a magic
number, a line with the numbers of layers and blobs, then per layer its type, name, number of input and
output blobs, their names, and ``key=value`` parameters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from converter.errors import ConversionError

MAGIC = "7767517"
FLOAT_TAG = 4


@dataclass(frozen=True)
class Layer:
    """One line of a ``.param`` file; ``params`` are its ``key=value`` words, verbatim."""

    type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: tuple[str, ...]

    def param(self, key: int, default: int = 0) -> int:
        """An integer parameter."""
        for word in self.params:
            name, _, value = word.partition("=")
            if name == str(key):
                return int(value)
        return default


@dataclass(frozen=True)
class NcnnGraph:
    """The layers of a ``.param`` file in order."""

    layers: tuple[Layer, ...]

    def input_blobs(self) -> list[str]:
        """Blobs of the Input layers, in file order."""
        return [blob for layer in self.layers if layer.type == "Input" for blob in layer.outputs]

    def input_shapes(self) -> dict[str, tuple[int, int, int] | None]:
        """Input blob to (channels, height, width), None where the file does not say it."""
        shapes = {}
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

        def rename(blobs):
            return tuple(names.get(blob, blob) for blob in blobs)

        return NcnnGraph(
            tuple(replace(layer, inputs=rename(layer.inputs), outputs=rename(layer.outputs)) for layer in self.layers)
        )

    def weight_bytes(self) -> int | None:
        """Bytes of the ``.bin`` with fp32 weights, or None when a layer's share is not known to us."""
        total = 0
        for layer in self.layers:
            numbers = _WEIGHTS.get(layer.type, lambda _: 0)(layer)
            if numbers is None:
                return None
            total += numbers
        return total

    def text(self) -> str:
        """The ``.param`` file."""
        blobs = sum(len(layer.outputs) for layer in self.layers)
        lines = [MAGIC, f"{len(self.layers)} {blobs}"]
        for layer in self.layers:
            counts = f"{layer.type:<24} {layer.name:<24} {len(layer.inputs)} {len(layer.outputs)}"
            lines.append(" ".join((counts, *layer.inputs, *layer.outputs, *layer.params)))
        return "\n".join(lines) + "\n"


def read_param(text: str, name: str) -> NcnnGraph:
    """Read a ``.param`` file.

    Args:
        text: its content.
        name: what to call it in a message.

    Raises:
        ConversionError: naming the line that cannot be read.
    """
    lines = text.splitlines()
    if not lines or lines[0].strip() != MAGIC:
        found = ascii(lines[0][:20]) if lines else "an empty file"
        raise ConversionError(f"{name}: line 1 is {found}, expected ncnn's magic number {MAGIC}")
    try:
        layer_count, blob_count = (int(word) for word in lines[1].split())
        layers = tuple(_read_layer(line) for line in lines[2:] if line.strip())
    except (IndexError, ValueError) as error:
        raise ConversionError(f"{name}: cut off or not a layer table ({error})") from None
    blobs = sum(len(layer.outputs) for layer in layers)
    if (len(layers), blobs) != (layer_count, blob_count):
        raise ConversionError(
            f"{name}: has {len(layers)} layers and {blobs} blobs, expected {layer_count} and {blob_count}"
        )
    return NcnnGraph(layers)


def _read_layer(line):
    kind, name, inputs, outputs, *words = line.split()
    inputs, outputs = int(inputs), int(outputs)
    if len(words) < inputs + outputs:
        raise ValueError(f"layer {name} names {len(words)} blobs, expected {inputs + outputs}")
    return Layer(
        type=kind,
        name=name,
        inputs=tuple(words[:inputs]),
        outputs=tuple(words[inputs : inputs + outputs]),
        params=tuple(words[inputs + outputs :]),
    )


def _convolution(layer):
    if layer.param(8) or layer.param(19):  # int8, or weights that come as a blob
        return None
    return FLOAT_TAG + 4 * layer.param(6) + 4 * layer.param(0) * layer.param(5)


def _inner_product(layer):
    if layer.param(8):
        return None
    return FLOAT_TAG + 4 * layer.param(2) + 4 * layer.param(0) * layer.param(1)


def _memory_data(layer):
    sizes = [layer.param(key) for key in (0, 1, 11, 2)]
    total = 1
    for size in sizes:
        total *= size or 1
    return 4 * total if any(sizes) else 0


_WEIGHTS = {
    "Convolution": _convolution,
    "ConvolutionDepthWise": _convolution,
    "InnerProduct": _inner_product,
    "BatchNorm": lambda layer: 16 * layer.param(0),
    "MemoryData": _memory_data,
    **dict.fromkeys(
        [
            *("Convolution1D", "Convolution3D", "ConvolutionDepthWise1D", "ConvolutionDepthWise3D", "DeformableConv2D"),
            *("Deconvolution", "Deconvolution1D", "Deconvolution3D", "DeconvolutionDepthWise"),
            *("Embed", "Gemm", "MultiHeadAttention", "LSTM", "GRU", "RNN", "PReLU", "Scale", "Bias", "Normalize"),
            *("GroupNorm", "LayerNorm", "InstanceNorm", "RMSNorm", "Quantize", "Dequantize", "Requantize"),
        ],
        lambda layer: None,
    ),
}
