"""What is in an ``.onnx`` file: nodes, shapes of its tensors, and parts of it as models of their own."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from converter.errors import ConversionError
from converter.formats.onnx.half import WEIGHTS
from converter.formats.ways import precision_of
from converter.spec.choices import BYTES, FULL, INT8
from converter.util.content import File, content_of

QUANTISES = ("QuantizeLinear", "DynamicQuantizeLinear")
WIDENS = ("Cast", "DequantizeLinear")  # stand between a stored weight and what reads it
PRECISIONS = {
    onnx.TensorProto.FLOAT16: "half",
    onnx.TensorProto.BFLOAT16: "bf16",
    onnx.TensorProto.INT8: BYTES,
    onnx.TensorProto.UINT8: BYTES,
}


@dataclass(frozen=True)
class Node:
    """One node; ``name`` is its first output where the file gives it none."""

    type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]

    def integer(self, name: str, default: int) -> int:
        """An attribute.

        Raises:
            ConversionError: where it is no integer.
        """
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise self._wrong(name, "an integer")
        return value

    def integers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """An attribute, as :meth:`integer`."""
        value = self.attributes.get(name, default)
        if not isinstance(value, list | tuple) or not all(isinstance(item, int) for item in value):
            raise self._wrong(name, "integers")
        return tuple(value)

    def _wrong(self, name: str, expected: str) -> ConversionError:
        return ConversionError(
            f"layer {self.name}: attribute {name} is {str(self.attributes[name])[:40]!r}, expected {expected}"
        )


@dataclass(frozen=True)
class OnnxGraph:
    """An ONNX graph.

    Attributes:
        nodes: in file order.
        inputs, outputs: names, without initializers.
        constants: names of initializers.
        shapes: of tensors whose shape is known, weights included.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: frozenset[str]
    shapes: dict[str, tuple[int, ...]]


def read_onnx(file: File) -> OnnxGraph:
    """Read an ONNX file; shapes that cannot be inferred are left out.

    Raises:
        ConversionError: when it is no ONNX model.
    """
    model = load_model(file)
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    weights |= {tensor.values.name for tensor in graph.sparse_initializer}
    return OnnxGraph(
        nodes=tuple(_node(node, index) for index, node in enumerate(graph.node)),
        inputs=tuple(value.name for value in graph.input if value.name not in weights),
        outputs=tuple(value.name for value in graph.output),
        constants=frozenset(weights),
        shapes=_shapes(model),
    )


def part_of(file: File, names: Iterable[str], beside: Sequence[File] = ()) -> bytes:
    """A model that gives some inner tensors and holds only the nodes they depend on.

    Args:
        file: an ``.onnx`` file.
        names: of tensors in it.
        beside: files that it keeps weights in, where it does; they come to be in the model.

    Raises:
        ConversionError: for a name that is no node's output.
    """
    model = load_model(file)
    _take_in(model, file, beside)
    graph = model.graph
    names = list(names)
    producers = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    if unknown := [name for name in names if name not in producers]:
        raise ConversionError(f"{file.name} has no tensor {unknown[0]!r}")
    needed: set[int] = set()
    waiting = list(names)
    while waiting:
        index = producers.get(waiting.pop())
        if index is not None and index not in needed:
            needed.add(index)
            waiting.extend(_read_by(graph.node[index]))
    nodes = [node for index, node in enumerate(graph.node) if index in needed]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.output[:]
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    # shapes that the file claims; a damaged graph has others, which are what is looked for
    del graph.value_info[:]
    part: bytes = model.SerializeToString()
    return part


def rename_values(model: onnx.ModelProto, names: Mapping[str, str]) -> None:
    """Call some tensors otherwise, all at once; one that has a name that is wanted gets another.

    Args:
        model: changed in place.
        names: old to new.
    """
    graph = model.graph
    in_use = {name for node in graph.node for name in (*node.input, *node.output)}
    in_use |= {value.name for value in (*graph.input, *graph.output, *graph.initializer)}
    in_the_way = (set(names.values()) - set(names)) & in_use
    fresh = (name for number in itertools.count() if (name := f"value{number}") not in in_use | set(names.values()))
    names = {**names, **dict(zip(sorted(in_the_way), fresh))}  # noqa: B905 fresh names never end
    for node in graph.node:
        for side in (node.input, node.output):
            side[:] = [names.get(name, name) for name in side]
    for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        value.name = names.get(value.name, value.name)


def files_beside(file: File) -> tuple[str, ...]:
    """Names of the files that a model keeps weights in, as it has them, relative to its own folder.

    Raises:
        ConversionError: when it is no ONNX model, or names a file elsewhere.
    """
    names = dict.fromkeys(_location(tensor)["location"] for tensor in _kept_elsewhere(load_model(file)))
    if outside := [name for name in names if Path(name).is_absolute() or ".." in Path(name).parts]:
        raise ConversionError(f"{file.name} keeps weights in {outside[0]!r}, expected a file beside it")
    return tuple(names)


def stored_precision(file: File) -> str | None:
    """How the weights of convolutions and matrix products are stored: "fp32", "half", "w8", "int8", "mixed", or None.

    A model that quantises on the way is "int8"; where nothing but weights are integers, it is "w8".

    Raises:
        ConversionError: when it is no ONNX model.
    """
    graph = load_model(file).graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    widened = {node.output[0]: node.input[0] for node in graph.node if node.op_type in WIDENS and node.input}
    read = {
        widened.get(name, name)
        for node in graph.node
        for name in node.input[WEIGHTS.get(node.op_type, len(node.input)) :][:1]
    }
    if any(node.op_type in QUANTISES for node in graph.node):
        return INT8
    types = {weights[name].data_type for name in read if name in weights and len(weights[name].dims) > 1}
    return precision_of({PRECISIONS.get(each, FULL) for each in types})


def load_model(file: File) -> onnx.ModelProto:
    """Raises:
    ConversionError: when it is no ONNX model.
    """
    content = content_of(file)
    try:
        model = onnx.load_from_string(content.data)
    except Exception as error:  # protobuf's own types differ between its releases
        first = str(error).strip().partition("\n")[0]
        raise ConversionError(f"{file.name} is no ONNX model: {first}") from None
    # protobuf hands a text on as bytes where it is none
    if wrong := next((name for name in _names(model.graph) if not isinstance(name, str)), None):
        raise ConversionError(f"{file.name} is no ONNX model: the name {str(wrong)[:60]} in it is no UTF-8")
    return model


def _kept_elsewhere(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    return (tensor for tensor in model.graph.initializer if tensor.data_location == onnx.TensorProto.EXTERNAL)


def _location(tensor: onnx.TensorProto) -> dict[str, str]:
    return {"location": "", **{entry.key: entry.value for entry in tensor.external_data}}


def _take_in(model: onnx.ModelProto, file: File, beside: Sequence[File]) -> None:
    """Put weights that are kept elsewhere into the model."""
    data = {Path(each.name).name: content_of(each).data for each in beside}
    for tensor in _kept_elsewhere(model):
        place = _location(tensor)
        try:
            start = int(place.get("offset", 0))
            whole = data[Path(place["location"]).name]
            raw = whole[start : start + int(place.get("length", len(whole)))]
        except (KeyError, ValueError):
            raise ConversionError(f"{file.name} keeps {tensor.name!r} in a file that is not there") from None
        tensor.raw_data, tensor.data_location = raw, onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _names(graph: onnx.GraphProto) -> Iterator[object]:
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
    for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        yield value.name
    yield from (tensor.values.name for tensor in graph.sparse_initializer)


def _node(node: onnx.NodeProto, index: int) -> Node:
    outputs = tuple(name for name in node.output if name)
    name = node.name or (outputs[0] if outputs else f"{node.op_type}_{index}")
    try:
        attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    except (ValueError, UnicodeDecodeError):
        raise ConversionError(f"layer {name}: an attribute is of a kind that ONNX does not have") from None
    return Node(node.op_type, name, tuple(node.input), outputs, attributes)


def _read_by(node: onnx.NodeProto) -> list[str]:
    """Names a node reads, those of its subgraphs included."""
    names = list(node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            names += [name for inner in graph.node for name in _read_by(inner)]
    return names


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            shapes.update(dict.fromkeys(node.output[:1], tuple(node.attribute[0].t.dims)))
    for node in model.graph.node:
        if node.op_type == "Identity" and node.input and node.input[0] in shapes:
            shapes.update(dict.fromkeys(node.output[:1], shapes[node.input[0]]))
    return shapes
