"""export(options): checkpoint -> network -> TorchScript -> models -> proof -> published folder."""

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import ConversionError, UsageError, VerificationError
from converter.exporting.made import ArmFailure, Exported, Made
from converter.exporting.plan import Plan, plan_export
from converter.folder.workspace import Workspace, check_target
from converter.formats.format import Conversion, Job, Traced, check_dependencies, format_of
from converter.formats.source import Source
from converter.proof.comparison import Comparison
from converter.proof.feeds import Feed, feeds_of
from converter.proof.runner import Runner
from converter.spec.model import Model, TrackerModels, with_other_graphs
from converter.spec.network import GraphSpec
from converter.spec.options import ArmOptions, ExportOptions
from converter.util.atomic import write
from converter.util.stages import Progress, Stages

if TYPE_CHECKING:
    from converter.checks.arm.section import ArmSection
    from converter.folder.manifest import Manifest, VerificationEntry
    from converter.network.load import LoadedNetwork
    from converter.proof.verify import Report

log = logging.getLogger(__name__)

Runners = Mapping[Model, Runner]


def export(options: ExportOptions, progress: Progress | None = None) -> Exported:
    """Convert a checkpoint, prove the result, publish it.

    Args:
        options: what to export; see :class:`converter.spec.options.ExportOptions`.
        progress: told when a stage begins and ends.

    Returns:
        What was published.

    Raises:
        ConverterError: one of its kinds; nothing was published and the target is as before.
    """
    stages = Stages(progress)
    with ExitStack() as running:
        with stages("check"):
            plan = _checked(options)
            feeds = [_feeds(options, tracker, len(plan.trackers) > 1) for tracker in plan.trackers]
            workspace = running.enter_context(Workspace(options.output))
        with stages("import") as notes:
            from converter.network.load import load_network, one_thread

            running.enter_context(one_thread())
            notes.append("torch")
        with stages("network") as notes:
            network = load_network(options, plan.trackers[0].dimensions.stride)
            notes += [f"{options.arch}, {network.source}", f"{network.parameters:,} parameters"]
        with stages("trace") as notes:
            conversions = _start_conversions(options, network, plan, workspace, running)
            notes.append(", ".join(dict.fromkeys(source.graph.name for source in conversions)))
        with stages("reference"):
            counts = _multiply_adds(network, plan)
            comparisons = _comparisons(options, network, plan, feeds)
        with stages("convert") as notes:
            _finish(conversions)
            runners = load_models(workspace.folder, plan.trackers)
            notes.append(" and ".join(options.formats))
        protected = None
        if options.protect_fp16:
            with stages("half") as notes:
                protected = _protect(workspace.folder, comparisons)
                runners = load_models(workspace.folder, plan.trackers)
                notes.append(f"{sum(map(len, protected.values()))} layers without half arithmetic")
        with stages("verify") as notes:
            report = _verify(options, comparisons, runners)
            verification = _described(options, comparisons, report, network.about)
            inputs = sum(map(len, feeds))
            notes.append(f"on {inputs} inputs" if inputs else "left out")
        arm = _on_arm(options.arm, workspace.folder, comparisons, stages) if options.arm else None
        golden = None
        if options.golden:
            with stages("golden") as notes:
                golden = _golden(options, network, comparisons, workspace.folder / "golden")
                notes.append(str(options.golden))
        with stages("publish") as notes:
            oldest_ncnn = _oldest_ncnn(workspace.folder, plan.trackers)
            results = (verification, report, protected, arm, golden, oldest_ncnn)
            manifest = _publish(options, Made(comparisons, network, workspace.folder, counts, *results), workspace)
            notes.append(str(options.output))
    return Exported(manifest, report, arm)


def _checked(options: ExportOptions) -> Plan:
    """Everything that can be refused is refused here, before torch is imported."""
    plan = plan_export(options)
    check_target(options.output)
    if options.golden:
        from converter.folder.vectors import place_for

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
        from converter.checks.arm.modes import check_tolerances
        from converter.checks.arm.root import arm_root

        arm_root(options.arm.root)
        check_tolerances(options.network, options.arm.modes)
    check_dependencies(options)
    options.check_checkpoint()
    return plan


def _feeds(options: ExportOptions, tracker: TrackerModels, several_sizes: bool) -> list[Feed]:
    """What to compare on; nothing where nothing is compared."""
    if not options.verify:
        return []
    feeds = feeds_of(tracker, options.seed, options.images)
    return [feed.at(tracker.network.sizes) for feed in feeds] if several_sizes else feeds


def _start_conversions(
    options: ExportOptions, network: "LoadedNetwork", plan: Plan, workspace: Workspace, running: ExitStack
) -> dict[Source, Conversion]:
    """Trace every graph once and start its conversions as soon as it is traced.

    Those that go on by themselves come first, and of them the largest.
    """
    from converter.exporting.describe import file_metadata
    from converter.network.trace import trace

    metadata = file_metadata(options, network)
    by_graph: dict[GraphSpec, list[Source]] = {}
    for source in plan.sources:
        by_graph.setdefault(source.graph, []).append(source)
    conversions = {}
    for graph in sorted(by_graph, key=lambda graph: (not _in_background(by_graph[graph]), -_input_size(graph))):
        traced = Traced(trace(network.module, graph))
        for source in by_graph[graph]:
            job = Job(traced, source, workspace.folder, options, metadata, workspace.process_group)
            conversion = format_of(source.format).start(job)
            running.callback(conversion.stop)
            conversions[source] = conversion
        if options.keep_torchscript:
            write(workspace.folder / f"{by_graph[graph][0].stem}.pt", traced.torchscript)
    return conversions


def _in_background(sources: Sequence[Source]) -> bool:
    return any(format_of(source.format).background for source in sources)


def _input_size(graph: GraphSpec) -> int:
    return max(tensor.shape[-1] * tensor.shape[-2] for tensor in graph.inputs)


def _finish(conversions: Mapping[Source, Conversion]) -> None:
    """Wait for all files; what this process has to do itself comes before waiting for others."""
    for source in sorted(conversions, key=lambda source: format_of(source.format).background):
        start = time.perf_counter()
        conversions[source].result()
        log.debug("%s %s: %.2f s", source.format, source.graph.name, time.perf_counter() - start)


def load_models(folder: Path, trackers: Sequence[TrackerModels]) -> dict[Model, Runner]:
    """Every model in this process, once. Loading is part of the proof that the files are sound."""
    models = dict.fromkeys(model for tracker in trackers for model in tracker.models)
    return {model: format_of(model.format).load(model.paths(folder), model.graph) for model in models}


def _multiply_adds(network: "LoadedNetwork", plan: Plan) -> dict[GraphSpec, int]:
    from converter.network.trace import multiply_adds

    graphs = dict.fromkeys(graph for tracker in plan.trackers for graph in tracker.all_graphs())
    return {graph: multiply_adds(network.module, graph) for graph in graphs}


def _comparisons(
    options: ExportOptions, network: "LoadedNetwork", plan: Plan, feeds: Sequence[Sequence[Feed]]
) -> list[Comparison]:
    from converter.network.reference import reference_outputs

    tolerances = options.tolerances() if options.verify else {}
    tie = options.network.tie(options.precision)
    return [
        Comparison(tracker, tuple(given), reference_outputs(network.module, tracker, given), tolerances, tie)
        for tracker, given in zip(plan.trackers, feeds, strict=True)
    ]


def _verify(options: ExportOptions, comparisons: Sequence[Comparison], runners: Runners) -> "Report | None":
    """Every comparison; None without proof.

    Raises:
        VerificationError: when one failed.
    """
    from converter.proof.verify import Report, verify

    if not options.verify:
        for model, runner in runners.items():
            _probe(model, runner)
        log.warning("not verified (--no-verify): nothing says that these models answer as the network does")
        return None
    checks = [
        check
        for format in options.formats
        for comparison in comparisons
        for check in verify(comparison, format, runners)
    ]
    report = Report(tuple(checks))
    report.raise_if_failed()
    return report


def _described(
    options: ExportOptions, comparisons: Sequence[Comparison], report: "Report | None", reference: str
) -> "VerificationEntry":
    from converter.folder.manifest import VerificationEntry

    if report is None:
        return VerificationEntry(status="unverified", reason="--no-verify")
    return VerificationEntry(
        status="passed",
        reference=reference,
        candidates={name: format_of(name).runtime for name in options.formats},
        seed=options.seed,
        feeds=tuple(feed.name for comparison in comparisons for feed in comparison.feeds),
        tolerances=dict(comparisons[0].tolerances),
        checks=tuple(check.as_dict() for check in report.checks),
    )


def _probe(model: Model, runner: Runner) -> None:
    """One run on zeros: outputs have the declared shapes, and what one graph gives fits the next."""
    import numpy as np

    graph = model.graph
    outputs = runner.infer({tensor.name: np.zeros(tensor.shape, np.float32) for tensor in graph.inputs})
    for tensor in graph.outputs:
        if outputs[tensor.name].shape != tensor.shape:
            raise ConversionError(
                f"{model}: output {tensor.name!r} has shape {outputs[tensor.name].shape}, expected {tensor.shape}"
            )


def _protect(folder: Path, comparisons: Sequence[Comparison]) -> dict[str, tuple[str, ...]]:
    """Switch half arithmetic off in the ncnn layers that need it at any size, in the files."""
    from converter.checks.half.analysis import fp16_report
    from converter.checks.half.masks import protect_files

    changed: dict[str, tuple[str, ...]] = {}
    for comparison in comparisons:
        models = comparison.tracker.of("ncnn")
        inner = format_of("ncnn").load_inner
        report = fp16_report(folder, comparison, {model: inner(model.paths(folder), model.graph) for model in models})
        params = {model.graph.name: model.paths(folder)[0] for model in models}
        for name, layers in protect_files(params, report.protect).items():
            changed[name] = (*changed.get(name, ()), *layers)
        for line in report.advice():
            log.warning("half precision: %s", line)
    return changed


def _oldest_ncnn(folder: Path, trackers: Sequence[TrackerModels]) -> str | None:
    from converter.formats.ncnn.param import load_param
    from converter.formats.ncnn.release import oldest_release

    params = dict.fromkeys(model.paths(folder)[0] for tracker in trackers for model in tracker.of("ncnn"))
    releases = [oldest_release(load_param(path)) for path in params]
    known = [release for release in releases if release is not None]
    return max(known) if known and len(known) == len(releases) else None


def _on_arm(asked: ArmOptions, folder: Path, comparisons: Sequence[Comparison], stages: Stages) -> "ArmSection":
    """The ncnn models on the emulated ARM cpu, a gate of its own; one that serves several sizes at its first."""
    from converter.checks.arm.root import read_root
    from converter.checks.arm.run import ArmRun, check_arm

    others = with_other_graphs(comparisons, lambda each: each.tracker.graphs("ncnn"))
    section = check_arm(ArmRun(read_root(asked.root), asked, folder, others), stages)
    if not section:
        raise VerificationError(f"{section.failure()}; nothing was published", result=ArmFailure(section))
    return section


def _golden(
    options: ExportOptions, network: "LoadedNetwork", comparisons: Sequence[Comparison], folder: Path
) -> dict[str, Any]:
    from converter.folder.golden import about_network, golden_header
    from converter.folder.vectors import make_vectors

    first = comparisons[0]
    about = about_network(options.arch, first.tracker, network)
    header = golden_header(about, network.about, options.precision, first.tolerances)
    return make_vectors(folder, header, network.module, comparisons, options.network.intermediates)


def _publish(options: ExportOptions, made: Made, workspace: Workspace) -> "Manifest":
    from converter.exporting.describe import manifest_of
    from converter.folder.vectors import place_for, publish_vectors

    extra = sorted(workspace.folder.glob("*.pt"))
    packages = ["torch", "numpy", *(package for name in options.formats for package in format_of(name).packages)]
    place = place_for(options.golden, options.output) if options.golden else None
    manifest = manifest_of(options, made, extra, packages, place.recorded if place else None)
    inside = {}
    if place and place.inside:
        inside[place.inside] = workspace.folder / "golden"
    elif place and made.golden:
        publish_vectors(place.target, workspace.folder / "golden", made.golden)
    names = dict.fromkeys(name for tracker in made.trackers for model in tracker.models for name in model.files)
    files = [*(workspace.folder / name for name in names), *extra]
    workspace.publish([(path.name, path) for path in files], manifest.model_dump(mode="json"), inside)
    return manifest
