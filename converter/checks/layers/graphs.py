"""Both sides as graphs of primitives, and the one order that both are put into."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from converter.checks.layers.kinds import LINEAR, Primitive

Compute = Callable[[Sequence[np.ndarray]], np.ndarray]


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
        compute: its inputs -> its result, in the inputs' precision; None for a graph input.
    """

    index: int
    primitive: Primitive
    inputs: tuple[int, ...]
    value: np.ndarray
    module: str
    name: str
    compute: Compute | None

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
        order = _depth_first(self.outputs, [operation.inputs for operation in self.operations])
        return [index for index in order if self.operations[index].compute]

    @cached_property
    def readers(self) -> dict[int, list[int]]:
        readers: dict[int, list[int]] = {}
        for operation in self.operations:
            for index in operation.inputs:
                readers.setdefault(index, []).append(operation.index)
        return readers

    def tail(self, index: int) -> list[int]:
        """The linear operations directly behind one, which a converter may have folded into it."""
        tail: list[int] = []
        readers = self.readers.get(index, [])
        while len(readers) == 1 and self.operations[readers[0]].kind in LINEAR:
            tail += readers
            readers = self.readers.get(readers[0], [])
        return tail

    def replay(
        self, target: int, leaves: Mapping[int, np.ndarray], through: Callable[[int], bool]
    ) -> np.ndarray | None:
        """What the network makes of other numbers, in float64.

        Args:
            target: the operation whose result is wanted.
            leaves: operation index to the numbers to take for its result, of any shape that fits.
            through: whether an operation may be run again.

        Returns:
            the result in the operation's own shape; None when something it needs is neither given nor may be run.
        """
        results: dict[int, np.ndarray] = {}
        for index, value in leaves.items():
            recorded = self.operations[index].value
            if value.size != recorded.size:
                return None
            results[index] = value.astype(np.float64).reshape(recorded.shape)

        def result(index: int) -> np.ndarray:
            if index not in results:
                operation = self.operations[index]
                if operation.compute is None or not through(index):
                    raise LookupError(index)
                results[index] = operation.compute([result(read) for read in operation.inputs])
            return results[index]

        try:
            return result(target)
        except LookupError:
            return None


@dataclass(frozen=True)
class ConvertedLayer:
    """One layer of a converted file.

    Attributes:
        name, type: as in the file.
        inputs: blobs it reads that depend on the graph's inputs; weights and constants are not among them.
        outputs: blobs it gives.
        primitives: what it computes, first to last; none for what hands its one input on (Split, Identity).
    """

    name: str
    type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    primitives: tuple[Primitive, ...]


@dataclass(frozen=True)
class ConvertedGraph:
    """The layers of a converted file that depend on its inputs, each behind those that it reads from."""

    layers: tuple[ConvertedLayer, ...]

    @cached_property
    def producers(self) -> dict[str, int]:
        return {blob: index for index, layer in enumerate(self.layers) for blob in layer.outputs}

    def source(self, blob: str) -> str:
        """The blob a blob is a copy of, before all layers that only hand on."""
        handed = self.handed_on(blob)
        return self.layers[handed[-1]].inputs[0] if handed else blob

    def origin(self, blob: str) -> int | None:
        """The layer that computes a blob's numbers; None for a graph input."""
        return self.producers.get(self.source(blob))

    def handed_on(self, blob: str) -> list[int]:
        """The layers that only hand a blob's numbers on, last first."""
        handed: list[int] = []
        while (index := self.producers.get(blob)) is not None and not self.layers[index].primitives:
            handed.append(index)
            blob = self.layers[index].inputs[0]
        return handed

    @cached_property
    def operands(self) -> list[list[int | None]]:
        """For every layer the layers it reads from, past those that only hand on."""
        return [[self.origin(blob) for blob in layer.inputs] for layer in self.layers]

    def before(self, roots: Sequence[int]) -> list[int]:
        """Some layers and all that they depend on, in canonical order."""
        return _depth_first(roots, [[origin for origin in reads if origin is not None] for reads in self.operands])

    @cached_property
    def readers(self) -> dict[int, list[tuple[int, int]]]:
        """Layer to (layer that reads it, as which operand), past those that only hand on."""
        readers: dict[int, list[tuple[int, int]]] = {}
        for index in self.computing:
            for position, origin in enumerate(self.operands[index]):
                if origin is not None:
                    readers.setdefault(origin, []).append((index, position))
        return readers

    @cached_property
    def computing(self) -> list[int]:
        """The layers that do more than hand on, and give something."""
        return [index for index, layer in enumerate(self.layers) if layer.primitives and layer.outputs]

    @cached_property
    def places(self) -> dict[int, int]:
        """Layer to its place among the computing ones."""
        return {layer: place for place, layer in enumerate(self.computing)}

    def order(self, outputs: Iterable[str]) -> list[int]:
        """Computing layers in canonical order; what no output depends on comes right behind what it reads."""
        order = self.before([root for root in map(self.origin, outputs) if root is not None])
        for index in self.computing:
            if index not in order:
                places = [order.index(origin) for origin in self.operands[index] if origin in order]
                order.insert(max(places, default=-1) + 1, index)
        return order


def _depth_first(roots: Sequence[int], inputs: Sequence[Sequence[int]]) -> list[int]:
    """Nodes in post-order: every node behind its inputs, branches one after another in the order of the inputs."""
    order: dict[int, None] = {}
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        node, entered = stack.pop()
        if entered:
            order[node] = None
        elif node not in order:
            stack.append((node, True))
            stack.extend((read, False) for read in reversed(inputs[node]) if read not in order)
    return list(order)
