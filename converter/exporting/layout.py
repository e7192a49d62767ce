"""Which models an export consists of, and what a device runs with them: graph by graph, for every search size."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from converter.errors import UsageError
from converter.exporting.plan import image_inputs, network_dimensions
from converter.formats.ncnn.release import SHAPE_EXPRESSIONS
from converter.proof.feeds import Feed
from converter.spec.dimensions import Dimensions
from converter.spec.naming import check_names
from converter.spec.network import GraphSpec, NetworkSpec, TensorSpec
from converter.spec.options import ExportOptions

Item = TypeVar("Item")


@dataclass(frozen=True)
class ModelFile:
    """One model to convert.

    Attributes:
        format: of it.
        stem: its file name without extension.
        graph: what is converted, under the names of its blobs.
        other: the same at another search size, when it has to serve several; None otherwise.
    """

    format: str
    stem: str
    graph: GraphSpec
    other: GraphSpec | None = None


@dataclass(frozen=True)
class Use:
    """A graph as a device runs it, and the model that it is run with."""

    graph: GraphSpec
    file: ModelFile


def at_sizes(feed: Feed, network: NetworkSpec) -> Feed:
    """A feed among others of other sizes, called by its own."""
    return replace(feed, name=f"{feed.name} at {network.template_size}/{network.search_size}")


@dataclass(frozen=True)
class Setup:
    """Everything at one search size.

    Attributes:
        network: the config at this size.
        dimensions: of it.
        images: the template and the search crop.
        uses: format to its graphs, in the order in which a device runs them.
    """

    network: NetworkSpec
    dimensions: Dimensions
    images: tuple[TensorSpec, ...]
    uses: dict[str, tuple[Use, ...]]

    def graphs(self, format: str) -> tuple[GraphSpec, ...]:
        return tuple(use.graph for use in self.uses[format])

    def all_graphs(self) -> list[GraphSpec]:
        """Of every format, each once."""
        return list(dict.fromkeys(graph for format in self.uses for graph in self.graphs(format)))


def with_other_graphs(items: Iterable[Item], graphs_of: Callable[[Item], Iterable[GraphSpec]]) -> list[Item]:
    """Those that have a graph which none before has: a graph that serves several sizes is there at its first only."""
    seen: set[str] = set()
    found = []
    for item in items:
        names = {graph.name for graph in graphs_of(item)}
        if names - seen:
            found.append(item)
        seen |= names
    return found


def setups(options: ExportOptions) -> tuple[Setup, ...]:
    """What is to be made, the network's own search size first.

    Raises:
        ArchitectureError, UsageError: when it cannot be.
    """
    networks = [options.network.at(*size) for size in sizes(options)]
    dimensions = [network_dimensions(options.model_copy(update={"network": network})) for network in networks]
    uses = {format: _uses(options, format, dimensions) for format in options.formats}
    for format, of_sizes in uses.items():
        files = dict.fromkeys(use.file for of_size in of_sizes for use in of_size)
        check_names(format, [(file.stem, file.graph) for file in files])
    return tuple(
        Setup(
            network,
            numbers,
            image_inputs(use.graph for of_sizes in uses.values() for use in of_sizes[index]),
            {format: of_sizes[index] for format, of_sizes in uses.items()},
        )
        for index, (network, numbers) in enumerate(zip(networks, dimensions, strict=True))
    )


def sizes(options: ExportOptions) -> list[tuple[int, int]]:
    """Template and search sizes that the models are to serve, the network's own first.

    Raises:
        UsageError: as :func:`search_sizes`.
    """
    template, searched = options.network.template_size, search_sizes(options)
    others = {
        size
        for format in options.formats
        if (one := options.network.one_file.get(options.split_of(format)))
        for size in one.template_sizes
        if _cells(options, size) == _cells(options, template)
    }
    return [(template, size) for size in searched] + [(other, searched[0]) for other in sorted(others - {template})]


def _cells(options, template_size):
    network = options.network.at(template_size, max(template_size, options.network.search_size))
    return network_dimensions(options.model_copy(update={"network": network})).template_cells


def search_sizes(options: ExportOptions) -> tuple[int, ...]:
    """All that the models are to serve, the network's own first.

    Raises:
        UsageError: when the config has none for ``--dynamic-search``, or the models cannot have several.
    """
    own = options.network.search_size
    if options.dynamic_search:
        if "ncnn" in options.formats and options.oldest_ncnn and options.oldest_ncnn < SHAPE_EXPRESSIONS:
            raise UsageError(
                f"--dynamic-search: ncnn {options.oldest_ncnn} is too old for it, expected {SHAPE_EXPRESSIONS} or "
                "later; give it a model for each --search-size, or pass --oldest-ncnn of the runtime it will have"
            )
        served = options.network.dynamic_search
        if not served:
            raise UsageError(f"--dynamic-search: {options.arch} has no other search sizes; leave it out")
        if len(options.search_sizes) > 1:
            raise UsageError(
                "--dynamic-search serves every search size; give --search-size once, for the first, or not"
            )
        if own not in served:
            raise UsageError(
                f"--search-size {own} with --dynamic-search: expected one of {', '.join(map(str, served))}"
            )
        return own, *(size for size in served if size != own)
    sizes = tuple(dict.fromkeys(options.search_sizes or (own,)))
    if len(sizes) > 1 and options.network.one_size:
        raise UsageError(
            f"--search-size {' and '.join(map(str, sizes))}: weights of this network are of one size; give it once"
        )
    one = [split for format in options.formats if (split := options.split_of(format)) in options.network.one_file]
    if len(sizes) > 1 and one:
        raise UsageError(
            f"--split {one[0]} with search sizes {', '.join(map(str, sizes))}: it is one file; "
            "pass --dynamic-search, or one --search-size at a time"
        )
    return sizes


def _uses(options, format, dimensions) -> list[tuple[Use, ...]]:
    """For every size the graphs of the format's split."""
    network, split = options.network, options.split_of(format)
    one = network.one_file.get(split)
    if one and format != "ncnn":
        others = " or ".join(name for name in network.splits if name not in network.one_file)
        raise UsageError(f"--split {split}: expected {others} for {format}; only ncnn runs part of a graph")
    if one:
        return [_of_one_file(options, format, one, numbers, dimensions) for numbers in dimensions]
    of_sizes = [network.graph_specs(split, numbers) for numbers in dimensions]
    by_graph = [_of_graph(options, format, graphs, dimensions) for graphs in zip(*of_sizes, strict=True)]
    return list(zip(*by_graph, strict=True))


def _of_graph(options, format, graphs: Sequence[GraphSpec], dimensions) -> list[Use]:
    """One graph at every size: a single model where the size makes no difference, or one that serves all."""
    stem = options.naming.stem(graphs[0].name)
    named = [options.naming.named(graph) for graph in graphs]
    if len(set(named)) == 1 or options.dynamic_search:
        file = ModelFile(format, stem, named[0], _other(named))
        return [Use(graph, file) for graph in named]
    names = [f"{graph.name}_{numbers.search_size}" for graph, numbers in zip(named, dimensions, strict=True)]
    stems = [f"{stem}_{numbers.search_size}" for numbers in dimensions]
    sized = [graph.model_copy(update={"name": name}) for graph, name in zip(named, names, strict=True)]
    return [Use(graph, ModelFile(format, stem, graph)) for graph, stem in zip(sized, stems, strict=True)]


def _other(graphs: Sequence[GraphSpec]) -> GraphSpec | None:
    """The first that is not as the first of all."""
    return next((graph for graph in graphs if graph != graphs[0]), None)


def _of_one_file(options, format, one, numbers, dimensions) -> tuple[Use, ...]:
    """The graphs of a split that are read from one model; a tensor is the blob of the one it stands for."""
    network = options.network
    named = [options.naming.named(network.graph_spec(one.graph, each)) for each in dimensions]
    file = ModelFile(format, options.naming.stem(one.graph), named[0], _other(named))
    blobs = {tensor.meaning: tensor.name for tensor in (*named[0].inputs, *named[0].outputs)}
    uses = []
    for name in network.splits[options.split_of(format)]:
        graph, reads = network.graph_spec(name, numbers), one.reads.get(name, {})

        def read(tensors: Iterable[TensorSpec], reads=reads) -> tuple[TensorSpec, ...]:
            return tuple(
                tensor.model_copy(update={"name": blobs[reads.get(tensor.meaning, tensor.meaning)]})
                for tensor in tensors
            )

        uses.append(Use(graph.model_copy(update={"inputs": read(graph.inputs), "outputs": read(graph.outputs)}), file))
    return tuple(uses)
