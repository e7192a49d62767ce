"""Splits some of whose graphs are read from the files of another."""

from collections.abc import Iterable, Mapping

from pydantic import Field

from converter.spec.tensors import Frozen, GraphSpec, Size, TensorSpec


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
