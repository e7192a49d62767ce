"""Converted graphs: each as one :class:`Model`, and those that make up a tracker at one size."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from converter.spec.dimensions import Dimensions
from converter.spec.network import NetworkSpec
from converter.spec.tensors import GraphSpec, TensorSpec

Item = TypeVar("Item")


@dataclass(frozen=True)
class Model:
    """One graph in one format.

    Attributes:
        graph: its inputs and outputs; a tensor's name is that of its blob in the files.
        format: the name of one.
        files: their names, relative to the folder that the model is loaded from; known before they are written.
        names_from: who says which blob is which tensor: "manifest", "names", "trial" or "--rename".
    """

    graph: GraphSpec
    format: str
    files: tuple[str, ...]
    names_from: str = "manifest"

    def paths(self, folder: Path) -> tuple[Path, ...]:
        return tuple(folder / name for name in self.files)

    def __str__(self) -> str:
        return f"{self.format} {self.graph.name}"


@dataclass(frozen=True)
class TrackerModels:
    """The models of a tracker at one template and one search size.

    Attributes:
        network: at these sizes.
        dimensions: of it.
        models: format by format, in the order in which a device runs them.
    """

    network: NetworkSpec
    dimensions: Dimensions
    models: tuple[Model, ...]

    @property
    def images(self) -> tuple[TensorSpec, ...]:
        """The template and the search crop, and their masks where the graphs take some."""
        return self.network.images(self.dimensions)

    @property
    def formats(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(model.format for model in self.models))

    def of(self, format: str) -> tuple[Model, ...]:
        return tuple(model for model in self.models if model.format == format)

    def graphs(self, format: str) -> tuple[GraphSpec, ...]:
        return tuple(model.graph for model in self.of(format))

    def all_graphs(self) -> tuple[GraphSpec, ...]:
        """Of every format, each once."""
        return tuple(dict.fromkeys(model.graph for model in self.models))

    def missing(self, splits: Mapping[str, str | None]) -> dict[str, tuple[str, ...]]:
        """Format -> the graphs that it lacks for a whole tracker; only formats that lack some.

        Args:
            splits: format -> the split that its graphs are of, where it is known.
        """
        modes = {name: {graph.mode for graph in self.graphs(name)} for name in splits}
        lacking = {name: self.network.missing_graphs(modes[name], split) for name, split in splits.items()}
        return {name: graphs for name, graphs in lacking.items() if graphs}


def with_other_graphs(items: Iterable[Item], graphs_of: Callable[[Item], Iterable[GraphSpec]]) -> list[Item]:
    """Those that have a graph which none before has: a graph that serves several sizes is there at its first only."""
    seen: set[str] = set()
    kept = []
    for item in items:
        names = {graph.name for graph in graphs_of(item)}
        if names - seen:
            kept.append(item)
        seen |= names
    return kept
