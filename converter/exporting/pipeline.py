"""export(options): checkpoint -> network -> TorchScript -> models -> proof -> published folder."""

import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.errors import ConversionError, UsageError, VerificationError
from converter.exporting.layout import ModelFile, Setup, Use, at_sizes, setups, with_other_graphs
from converter.exporting.plan import StageCallback, Stages, check_checkpoint, reference_answers, reference_words
from converter.formats.format import FORMATS, Conversion, Job, Traced, check_dependencies
from converter.proof.feeds import Feed
from converter.proof.verify import Runner
from converter.spec.network import GraphSpec
from converter.spec.options import ExportOptions

log = logging.getLogger(__name__)


@dataclass
class Trial:
    """One search size, on its way to a proof.

    Attributes:
        setup: which graphs there are.
        feeds: what they are compared on.
        answers: the reference's tensors for each.
        runners: format to graph to what runs it.
    """

    setup: Setup
    feeds: list[Feed]
    answers: Sequence[dict] = ()
    runners: dict[str, dict[str, Runner]] | None = None


@dataclass
class Made:
    """What a finished export consists of.

    Attributes:
        trials: one for each search size, the network's own first.
        network: a :class:`converter.network.load.LoadedNetwork`.
        graphs: every :class:`converter.folder.manifest.ExportedGraph`.
        verification: the proof's figures, or that there are none.
        protected: ncnn graph to layers without half arithmetic; None where nobody asked for it.
        arm: what the emulated ARM cpu computed; None where nobody asked for it.
        golden: the index of the golden vectors.
        oldest_ncnn: release that reads the ncnn models; None where there are none.
    """

    trials: Sequence[Trial]
    network: Any
    graphs: list[Any]
    verification: dict[str, Any]
    protected: dict[str, tuple[str, ...]] | None = None
    arm: dict[str, Any] | None = None
    golden: dict[str, Any] | None = None
    oldest_ncnn: str | None = None


def export(options: ExportOptions, on_stage: StageCallback | None = None) -> dict[str, Any]:
    """Convert a checkpoint, prove the result, publish it.

    Args:
        options: what to export; see :class:`converter.spec.options.ExportOptions`.
        on_stage: told when a stage begins and ends.

    Returns:
        The manifest of the published folder.

    Raises:
        ConverterError: one of its kinds; nothing was published and the target is as before.
    """
    stages = Stages(on_stage)
    with ExitStack() as running:
        with stages("check"):
            from converter.folder.workspace import Workspace

            trials = _checked(options)
            workspace = running.enter_context(Workspace(options.output))
        with stages("import") as notes:
            from converter.network.load import load_network, one_thread

            running.enter_context(one_thread())
            notes.append("torch")
        with stages("network") as notes:
            network = load_network(options, trials[0].setup.dimensions.stride)
            notes += [f"{options.arch}, {network.source}", f"{network.parameters:,} parameters"]
        with stages("trace") as notes:
            conversions = _start_conversions(options, network, trials, workspace, running)
            notes.append(", ".join(dict.fromkeys(file.graph.name for file in conversions)))
        with stages("reference"):
            counts = _multiply_adds(network, trials)
            for trial in trials:
                trial.answers = reference_answers(network.module, options.network, trial.setup.images, trial.feeds)
        with stages("convert") as notes:
            files = _finished(conversions)
            _load(trials, files)
            notes.append(" and ".join(options.formats))
        protected = None
        if options.protect_fp16:
            with stages("half") as notes:
                protected = _protect(trials, files)
                notes.append(f"{sum(map(len, protected.values()))} layers without half arithmetic")
        with stages("verify") as notes:
            verification = _verify(options, trials, reference_words(network))
            inputs = sum(len(trial.feeds) for trial in trials)
            notes.append(f"on {inputs} inputs" if inputs else "left out")
        made = Made(trials, network, _exported(trials, files, counts), verification, protected)
        made.oldest_ncnn = _oldest_ncnn(files)
        if options.arm:
            made.arm = _on_arm(options, trials, files, stages)
        if options.golden:
            with stages("golden") as notes:
                made.golden = _golden(options, made, workspace)
                notes.append(str(options.golden))
        with stages("publish") as notes:
            manifest = _publish(options, made, workspace)
            notes.append(str(options.output))
    return manifest


def _checked(options) -> list[Trial]:
    """Everything that can be refused is refused here, before torch is imported."""
    from converter.folder.workspace import check_target

    found = setups(options)
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
        from converter.checks.arm.job import check_tolerances
        from converter.checks.arm.root import arm_root

        arm_root(options.arm.root)
        check_tolerances(options.network, options.arm.modes)
    check_dependencies(options)
    check_checkpoint(options.checkpoint)
    return [Trial(setup, _feeds(options, setup, len(found) > 1)) for setup in found]


def _feeds(options, setup, several_sizes) -> list[Feed]:
    """What to compare on; nothing where nothing is compared."""
    from converter.proof.feeds import noise_feeds, picture_feed

    if not options.verify:
        return []
    noise = noise_feeds(options.seed, options.network.noise_feeds, setup.images)
    feeds = noise + [picture_feed(path, setup.images, options.network.preprocess) for path in options.images]
    return [at_sizes(feed, setup.network) for feed in feeds] if several_sizes else feeds


def _model_files(trials: Iterable[Trial]) -> list[ModelFile]:
    """Every model of the export once."""
    return list(dict.fromkeys(use.file for trial in trials for uses in trial.setup.uses.values() for use in uses))


def _start_conversions(options, network, trials, workspace, running) -> dict[ModelFile, Conversion]:
    """Trace every graph once and start its conversions as soon as it is traced.

    Those that go on by themselves come first, and of them the largest.
    """
    from converter.folder.manifest import file_metadata
    from converter.network.trace import trace
    from converter.util.files import write

    metadata = file_metadata(options, network)
    files: dict[GraphSpec, list[ModelFile]] = {}
    for file in _model_files(trials):
        files.setdefault(file.graph, []).append(file)
    conversions = {}
    for graph in sorted(files, key=lambda graph: (not _in_background(files[graph]), -_input_size(graph))):
        traced = Traced(trace(network.module, graph))
        for file in files[graph]:
            job = Job(traced, file, workspace.folder, options, metadata, workspace.process_group)
            conversion = FORMATS[file.format].start(job)
            running.callback(conversion.stop)
            conversions[file] = conversion
        if options.keep_torchscript:
            write(workspace.folder / f"{files[graph][0].stem}.pt", traced.torchscript)
    return conversions


def _in_background(files):
    return any(FORMATS[file.format].background for file in files)


def _input_size(graph: GraphSpec) -> int:
    return max(tensor.shape[-1] * tensor.shape[-2] for tensor in graph.inputs)


def _finished(conversions) -> dict[ModelFile, tuple[Path, ...]]:
    """The files of every conversion; what this process has to do itself comes before waiting for others."""
    files = {}
    for file in sorted(conversions, key=lambda file: FORMATS[file.format].background):
        start = time.perf_counter()
        files[file] = conversions[file].result()
        log.debug("%s %s: %.2f s", file.format, file.graph.name, time.perf_counter() - start)
    return files


def _load(trials, files) -> None:
    """Loading is part of the proof that the files are sound; each is loaded once for all that run it alike."""
    loaded: dict[Any, Runner] = {}
    for trial in trials:
        trial.runners = {}
        for format, uses in trial.setup.uses.items():
            for use in uses:
                if use not in loaded:
                    loaded[use] = FORMATS[format].load(files[use.file], use.graph)
            trial.runners[format] = {use.graph.name: loaded[use] for use in uses}


def _described(trials) -> dict[Use, tuple[tuple[int, int], ...]]:
    """Every graph of every format once, one that serves several sizes at the first; and the sizes."""
    found: dict[tuple[str, str], Use] = {}
    sizes: dict[Use, tuple[tuple[int, int], ...]] = {}
    for format in trials[0].setup.uses:
        for trial in trials:
            for use in trial.setup.uses[format]:
                first = found.setdefault((format, use.graph.name), use)
                sizes[first] = (*sizes.get(first, ()), trial.setup.network.sizes)
    return sizes


def _multiply_adds(network, trials) -> dict[GraphSpec, int]:
    from converter.network.trace import multiply_adds

    return {graph: multiply_adds(network.module, graph) for graph in {use.graph for use in _described(trials)}}


def _exported(trials, files, counts) -> list[Any]:
    """What the manifest lists."""
    from converter.folder.manifest import ExportedGraph

    return [
        ExportedGraph(use.graph, use.file, files[use.file], sizes, counts[use.graph])
        for use, sizes in _described(trials).items()
    ]


def _verify(options, trials, reference):
    from converter.proof.verify import Report, verify

    if not options.verify:
        for trial in trials:
            for format, runners in trial.runners.items():
                _probe(format, trial.setup.graphs(format), runners)
        log.warning("not verified (--no-verify): nothing says that these models answer as the network does")
        return {"status": "unverified", "reason": "--no-verify"}
    tolerances = options.tolerances()
    checks = [
        check
        for format in options.formats
        for trial in trials
        for check in verify(
            *(format, trial.setup.graphs(format), trial.runners[format], trial.feeds, trial.answers, tolerances),
            *(options.network.decision, None, options.network.tie(options.precision)),
        )
    ]
    Report(tuple(checks)).raise_if_failed()
    return {
        "status": "passed",
        "reference": reference,
        "candidates": {name: FORMATS[name].runtime for name in options.formats},
        "seed": options.seed,
        "feeds": [feed.name for trial in trials for feed in trial.feeds],
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


def _protect(trials, files) -> dict[str, tuple[str, ...]]:
    """Switch half arithmetic off in the ncnn layers that need it at any size; what runs the graphs is loaded anew."""
    from converter.checks.half.analysis import fp16_report
    from converter.checks.half.masks import protect_files

    changed: dict[str, tuple[str, ...]] = {}
    for trial in trials:
        uses = trial.setup.uses["ncnn"]
        paths = {use.graph.name: files[use.file] for use in uses}
        graphs = [use.graph for use in uses]
        report = fp16_report(paths, graphs, trial.runners["ncnn"], trial.feeds, trial.answers)
        for name, layers in protect_files({name: param for name, (param, _) in paths.items()}, report.protect).items():
            changed[name] = (*changed.get(name, ()), *layers)
        for line in report.advice():
            log.warning("half precision: %s", line)
    _load(trials, files)
    return changed


def _oldest_ncnn(files) -> str | None:
    from converter.formats.ncnn.param import load_param
    from converter.formats.ncnn.release import oldest_release

    releases = [oldest_release(load_param(paths[0])) for file, paths in files.items() if file.format == "ncnn"]
    return max(releases) if releases and None not in releases else None


def _on_arm(options, trials, files, stages) -> dict[str, Any]:
    """The ncnn models on the emulated ARM cpu, a gate of its own; one that serves several sizes at its first."""
    from converter.checks.arm.job import arm_job
    from converter.checks.arm.root import read_root
    from converter.checks.arm.run import check_arm

    groups = [
        ([(use.graph, files[use.file]) for use in trial.setup.uses["ncnn"]], trial.feeds, trial.answers)
        for trial in with_other_graphs(trials, lambda trial: trial.setup.graphs("ncnn"))
    ]
    stride = trials[0].setup.dimensions.stride
    job = arm_job(read_root(options.arm.root), options.arm, options.network, stride, groups)
    section = check_arm(job, stages)
    if not section:
        raise VerificationError(f"{section.failure()}; nothing was published", result={"arm": section.as_dict()})
    return section.as_dict()


def _golden(options, made, workspace):
    from converter.folder.golden import golden_header
    from converter.folder.manifest import about_network
    from converter.folder.vectors import Group, make_vectors

    spec, first = options.network, made.trials[0]
    about = about_network(options.arch, spec, first.setup.dimensions, made.network)
    header = golden_header(about, reference_words(made.network), options.precision, options.tolerances())
    groups = [Group(trial.setup.all_graphs(), trial.feeds, trial.answers) for trial in made.trials]
    return make_vectors(workspace.folder / "golden", header, made.network.module, groups, spec.intermediates)


def _publish(options, made, workspace):
    from converter.folder.manifest import build_manifest
    from converter.folder.vectors import place_for, publish_vectors
    from converter.util.files import sha256

    extra = sorted(workspace.folder.glob("*.pt"))
    packages = ["torch", "numpy", *(package for name in options.formats for package in FORMATS[name].packages)]
    place = place_for(options.golden, options.output) if options.golden else None
    manifest = build_manifest(options, made, extra, sha256, packages, place.recorded if place else None)
    inside = {}
    if place and place.inside:
        inside[place.inside] = workspace.folder / "golden"
    elif place:
        publish_vectors(place.target, workspace.folder / "golden", made.golden)
    files = dict.fromkeys([*(path for graph in made.graphs for path in graph.files), *extra])
    workspace.publish([(path.name, path) for path in files], manifest, inside)
    return manifest
