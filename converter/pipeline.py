"""export(options): checkpoint -> network -> TorchScript -> models -> proof -> published folder."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import Any

from converter.errors import ConversionError, DependencyError, UsageError
from converter.networks import FAMILIES
from converter.spec import ExportOptions

NEEDED = ("torch", "pnnx", "ncnn")
STEM = "lighttrack_{graph}"

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


def check_dependencies() -> None:
    """Raises:
    DependencyError: naming the first package that is not installed.
    """
    for name in NEEDED:
        try:
            found = find_spec(name)
        except (ImportError, ValueError):
            found = None
        if found is None:
            raise DependencyError(f"{name} is not installed: pip install {name}")


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
    # everything that can be refused is refused before torch is imported
    from converter.feeds import noise_feeds, picture_feed
    from converter.publish import Workspace, check_target

    stages = Stages(on_stage)
    dimensions = network_dimensions(options)
    check_target(options.output)
    check_dependencies()
    if not options.checkpoint.is_file():
        _refuse_checkpoint(options.checkpoint)
    graphs = options.network.graph_specs(options.split, dimensions)
    images = _images(graphs)
    feeds = []
    if options.verify:
        feeds = noise_feeds(options.seed, options.network.noise_feeds, images)
        feeds += [picture_feed(path, images, options.network.preprocess) for path in options.images]
    with Workspace(options.output) as workspace, ExitStack() as running:
        with stages("network") as notes:
            from converter.model import load_network
            from converter.trace import multiply_adds, trace

            network = load_network(options, dimensions["stride"])
            notes += [f"{options.arch}, {network.source}", f"{network.parameters:,} parameters"]
        with stages("trace") as notes:
            runs = _start_conversions(options, network.module, graphs, workspace, running, trace)
            notes.append(" and ".join(graph.name for graph in graphs))
        with stages("reference"):
            counts = {graph.name: multiply_adds(network.module, graph) for graph in graphs}
            answers = _reference_answers(network.module, options, images, feeds)
        with stages("convert") as notes:
            files = {name: run.result() for name, run in runs.items()}
            runners = _load(graphs, files)
            notes.append("pnnx, beside the last two stages")
        with stages("verify") as notes:
            verification = _verify(options, graphs, runners, feeds, answers, network.source)
            notes.append(f"on {len(feeds)} inputs" if feeds else "left out")
        with stages("publish") as notes:
            manifest = _publish(options, dimensions, network, graphs, counts, files, verification, workspace)
            notes.append(str(options.output))
    return manifest


def _refuse_checkpoint(path):
    from converter.errors import CheckpointError

    found = "is a folder" if path.is_dir() else "no such file"
    raise CheckpointError(f"checkpoint {path}: {found}, expected a file written by torch.save")


def _images(graphs):
    """The inputs that no graph produces: template and search crop."""
    produced = {tensor.meaning for graph in graphs for tensor in graph.outputs}
    inputs = {tensor.meaning: tensor for graph in graphs for tensor in graph.inputs}
    return tuple(tensor for meaning, tensor in inputs.items() if meaning not in produced)


def _start_conversions(options, module, graphs, workspace, running, trace):
    """Trace the graphs, the longest to convert first, and start pnnx on each as soon as it is traced."""
    from converter.ncnn_export import PnnxRun, write

    runs = {}
    for graph in sorted(graphs, key=lambda graph: -len(graph.inputs)):
        torchscript = trace(module, graph)
        folder = workspace.folder / graph.name
        folder.mkdir()
        stem = STEM.format(graph=graph.name)
        if options.keep_torchscript:
            write(workspace.folder / f"{stem}.pt", torchscript)
        run = PnnxRun(torchscript, graph, folder, stem, options.pnnx_timeout, workspace.process_group)
        running.callback(run.stop)
        runs[graph.name] = run
    return runs


def _reference_answers(module, options, images, feeds):
    from converter.runners.torch_runner import TorchReference

    reference = TorchReference(module, FAMILIES[options.network.family], images)
    return [reference.infer(feed.tensors) for feed in feeds]


def _load(graphs, files):
    from converter.runners.ncnn_runner import NcnnRunner

    return {graph.name: NcnnRunner(files[graph.name].param, files[graph.name].weights, graph) for graph in graphs}


def _verify(options, graphs, runners, feeds, answers, source):
    from converter.verify import Report, verify

    if not options.verify:
        _probe(graphs, runners)
        log.warning("not verified (--no-verify): nothing says that these models answer as the network does")
        return {"status": "unverified", "reason": "--no-verify"}
    tolerances = options.tolerances()
    report = Report(
        tuple(verify("ncnn", graphs, runners, feeds, answers, tolerances, options.network.decision)),
    )
    report.raise_if_failed()
    return {
        "status": "passed",
        "reference": f"unpatched template() and track(), {source}, torch on the CPU",
        "candidate": "ncnn on the CPU, fp32",
        "seed": options.seed,
        "feeds": [feed.name for feed in feeds],
        "tolerances": {name: tolerance.model_dump() for name, tolerance in tolerances.items()},
        "checks": [check.as_dict() for check in report.checks],
    }


def _probe(graphs, runners):
    """One run on zeros: outputs have the declared shapes, and what one graph gives fits the next."""
    import numpy as np

    for graph in graphs:
        zeros = {tensor.name: np.zeros(tensor.shape, np.float32) for tensor in graph.inputs}
        outputs = runners[graph.name].infer(zeros)
        for tensor in graph.outputs:
            if outputs[tensor.name].shape != tensor.shape:
                raise ConversionError(
                    f"ncnn {graph.name}: output {tensor.name!r} has shape {outputs[tensor.name].shape}, "
                    f"expected {tensor.shape}"
                )


def _publish(options, dimensions, network, graphs, counts, files, verification, workspace):
    from converter.manifest import ExportedGraph, build_manifest
    from converter.publish import sha256

    exported = [
        ExportedGraph(graph, "ncnn", (files[graph.name].param, files[graph.name].weights), counts[graph.name])
        for graph in graphs
    ]
    extra = sorted(workspace.folder.glob("*.pt"))
    manifest = build_manifest(options, dimensions, network, exported, extra, verification, sha256)
    workspace.publish([path for graph in exported for path in graph.files] + extra, manifest)
    return manifest
