"""Splits some of whose graphs are read from the files of another."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from pydantic import Field

from converter.spec.tensors import Frozen, GraphSpec, Size, TensorSpec


class Sides(Protocol):
    """The names of a graph's tensors."""

    @property
    def inputs(self) -> list[str]: ...

    @property
    def masks(self) -> list[str]: ...

    @property
    def outputs(self) -> list[str]: ...


class ReadFrom(Frozen):
    """A graph that is converted in place of others, with its weights stored once.

    Attributes:
        graph: the one that is converted, a key of ``graphs``; it may be one of the split itself.
        reads: graph of the split to {its tensor: the converted graph's tensor}, where the two differ.
        template_sizes: that a template may have besides, all of the same number of cells.
    """

    graph: str
    reads: dict[str, dict[str, str]]
    template_sizes: list[Size] = Field(default_factory=list)

    def graphs(self, split: Iterable[str]) -> list[str]:
        """The graphs of a split that become files."""
        return list(dict.fromkeys(self.graph if name in self.reads else name for name in split))

    def misread(self, graphs: Mapping[str, Sides]) -> str | None:
        """The first tensor that cannot be read so, in a phrase; None where every input is an input of the converted
        graph, and every output an output of it.

        Args:
            graphs: all of the config, by name.
        """
        converted = graphs[self.graph]
        for name, reads in self.reads.items():
            graph = graphs[name]
            for tensors, among, side in (
                ([*graph.inputs, *graph.masks], [*converted.inputs, *converted.masks], "input"),
                (graph.outputs, converted.outputs, "output"),
            ):
                for tensor in tensors:
                    read = reads.get(tensor, tensor)
                    if read not in among:
                        return f"reads {side} {tensor!r} of {name} as {read!r}, {self.graph} has {', '.join(among)}"
            if others := [tensor for tensor in reads if tensor not in (*graph.inputs, *graph.masks, *graph.outputs)]:
                return f"names tensor {others[0]!r}, which {name} has not"
        return None

    def read(self, graph: GraphSpec, converted: GraphSpec) -> GraphSpec:
        """A graph of the split: a tensor has the name of the converted graph's that it stands for."""
        names = {tensor.meaning: tensor.name for tensor in (*converted.inputs, *converted.outputs)}
        reads = self.reads.get(graph.name, {})

        def named(tensors: Iterable[TensorSpec]) -> tuple[TensorSpec, ...]:
            return tuple(
                tensor.model_copy(update={"name": names[reads.get(tensor.meaning, tensor.meaning)]})
                for tensor in tensors
            )

        return graph.model_copy(update={"inputs": named(graph.inputs), "outputs": named(graph.outputs)})


def sized_as(converted: GraphSpec, read: GraphSpec) -> GraphSpec | None:
    """A converted graph at the sizes of one that is read from it; None where that has a part of its tensors only."""
    shapes: Mapping[str, tuple[int, ...]] = {tensor.name: tensor.shape for tensor in (*read.inputs, *read.outputs)}
    if shapes.keys() != {tensor.name for tensor in (*converted.inputs, *converted.outputs)}:
        return None

    def sized(tensors: Iterable[TensorSpec]) -> tuple[TensorSpec, ...]:
        return tuple(tensor.model_copy(update={"shape": shapes[tensor.name]}) for tensor in tensors)

    return converted.model_copy(update={"inputs": sized(converted.inputs), "outputs": sized(converted.outputs)})
