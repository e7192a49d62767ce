"""Conversions: every graph is traced once, and its files are made from that, side by side."""

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from converter.checks.pictures.pairs import feeds_of_pairs
from converter.exporting.describe import file_metadata
from converter.exporting.plan import Plan
from converter.folder.workspace import Workspace
from converter.formats.format import Conversion, Job, Traced, format_of
from converter.formats.moments import Fed
from converter.formats.source import Source
from converter.network.load import LoadedNetwork
from converter.network.reference import reference_outputs
from converter.network.trace import count, trace
from converter.proof.runner import Runner
from converter.spec.model import Model, TrackerModels
from converter.spec.options import ExportOptions
from converter.spec.tensors import GraphSpec
from converter.util.atomic import write
from converter.util.content import Contents

log = logging.getLogger(__name__)

Runners = Mapping[Model, Runner]


@dataclass(frozen=True)
class Started:
    """What has been traced and goes on by itself.

    Attributes:
        conversions: of every file.
        multiply_adds: of one run of each graph, also of those that are read from another's files.
    """

    conversions: Mapping[Source, Conversion]
    multiply_adds: Mapping[GraphSpec, int]


def start(
    options: ExportOptions,
    network: LoadedNetwork,
    plan: Plan,
    workspace: Workspace,
    contents: Contents,
    running: ExitStack,
) -> Started:
    """Trace every graph once and start its conversions as soon as it is traced.

    Those that go on by themselves come first, and of them the largest.

    Args:
        contents: takes in the traced files that are published too.
    """
    metadata = file_metadata(options, network)
    by_graph: dict[GraphSpec, list[Source]] = {}
    for source in plan.sources:
        by_graph.setdefault(source.graph, []).append(source)
    conversions: dict[Source, Conversion] = {}
    multiply_adds: dict[GraphSpec, int] = {}
    for graph in sorted(by_graph, key=lambda graph: (not _in_background(by_graph[graph]), -_input_size(graph))):
        module, multiply_adds[graph] = trace(network.module, graph)
        traced = Traced(module)
        for source in by_graph[graph]:
            job = Job(traced, source, workspace.folder, options, metadata, workspace.process_group)
            conversion = format_of(source.format).start(job)
            running.callback(conversion.stop)
            conversions[source] = conversion
        if options.keep_torchscript:
            path = workspace.folder / f"{by_graph[graph][0].stem}.pt"
            write(path, traced.torchscript)
            contents.keep(path, traced.torchscript)
    read_only = [graph for graph in plan.trackers[0].all_graphs() if graph not in multiply_adds]
    multiply_adds |= {graph: count(network.module, graph) for graph in read_only}
    return Started(conversions, multiply_adds)


def _in_background(sources: Sequence[Source]) -> bool:
    return any(format_of(source.format).background for source in sources)


def _input_size(graph: GraphSpec) -> int:
    return max(tensor.shape[-1] * tensor.shape[-2] for tensor in graph.inputs)


def finish(conversions: Mapping[Source, Conversion]) -> None:
    """Wait for all files; what this process has to do itself comes before waiting for others."""
    for source in sorted(conversions, key=lambda source: format_of(source.format).background):
        start = time.perf_counter()
        conversions[source].result()
        log.debug("%s %s: %.2f s", source.format, source.graph.name, time.perf_counter() - start)


def share(plan: Plan, folder: Path) -> None:
    """Put the weights of models that are to read one file into that file.

    Raises:
        ConversionError: where they cannot be read so.
    """
    for (format, name), sources in plan.shared.items():
        if sharing := format_of(format).sharing:
            sharing.write(folder, [source.stem for source in sources], name)


def shrink(plan: Plan, network: LoadedNetwork, folder: Path) -> None:
    """Store weights in a byte each, by what the package's pictures bring into every layer.

    Raises:
        ConversionError: where that fails.
    """
    fed: dict[str, dict[tuple[tuple[Path, ...], str], Fed]] = {}
    for tracker in plan.trackers:
        feeds = feeds_of_pairs(tracker)
        outputs = reference_outputs(network.module, tracker, feeds)
        shown = [{**known, **feed.tensors} for feed, known in zip(feeds, outputs, strict=True)]
        for model in tracker.models:
            # one file may serve several graphs, and several sizes, of which the first will do
            stem = Path(model.files[0]).stem
            files = tuple(folder / f"{stem}{suffix}" for suffix in format_of(model.format).suffixes)
            inputs = [{tensor.name: each[tensor.meaning] for tensor in model.graph.inputs} for each in shown]
            fed.setdefault(model.format, {}).setdefault((files, model.graph.name), Fed(files, model.graph, inputs))
    for format, models in fed.items():
        if smaller := format_of(format).shrink:
            smaller(list(models.values()))


def load_models(folder: Path, contents: Contents, trackers: Sequence[TrackerModels]) -> dict[Model, Runner]:
    """Every model in this process, once. Loading is part of the proof that the files are sound.

    Args:
        contents: of the folder; what is loaded stays in it.
    """
    models = dict.fromkeys(model for tracker in trackers for model in tracker.models)
    return {model: format_of(model.format).load(contents.of(model.paths(folder)), model.graph) for model in models}
