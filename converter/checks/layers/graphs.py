"""Both sides as graphs of primitives, and the one order that both are put into."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from converter.checks.layers.kinds import Primitive
from converter.errors import ConversionError


@dataclass(frozen=True)
class Operation:
    """One primitive that the network ran.

    Attributes:
        index: of it in the recording.
        primitive: what it is; kind "input" for a graph input.
        inputs: indices of the operations whose results it reads; constants are not among them.
        value: its result, float32, batch axis included.
        module: path of the module that ran it.
        name: of the operation, as PyTorch calls it.
        compute: its inputs as tensors -> its result; computes in the inputs' precision.
    """

    index: int
    primitive: Primitive
    inputs: tuple[int, ...]
    value: np.ndarray
    module: str
    name: str
    compute: Callable[[Sequence[Any]], Any] | None

    @property
    def kind(self) -> str:
        return self.primitive.kind


@dataclass(frozen=True)
class Recording:
    """One run of the network: all operations in order, and those that gave the declared outputs."""

    operations: tuple[Operation, ...]
    outputs: tuple[int, ...]

    def order(self) -> list[int]:
        """Operations that the outputs depend on, in canonical order; graph inputs are left out."""
        order = depth_first(self.outputs, {one.index: one.inputs for one in self.operations})
        return [index for index in order if self.operations[index].compute]

    @cached_property
    def readers(self) -> dict[int, list[int]]:
        readers: dict[int, list[int]] = {}
        for one in self.operations:
            for index in one.inputs:
                readers.setdefault(index, []).append(one.index)
        return readers


@dataclass(frozen=True)
class ConvertedLayer:
    """One layer of a ``.param`` file or one node of an ONNX graph.

    Attributes:
        name, type: as in the file.
        inputs: blobs it reads that depend on the graph's inputs; weights and constants are not among them.
        outputs: blobs it gives.
        primitives: what it computes, first to last; none for what hands its input on (Split, Identity).
    """

    name: str
    type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    primitives: tuple[Primitive, ...]


@dataclass(frozen=True)
class ConvertedGraph:
    """The layers of a converted file that depend on its inputs, in file order."""

    layers: tuple[ConvertedLayer, ...]

    @cached_property
    def producers(self) -> dict[str, int]:
        return {blob: index for index, layer in enumerate(self.layers) for blob in layer.outputs}

    def origin(self, blob: str) -> tuple[int | None, tuple[int, ...]]:
        """Where a blob's numbers come from: the layer that computes them (None for a graph input), and the
        layers that only hand them on, last first."""
        handed = []
        while (index := self.producers.get(blob)) is not None and not self.layers[index].primitives:
            handed.append(index)
            if not self.layers[index].inputs:
                return None, tuple(handed)
            blob = self.layers[index].inputs[0]
        return index, tuple(handed)

    def source_blob(self, blob: str) -> str:
        """The blob a blob is a copy of, before all layers that only hand on."""
        while (index := self.producers.get(blob)) is not None and not self.layers[index].primitives:
            if not self.layers[index].inputs:
                return blob
            blob = self.layers[index].inputs[0]
        return blob

    @cached_property
    def operands(self) -> list[list[int | None]]:
        """For every layer the layers it reads from, past those that only hand on."""
        return [[self.origin(blob)[0] for blob in layer.inputs] for layer in self.layers]

    @cached_property
    def readers(self) -> dict[int, list[tuple[int, int]]]:
        """Layer to (layer that reads it, as which operand), past those that only hand on."""
        readers: dict[int, list[tuple[int, int]]] = {}
        for index, layer in enumerate(self.layers):
            if layer.primitives:
                for position, origin in enumerate(self.operands[index]):
                    if origin is not None:
                        readers.setdefault(origin, []).append((index, position))
        return readers

    @property
    def computing(self) -> list[int]:
        return [index for index, layer in enumerate(self.layers) if layer.primitives]

    def order(self, outputs: Iterable[str]) -> list[int]:
        """Computing layers in canonical order; what no output depends on comes right behind what it reads."""
        inputs = {
            index: tuple(origin for origin in self.operands[index] if origin is not None) for index in self.computing
        }
        roots = [self.origin(blob)[0] for blob in outputs if blob in self.producers]
        order = depth_first([root for root in roots if root is not None], inputs)
        for index in self.computing:
            if index not in order:
                places = [order.index(origin) for origin in inputs[index] if origin in order]
                order.insert(max(places, default=-1) + 1, index)
        return order


def check_read(name: str, inputs: Iterable[str], known: Container[str]) -> None:
    """Refuse a layer that reads what no layer before it gives; from here on graphs have no cycles.

    Raises:
        ConversionError: naming the layer and the blob.
    """
    for blob in inputs:
        if blob not in known:
            raise ConversionError(f"layer {name} reads {blob!r}, which no layer before it gives")


def depth_first(roots: Iterable[int], inputs: Mapping[int, Sequence[int]]) -> list[int]:
    """Nodes in post-order: every node behind its inputs, branches one after another in the order of the inputs."""
    order: dict[int, None] = {}
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, entered = stack.pop()
        if node in order:
            continue
        if entered:
            order[node] = None
            continue
        stack.append((node, True))
        stack.extend((one, False) for one in reversed(inputs[node]) if one not in order)
    return list(order)
