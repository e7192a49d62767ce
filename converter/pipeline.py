"""export(options): checkpoint -> network -> TorchScript -> models -> proof -> published folder."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from converter.errors import CheckpointError, ConversionError, UsageError
from converter.formats import FORMATS, Conversion, Job, check_dependencies
from converter.networks import FAMILIES
from converter.spec import ExportOptions, GraphSpec

log = logging.getLogger(__name__)

StageCallback = Callable[[str, float | None, str], None]


class Stages:
    """Tells a callback when a stage begins (seconds None) and ends (seconds, a note).

    Args:
        callback: (name, seconds, note).
    """

    def __init__(self, callback: StageCallback | None = None):
        self._callback = callback or (lambda name, seconds, note: None)

    @contextmanager
    def __call__(self, name: str) -> Iterator[list[str]]:
        """The block is the stage; what it appends to the list becomes the note."""
        start = time.perf_counter()
        notes: list[str] = []
        self._callback(name, None, "")
        yield notes
        self._callback(name, time.perf_counter() - start, ", ".join(notes))


def network_dimensions(options: ExportOptions) -> dict[str, int]:
    """The sizes, stride and cells of the network that the options describe.

    Raises:
        ArchitectureError, UsageError: when they describe none.
    """
    spec = options.network
    if spec.family not in FAMILIES:
        raise UsageError(f"config: unknown family {spec.family!r}, known are {', '.join(FAMILIES)}")
    if spec.search_size < spec.template_size:
        raise UsageError(
            f"--search-size {spec.search_size}: smaller than the template, {spec.template_size}; "
            "expected the larger crop, for example 288 beside 127"
        )
    dimensions = FAMILIES[spec.family].dimensions(spec.path_name, spec.template_size, spec.search_size)
    if options.stride not in (None, dimensions["stride"]):
        raise UsageError(
            f"--stride {options.stride}: the output of path name {spec.path_name} has stride {dimensions['stride']}; "
            f"pass --stride {dimensions['stride']} or leave it out"
        )
    return dimensions


def export(options: ExportOptions, on_stage: StageCallback | None = None) -> dict[str, Any]:
    """Convert a checkpoint, prove the result, publish it.

    Args:
        options: what to export; see :class:`converter.spec.ExportOptions`.
        on_stage: told when a stage begins and ends.

    Returns:
        The manifest of the published folder.

    Raises:
        ConverterError: one of its kinds; nothing was published and the target is as before.
    """
    stages = Stages(on_stage)
    with ExitStack() as running:
        with stages("check"):
            from converter.publish import Workspace

            dimensions, plans, images, feeds = _checked(options)
            graphs = {graph.name: graph for plan in plans.values() for graph in plan}
            workspace = running.enter_context(Workspace(options.output))
        with stages("import") as notes:
            from converter.model import load_network, one_thread
            from converter.trace import multiply_adds

            running.enter_context(one_thread())
            notes.append("torch")
        with stages("network") as notes:
            network = load_network(options, dimensions["stride"])
            notes += [f"{options.arch}, {network.source}", f"{network.parameters:,} parameters"]
        with stages("trace") as notes:
            conversions = _start_conversions(options, network, plans, workspace, running)
            notes.append(", ".join(graphs))
        with stages("reference"):
            counts = {name: multiply_adds(network.module, graph) for name, graph in graphs.items()}
            answers = _reference_answers(network.module, options, images, feeds)
        with stages("convert") as notes:
            files = _finished(conversions)
            runners = _loaded(plans, files)
            notes.append(" and ".join(plans))
        with stages("verify") as notes:
            verification = _verify(options, plans, runners, feeds, answers, network.source)
            notes.append(f"on {len(feeds)} inputs" if feeds else "left out")
        with stages("publish") as notes:
            manifest = _publish(options, dimensions, network, plans, counts, files, verification, workspace)
            notes.append(str(options.output))
    return manifest


def _checked(options):
    """Everything that can be refused is refused here, before torch is imported.

    Returns:
        sizes of the network, format to graphs, the images that the graphs take, what to compare on.
    """
    from converter.publish import check_target

    dimensions = network_dimensions(options)
    plans = {name: options.network.graph_specs(options.split_of(name), dimensions) for name in options.formats}
    images = _images(plans)
    check_target(options.output)
    check_dependencies(options)
    _check_checkpoint(options.checkpoint)
    return dimensions, plans, images, _feeds(options, images)


def _check_checkpoint(path):
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "no such file"
        raise CheckpointError(f"checkpoint {path}: {found}, expected a file written by torch.save")


def _images(plans):
    """The inputs that no graph produces: template and search crop."""
    graphs = [graph for plan in plans.values() for graph in plan]
    produced = {tensor.meaning for graph in graphs for tensor in graph.outputs}
    inputs = {tensor.meaning: tensor for graph in graphs for tensor in graph.inputs}
    return tuple(tensor for meaning, tensor in inputs.items() if meaning not in produced)


def _feeds(options, images):
    """What to compare on; nothing where nothing is compared."""
    from converter.feeds import noise_feeds, picture_feed

    if not options.verify:
        return []
    noise = noise_feeds(options.seed, options.network.noise_feeds, images)
    return noise + [picture_feed(path, images, options.network.preprocess) for path in options.images]


def _start_conversions(options, network, plans, workspace, running) -> dict[tuple[str, str], Conversion]:
    """Trace every graph once and start its conversions as soon as it is traced.

    Those that go on by themselves come first, and of them the largest.
    """
    from converter.files import write
    from converter.manifest import file_metadata
    from converter.trace import trace

    metadata = file_metadata(options, network)
    graphs = {graph.name: graph for plan in plans.values() for graph in plan}
    conversions = {}
    for graph in sorted(graphs.values(), key=lambda graph: (not _in_background(graph, plans), -_input_size(graph))):
        traced = trace(network.module, graph)
        job = Job(traced, graph, workspace.folder, options, metadata, workspace.process_group)
        for name in (name for name, plan in plans.items() if graph in plan):
            conversion = FORMATS[name].start(job)
            running.callback(conversion.stop)
            conversions[name, graph.name] = conversion
        if options.keep_torchscript:
            write(workspace.folder / f"{job.stem}.pt", job.torchscript)
    return conversions


def _in_background(graph, plans):
    return any(FORMATS[name].background for name, plan in plans.items() if graph in plan)


def _input_size(graph: GraphSpec) -> int:
    return max(tensor.shape[-1] * tensor.shape[-2] for tensor in graph.inputs)


def _finished(conversions) -> dict[tuple[str, str], tuple[Path, ...]]:
    """The files of every conversion; what this process has to do itself comes before waiting for others."""
    files = {}
    for name, graph in sorted(conversions, key=lambda key: FORMATS[key[0]].background):
        start = time.perf_counter()
        files[name, graph] = conversions[name, graph].result()
        log.debug("%s %s: %.2f s", name, graph, time.perf_counter() - start)
    return files


def _loaded(plans, files):
    """Format to graph to what runs it; loading is part of the proof that the files are sound."""
    return {
        name: {graph.name: FORMATS[name].load(files[name, graph.name], graph) for graph in plan}
        for name, plan in plans.items()
    }


def _reference_answers(module, options, images, feeds):
    from converter.runners.torch_runner import TorchReference

    reference = TorchReference(module, FAMILIES[options.network.family], images)
    return [reference.infer(feed.tensors) for feed in feeds]


def _verify(options, plans, runners, feeds, answers, source):
    from converter.verify import Report, verify

    if not options.verify:
        for name, plan in plans.items():
            _probe(name, plan, runners[name])
        log.warning("not verified (--no-verify): nothing says that these models answer as the network does")
        return {"status": "unverified", "reason": "--no-verify"}
    tolerances = options.tolerances()
    checks = [
        check
        for name, plan in plans.items()
        for check in verify(name, plan, runners[name], feeds, answers, tolerances, options.network.decision)
    ]
    Report(tuple(checks)).raise_if_failed()
    return {
        "status": "passed",
        "reference": f"unpatched template() and track(), {source}, torch on the CPU",
        "candidates": {name: FORMATS[name].runtime for name in plans},
        "seed": options.seed,
        "feeds": [feed.name for feed in feeds],
        "tolerances": {name: tolerance.model_dump() for name, tolerance in tolerances.items()},
        "checks": [check.as_dict() for check in checks],
    }


def _probe(format, graphs, runners):
    """One run on zeros: outputs have the declared shapes, and what one graph gives fits the next."""
    import numpy as np

    for graph in graphs:
        zeros = {tensor.name: np.zeros(tensor.shape, np.float32) for tensor in graph.inputs}
        outputs = runners[graph.name].infer(zeros)
        for tensor in graph.outputs:
            if outputs[tensor.name].shape != tensor.shape:
                raise ConversionError(
                    f"{format} {graph.name}: output {tensor.name!r} has shape {outputs[tensor.name].shape}, "
                    f"expected {tensor.shape}"
                )


def _publish(options, dimensions, network, plans, counts, files, verification, workspace):
    from converter.files import sha256
    from converter.manifest import ExportedGraph, build_manifest

    exported = [
        ExportedGraph(graph, name, files[name, graph.name], counts[graph.name])
        for name, plan in plans.items()
        for graph in plan
    ]
    extra = sorted(workspace.folder.glob("*.pt"))
    packages = ["torch", "numpy", *(package for name in plans for package in FORMATS[name].packages)]
    manifest = build_manifest(options, dimensions, network, exported, extra, verification, sha256, packages)
    workspace.publish([path for graph in exported for path in graph.files] + extra, manifest)
    return manifest
