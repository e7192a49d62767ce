"""export(options): checkpoint -> network -> TorchScript -> models -> proof -> published folder."""

import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.errors import ConversionError, UsageError, VerificationError
from converter.formats import FORMATS, Conversion, Job, check_dependencies
from converter.plan import (
    StageCallback,
    Stages,
    check_checkpoint,
    image_inputs,
    network_dimensions,
    reference_answers,
    reference_words,
)
from converter.spec import ExportOptions, GraphSpec

log = logging.getLogger(__name__)


@dataclass
class Made:
    """What a finished export consists of.

    Attributes:
        dimensions: the numbers behind the names in the config's shapes.
        network: a :class:`converter.model.LoadedNetwork`.
        graphs: every :class:`converter.manifest.ExportedGraph`.
        verification: the proof's figures, or that there are none.
        protected: ncnn graph to layers without half arithmetic; None where nobody asked for it.
        arm: what the emulated ARM cpu computed; None where nobody asked for it.
        golden: the index of the golden vectors.
    """

    dimensions: dict[str, int]
    network: Any
    graphs: list[Any]
    verification: dict[str, Any]
    protected: dict[str, tuple[str, ...]] | None = None
    arm: dict[str, Any] | None = None
    golden: dict[str, Any] | None = None


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
            from converter.manifest import ExportedGraph
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
            answers = reference_answers(network.module, options.network.family, images, feeds)
        with stages("convert") as notes:
            files = _finished(conversions)
            runners = _loaded(plans, files)
            notes.append(" and ".join(plans))
        protected = None
        if options.protect_fp16:
            with stages("half") as notes:
                protected = _protect(plans, files, runners, feeds, answers)
                notes.append(f"{sum(map(len, protected.values()))} layers without half arithmetic")
        with stages("verify") as notes:
            verification = _verify(options, plans, runners, feeds, answers, reference_words(network))
            notes.append(f"on {len(feeds)} inputs" if feeds else "left out")
        exported = [
            ExportedGraph(graph, name, files[name, graph.name], counts[graph.name])
            for name, plan in plans.items()
            for graph in plan
        ]
        made = Made(dimensions, network, exported, verification, protected)
        if options.arm:
            made.arm = _on_arm(options, plans, files, feeds, answers, dimensions, stages)
        if options.golden:
            with stages("golden") as notes:
                made.golden = _golden(options, made, graphs.values(), feeds, answers, workspace)
                notes.append(str(options.golden))
        with stages("publish") as notes:
            manifest = _publish(options, made, workspace)
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
    images = image_inputs(graph for plan in plans.values() for graph in plan)
    check_target(options.output)
    if options.golden:
        from converter.vectors import place_for

        place_for(options.golden, options.output)
    for option, given in (
        *(("--golden", options.golden), ("--protect-fp16", options.protect_fp16)),
        ("--runtime ncnn-arm64", options.arm),
    ):
        if given and not options.verify:
            raise UsageError(f"{option} wants the proof's inputs and answers; leave --no-verify out")
    for option, given in (("--protect-fp16", options.protect_fp16), ("--runtime ncnn-arm64", options.arm)):
        if given and "ncnn" not in options.formats:
            raise UsageError(f"{option} is about ncnn models; add --format ncnn")
    if options.arm:
        from converter.arm.job import check_tolerances
        from converter.arm.root import arm_root

        arm_root(options.arm.root)
        check_tolerances(options.network, options.arm.modes)
    check_dependencies(options)
    check_checkpoint(options.checkpoint)
    return dimensions, plans, images, _feeds(options, images)


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


def _verify(options, plans, runners, feeds, answers, reference):
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
        "reference": reference,
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


def _protect(plans, files, runners, feeds, answers) -> dict[str, tuple[str, ...]]:
    """Switch half arithmetic off in the ncnn layers that need it; what runs the graphs is loaded anew."""
    from converter.half.analysis import fp16_report
    from converter.half.masks import protect_files

    graphs = plans["ncnn"]
    paths = {graph.name: files["ncnn", graph.name] for graph in graphs}
    report = fp16_report(paths, graphs, runners["ncnn"], feeds, answers)
    changed = protect_files({name: param for name, (param, _) in paths.items()}, report.protect)
    for line in report.advice():
        log.warning("half precision: %s", line)
    runners["ncnn"] = {graph.name: FORMATS["ncnn"].load(paths[graph.name], graph) for graph in graphs}
    return changed


def _on_arm(options, plans, files, feeds, answers, dimensions, stages) -> dict[str, Any]:
    """The ncnn models on the emulated ARM cpu, a gate of its own."""
    from converter.arm.job import arm_job
    from converter.arm.root import read_root
    from converter.arm.run import check_arm

    models = [(graph, files["ncnn", graph.name]) for graph in plans["ncnn"]]
    groups = [(models, feeds, answers)]
    job = arm_job(read_root(options.arm.root), options.arm, options.network, dimensions["stride"], groups)
    section = check_arm(job, stages)
    if not section:
        raise VerificationError(f"{section.failure()}; nothing was published", result={"arm": section.as_dict()})
    return section.as_dict()


def _golden(options, made, graphs, feeds, answers, workspace):
    from converter.golden import golden_header
    from converter.manifest import about_network
    from converter.vectors import make_vectors

    spec = options.network
    about = about_network(options.arch, spec, made.dimensions, made.network)
    header = golden_header(about, reference_words(made.network), options.precision, options.tolerances())
    folder = workspace.folder / "golden"
    return make_vectors(folder, header, made.network.module, list(graphs), feeds, answers, spec.intermediates)


def _publish(options, made, workspace):
    from converter.files import sha256
    from converter.manifest import build_manifest
    from converter.vectors import place_for, publish_vectors

    extra = sorted(workspace.folder.glob("*.pt"))
    packages = ["torch", "numpy", *(package for name in options.formats for package in FORMATS[name].packages)]
    place = place_for(options.golden, options.output) if options.golden else None
    manifest = build_manifest(options, made, extra, sha256, packages, place.recorded if place else None)
    inside = {}
    if place and place.inside:
        inside[place.inside] = workspace.folder / "golden"
    elif place:
        publish_vectors(place.target, workspace.folder / "golden", made.golden)
    files = [*(path for graph in made.graphs for path in graph.files), *extra]
    workspace.publish([(path.name, path) for path in files], manifest, inside)
    return manifest
