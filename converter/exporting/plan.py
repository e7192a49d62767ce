"""Which models an export consists of: graph by graph, for every template and search size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from converter.errors import UsageError
from converter.families.dimensions import dimensions_of
from converter.formats.format import format_names, format_of
from converter.formats.source import Source
from converter.spec.choices import BYTES
from converter.spec.dimensions import Dimensions
from converter.spec.model import Model, TrackerModels
from converter.spec.naming import check_names
from converter.spec.options import ExportOptions
from converter.spec.read_from import ReadFrom, sized_as
from converter.spec.tensors import GraphSpec

Made = tuple[GraphSpec, Source]  # a graph as it is run, and what its files are made from


@dataclass(frozen=True)
class Plan:
    """What is to be made.

    Attributes:
        trackers: the models at every size, the network's own first.
        sources: what they are made from; each gives the files of one or several models.
        shared: format and name of a weights file -> whose weights go into it.
    """

    trackers: tuple[TrackerModels, ...]
    sources: tuple[Source, ...]
    shared: Mapping[tuple[str, str], tuple[Source, ...]] = field(default_factory=dict)

    @property
    def graphs(self) -> tuple[GraphSpec, ...]:
        """Of every size and format, each once."""
        return tuple(dict.fromkeys(graph for tracker in self.trackers for graph in tracker.all_graphs()))


def plan_export(options: ExportOptions) -> Plan:
    """Raises:
    ArchitectureError, UsageError: when it cannot be made.
    """
    for format in options.formats:
        format_of(format).check(options)
        if options.precision == BYTES and format_of(format).shrink is None:
            others = " or ".join(name for name in format_names() if format_of(name).shrink)
            raise UsageError(
                f"--precision {BYTES}: {format} files cannot hold such weights, expected {others}; leave it out"
            )
    networks = [options.network.at(*size) for size in sizes(options)]
    dimensions = [dimensions_of(network, options.stride) for network in networks]
    made = {format: _made(options, format, dimensions) for format in options.formats}
    for format, of_sizes in made.items():
        sources = dict.fromkeys(source for of_size in of_sizes for _, source in of_size)
        form = format_of(format)
        check_names(format, form.legal, form.rule, [(source.stem, source.graph) for source in sources])
    weights = shared_weights(options, made) if options.share_weights else {}
    trackers = tuple(
        TrackerModels(
            *(network, numbers),
            tuple(_model(*each, weights) for of_sizes in made.values() for each in of_sizes[index]),
        )
        for index, (network, numbers) in enumerate(zip(networks, dimensions, strict=True))
    )
    by_size = [source for index in range(len(networks)) for of_sizes in made.values() for _, source in of_sizes[index]]
    shared: dict[tuple[str, str], tuple[Source, ...]] = {}
    for source, name in weights.items():
        shared[source.format, name] = (*shared.get((source.format, name), ()), source)
    return Plan(trackers, tuple(dict.fromkeys(by_size)), shared)


def _model(graph: GraphSpec, source: Source, weights: Mapping[Source, str]) -> Model:
    first, *others = (f"{source.stem}{suffix}" for suffix in format_of(source.format).suffixes)
    return Model(graph, source.format, (first, weights[source]) if source in weights else (first, *others))


def shared_weights(options: ExportOptions, made: Mapping[str, Sequence[Sequence[Made]]]) -> dict[Source, str]:
    """The name of the weights file that each model reads.

    Where a runtime reads such a file from its start, one serves the graphs that take a crop, for they hold the
    backbone, and a graph that takes features only has its own.

    Args:
        made: format to the graphs of every size.

    Raises:
        UsageError: for models that cannot share, or have nothing to.
    """
    network, files = options.network, dict[Source, str]()
    for format, of_sizes in made.items():
        split, sharing = options.split_of(format), format_of(format).sharing
        if sharing is None:
            raise UsageError(f"--share-weights: expected ncnn or onnx, each {format} model holds its own; leave it out")
        if split in network.read_from:
            raise UsageError(f"--share-weights: --split {split} has every weight once already; leave one of them out")
        if options.naming.files:
            raise UsageError(
                f"--share-weights: the consumer of --preset {options.preset} loads weights by the names of its models; "
                "leave one of them out"
            )
        names = network.splits[split]
        given = {tensor.meaning for graph, _ in of_sizes[0] for tensor in graph.outputs}
        for name, (graph, source) in (pair for of_size in of_sizes for pair in zip(names, of_size, strict=True)):
            whole = any(tensor.meaning not in given for tensor in graph.inputs if tensor.mask_of is None)
            own = options.naming.stem(name, network.file_prefix)
            files[source] = f"{network.file_prefix if whole or not sharing.from_start else own}{sharing.suffix}"
    return files


def sizes(options: ExportOptions) -> list[tuple[int, int]]:
    """Template and search sizes that the models are to serve, the network's own first.

    Raises:
        UsageError: as :func:`search_sizes`.
    """
    template, searched = options.network.template_size, search_sizes(options)
    others = {
        size
        for format in options.formats
        if (read := options.network.read_from.get(options.split_of(format)))
        for size in read.template_sizes
        if _cells(options, size) == _cells(options, template)
    }
    return [(template, size) for size in searched] + [(other, searched[0]) for other in sorted(others - {template})]


def _cells(options: ExportOptions, template_size: int) -> int:
    network = options.network.at(template_size, max(template_size, options.network.search_size))
    return dimensions_of(network, options.stride).template_cells


def search_sizes(options: ExportOptions) -> tuple[int, ...]:
    """All that the models are to serve, the network's own first.

    Raises:
        UsageError: when the config has none for ``--dynamic-search``, or the models cannot have several.
    """
    own = options.network.search_size
    if options.dynamic_search:
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
    network, splits = options.network, map(options.split_of, options.formats)
    if len(sizes) > 1 and (split := next((split for split in splits if split in network.read_from), None)):
        subject = "it" if len(network.converted(split)) == 1 else f"its {network.read_from[split].graph}"
        raise UsageError(
            f"--split {split} with search sizes {', '.join(map(str, sizes))}: {subject} is one file; "
            "pass --dynamic-search, or one --search-size at a time"
        )
    return sizes


def _made(options: ExportOptions, format: str, dimensions: Sequence[Dimensions]) -> list[tuple[Made, ...]]:
    """For every size the graphs of the format's split."""
    network, split = options.network, options.split_of(format)
    of_sizes = [network.graph_specs(split, numbers) for numbers in dimensions]
    read = network.read_from.get(split)
    shared = _read(options, format, read, of_sizes, dimensions) if read else {}
    by_graph = [
        shared.get(graphs[0].name) or _of_graph(options, format, graphs, dimensions)
        for graphs in zip(*of_sizes, strict=True)
    ]
    return list(zip(*by_graph, strict=True))


def _of_graph(
    options: ExportOptions, format: str, graphs: Sequence[GraphSpec], dimensions: Sequence[Dimensions]
) -> list[Made]:
    """One graph at every size: a single model where the size makes no difference, or one that serves all."""
    stem = options.naming.stem(graphs[0].name, options.network.file_prefix)
    named = [options.naming.named(graph) for graph in graphs]
    if len(set(named)) == 1 or options.dynamic_search:
        source = Source(format, stem, named[0], _other(named))
        return [(graph, source) for graph in named]
    names = [f"{graph.name}_{numbers.search_size}" for graph, numbers in zip(named, dimensions, strict=True)]
    stems = [f"{stem}_{numbers.search_size}" for numbers in dimensions]
    sized = [graph.model_copy(update={"name": name}) for graph, name in zip(named, names, strict=True)]
    return [(graph, Source(format, stem, graph)) for graph, stem in zip(sized, stems, strict=True)]


def _other(graphs: Sequence[GraphSpec]) -> GraphSpec | None:
    """The first that is not as the first of all."""
    return next((graph for graph in graphs if graph != graphs[0]), None)


def _read(
    options: ExportOptions,
    format: str,
    read: ReadFrom,
    of_sizes: Sequence[Sequence[GraphSpec]],
    dimensions: Sequence[Dimensions],
) -> dict[str, list[Made]]:
    """The graphs of a split that are read from one model, at every size.

    Raises:
        UsageError: for a graph that is a part of the model where the format's runtime runs whole ones only.
    """
    network = options.network
    converted = [options.naming.named(network.graph_spec(read.graph, numbers)) for numbers in dimensions]
    graphs = [
        [read.read(graph, first) for graph in of_size if graph.name in (*read.reads, read.graph)]
        for first, of_size in zip(converted, of_sizes, strict=True)
    ]
    sized = [sized_as(converted[0], graph) for of_size in graphs for graph in of_size]
    if None in sized and not format_of(format).part_of_graph:
        others = " or ".join(name for name in network.splits if name not in network.read_from)
        split = options.split_of(format)
        raise UsageError(f"--split {split}: expected {others} for {format}, whose runtime runs whole graphs only")
    other = _other([*converted, *(graph for graph in sized if graph)])
    source = Source(format, options.naming.stem(read.graph, network.file_prefix), converted[0], other)
    return {of_one[0].name: [(graph, source) for graph in of_one] for of_one in zip(*graphs, strict=True)}
