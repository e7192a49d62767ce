"""What the blobs and files of an export are called."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from converter.errors import UsageError, did_you_mean
from converter.spec.network import NetworkSpec
from converter.spec.tensors import Frozen, GraphSpec, TensorSpec


class Naming(Frozen):
    """Names that differ from the config's.

    Attributes:
        blobs: graph to {tensor of the config: its name in the files}.
        files: graph to file name without extension.
    """

    blobs: dict[str, dict[str, str]] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)

    def named(self, graph: GraphSpec) -> GraphSpec:
        """A graph of the config under these names."""
        names = self.blobs.get(graph.name, {})

        def renamed(tensors: Iterable[TensorSpec]) -> tuple[TensorSpec, ...]:
            return tuple(
                tensor.model_copy(update={"name": names.get(tensor.meaning, tensor.name)}) for tensor in tensors
            )

        return graph.model_copy(update={"inputs": renamed(graph.inputs), "outputs": renamed(graph.outputs)})

    def stem(self, graph: str, prefix: str) -> str:
        """The name of a graph's file without extension.

        Args:
            prefix: of the names that are not given.
        """
        return self.files.get(graph, f"{prefix}_{graph}")


@dataclass(frozen=True)
class Rename:
    """``[graph:]old=new`` from the command line."""

    text: str
    graph: str | None
    old: str
    new: str


def parse_rename(text: str, graphs: Iterable[str]) -> Rename:
    """Read ``cls=score`` or ``init:zf=output.1``.

    Raises:
        UsageError: for another form.
    """
    old, equals, new = text.partition("=")
    before, colon, behind = old.partition(":")
    graph = before if colon and before in graphs else None
    old = behind if graph else old
    if not (equals and old and new):
        raise UsageError(f"--rename {text}: expected OLD=NEW, for example cls=output.1 or init:zf=output.1")
    return Rename(text, graph, old, new)


def renamed(naming: Naming, network: NetworkSpec, graphs: Sequence[str], renames: Sequence[Rename]) -> Naming:
    """The names with those of the user put in, all at once.

    Args:
        graphs: of the config, those that are converted.
        renames: ``old`` is a name in ``naming`` or, where none is called so, a tensor of the config.

    Raises:
        UsageError: when no graph has a tensor of that name, or one gets two.
    """
    before = {graph: _names(naming, network, graph) for graph in graphs}
    after = {graph: dict(names) for graph, names in naming.blobs.items()}
    by_tensor: dict[tuple[str, str], Rename] = {}
    for rename in renames:
        for graph, meaning in _meant(rename, before):
            earlier = by_tensor.setdefault((graph, meaning), rename)
            if earlier.new != rename.new:
                raise UsageError(
                    f"--rename {earlier.text} and --rename {rename.text} both name the tensor {meaning} of {graph}"
                )
            after.setdefault(graph, {})[meaning] = rename.new
    return naming.model_copy(update={"blobs": after})


def _names(naming: Naming, network: NetworkSpec, graph: str) -> dict[str, str]:
    meanings = (*network.inputs_of(graph), *network.graphs[graph].outputs)
    return {meaning: naming.blobs.get(graph, {}).get(meaning, meaning) for meaning in meanings}


def _meant(rename: Rename, before: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str]]:
    """(graph, tensor) of everything that a rename is about."""
    among = {graph: names for graph, names in before.items() if rename.graph in (None, graph)}
    if not among:
        raise UsageError(f"--rename {rename.text}: no graph {rename.graph} in this export, only {', '.join(before)}")
    by_name = [(graph, key) for graph, names in among.items() for key, name in names.items() if name == rename.old]
    by_meaning = [(graph, key) for graph, names in among.items() for key in names if key == rename.old]
    if not (by_name or by_meaning):
        raise UsageError(_no_such_name(rename, {graph: list(names.values()) for graph, names in among.items()}))
    return by_name or by_meaning


def _no_such_name(rename: Rename, names: Mapping[str, list[str]]) -> str:
    """That nothing is called so, and what probably was meant."""
    nearest = did_you_mean(rename.old, with_graphs(names))
    if not nearest and any(rename.new in of_graph for of_graph in names.values()):
        nearest = f"; did you mean {rename.new}={rename.old}?"
    expected = "; ".join(f"{graph}: {', '.join(of_graph)}" for graph, of_graph in names.items())
    return f"--rename {rename.text}: no input or output is called {rename.old!r}, known are {expected}{nearest}"


def with_graphs(names: Mapping[str, Iterable[str]]) -> list[str]:
    """What a rename can name: every name, and every one with the graph before it."""
    return [way for graph, of_graph in names.items() for name in of_graph for way in (name, f"{graph}:{name}")]


def check_names(format: str, legal: re.Pattern[str], rule: str, files: Iterable[tuple[str, GraphSpec]]) -> None:
    """Refuse names that a format does not take, or that two tensors or files share.

    Args:
        legal, rule: what it takes, as a pattern and in words.
        files: name without extension and what is converted, of every file once.

    Raises:
        UsageError: naming the first.
    """
    stems: dict[str, str] = {}
    for stem, graph in files:
        taken: dict[str, str] = {}
        for tensor in (*graph.inputs, *graph.outputs):
            if not legal.fullmatch(tensor.name):
                raise UsageError(
                    f"{graph.name}: {tensor.name[:60]!r} is no name for {tensor.meaning} in {format}, expected {rule}"
                )
            if (other := taken.setdefault(tensor.name, tensor.meaning)) != tensor.meaning:
                raise UsageError(
                    f"{graph.name}: {other} and {tensor.meaning} would both be called {tensor.name!r} in one {format} "
                    "graph; rename one of them"
                )
        if (other := stems.setdefault(stem.lower(), graph.name)) != graph.name:
            raise UsageError(f"{other} and {graph.name} would both be the file {stem}; choose other file names")
