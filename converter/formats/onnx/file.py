"""What is in an ``.onnx`` file: nodes, shapes of its tensors, and parts of it as models of their own."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from converter.errors import ConversionError
from converter.util.paths import why_no_file


@dataclass(frozen=True)
class Node:
    """One node; ``name`` is its first output where the file gives it none."""

    type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


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


def read_onnx(path: Path) -> OnnxGraph:
    """Read an ONNX file; shapes that cannot be inferred are left out.

    Raises:
        ConversionError: when it is no ONNX model.
    """
    model = _load(path)
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


def part_of(path: Path, names: Iterable[str]) -> bytes:
    """A model that gives some inner tensors and holds only the nodes they depend on.

    Args:
        path: an ``.onnx`` file.
        names: of tensors in it.

    Raises:
        ConversionError: for a name that is no node's output.
    """
    model = _load(path)
    graph = model.graph
    names = list(names)
    producers = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    if unknown := [name for name in names if name not in producers]:
        raise ConversionError(f"{path.name} has no tensor {unknown[0]!r}")
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


def _load(path: Path) -> onnx.ModelProto:
    if reason := why_no_file(path):
        raise ConversionError(f"{path}: {reason}")
    try:
        return onnx.load(path)
    except Exception as error:  # protobuf's own types differ between its releases
        first = str(error).strip().partition("\n")[0]
        raise ConversionError(f"{path.name} is no ONNX model: {first}") from None


def _node(node: onnx.NodeProto, index: int) -> Node:
    attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    outputs = tuple(name for name in node.output if name)
    name = node.name or (outputs[0] if outputs else f"{node.op_type}_{index}")
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
            shapes[node.output[0]] = tuple(node.attribute[0].t.dims)
    for node in model.graph.node:
        if node.op_type == "Identity" and node.input[0] in shapes:
            shapes[node.output[0]] = shapes[node.input[0]]
    return shapes
