"""What an export is held to before it is published: the proof, and the checks that were asked for beside it."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from converter.checks.pictures.pairs import feeds_of_pairs
from converter.checks.pictures.steps import PicturesReport, on_pictures
from converter.errors import ConversionError, UsageError, VerificationError
from converter.exporting.conversions import Runners
from converter.exporting.made import Refused
from converter.exporting.plan import Plan
from converter.families.family import family_of
from converter.folder.manifest import VerificationEntry
from converter.formats.format import format_of, judged_as
from converter.network.load import LoadedNetwork
from converter.network.reference import reference_outputs
from converter.proof.comparison import Comparison
from converter.proof.feeds import Feed
from converter.proof.inputs import LEFT_OUT
from converter.proof.runner import Runner
from converter.proof.verify import Report, verify
from converter.spec.choices import JUDGED_BY_BOXES
from converter.spec.model import Model, TrackerModels, with_other_graphs
from converter.spec.options import ExportOptions
from converter.util.content import Contents
from converter.util.stages import Stages

if TYPE_CHECKING:
    from converter.checks.arm.section import ArmSection

log = logging.getLogger(__name__)


def comparisons_of(
    options: ExportOptions, network: LoadedNetwork, plan: Plan, feeds: Sequence[Sequence[Feed]]
) -> list[Comparison]:
    """What is compared at every size.

    Raises:
        UsageError: when the network answers in other shapes than its config declares.
    """
    key = judged_as(options.formats, options.precision)
    tolerances = options.tolerances(key) if options.verify else {}
    tie, score_maps = options.network.tie(key), family_of(options.network.family).score_maps
    comparisons = []
    for tracker, feeds_of_size in zip(plan.trackers, feeds, strict=True):
        outputs = reference_outputs(network.module, tracker, feeds_of_size)
        _check_shapes(tracker, outputs or reference_outputs(network.module, tracker, [_zeros(tracker)]))
        comparisons.append(Comparison(tracker, tuple(feeds_of_size), outputs, tolerances, tie, score_maps))
    return comparisons


def _zeros(tracker: TrackerModels) -> Feed:
    return Feed("zeros", {tensor.meaning: np.zeros(tensor.shape, np.float32) for tensor in tracker.images})


def _check_shapes(tracker: TrackerModels, outputs: Sequence[Mapping[str, np.ndarray]]) -> None:
    for tensor in (tensor for graph in tracker.all_graphs() for tensor in graph.outputs):
        if (found := outputs[0][tensor.meaning].shape) != tensor.shape:
            raise UsageError(
                f"config: tensors.{tensor.meaning}.shape comes to {tensor.shape}, expected {found}, as the network has"
            )


def prove(options: ExportOptions, comparisons: Sequence[Comparison], runners: Runners, reference: str) -> Report | None:
    """Every comparison; None without proof.

    Args:
        reference: what is compared with, in words.

    Raises:
        VerificationError: when one failed.
    """
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
    report = Report(tuple(checks), reference)
    report.raise_if_failed()
    return report


def judge(
    options: ExportOptions, plan: Plan, network: LoadedNetwork, runners: Runners, report: Report | None
) -> PicturesReport | None:
    """Models that are judged by the boxes that a tracker makes of their answers; None of others, and without proof.

    Raises:
        VerificationError: when they do not pass.
    """
    if report is None or options.precision not in JUDGED_BY_BOXES:
        return None
    results = []
    for tracker in plan.trackers:
        outputs = reference_outputs(network.module, tracker, feeds_of_pairs(tracker))
        results += [on_pictures(format, tracker, options.precision, runners, outputs) for format in tracker.formats]
    steps = PicturesReport(tuple(results))
    if not steps:
        raise VerificationError(f"{steps.failure()}; nothing was published", result=Refused(report, steps=steps))
    return steps


def _probe(model: Model, runner: Runner) -> None:
    """One run on zeros: outputs have the declared shapes, and what one graph gives fits the next."""
    graph = model.graph
    outputs = runner.infer({tensor.name: np.zeros(tensor.shape, np.float32) for tensor in graph.inputs})
    for tensor in graph.outputs:
        if outputs[tensor.name].shape != tensor.shape:
            raise ConversionError(
                f"{model}: output {tensor.name!r} has shape {outputs[tensor.name].shape}, expected {tensor.shape}"
            )


def described(
    options: ExportOptions, comparisons: Sequence[Comparison], report: Report | None, steps: PicturesReport | None
) -> VerificationEntry:
    if report is None:
        return VerificationEntry(status="unverified", reason="--no-verify")
    return VerificationEntry(
        status="passed",
        reference=report.reference,
        candidates={name: format_of(name).runtime for name in options.formats},
        seed=options.seed,
        feeds=tuple(feed.name for comparison in comparisons for feed in comparison.feeds),
        tolerances=dict(comparisons[0].tolerances),
        checks=tuple(check.as_dict() for check in report.checks),
        **({"left_out": LEFT_OUT, "pictures": tuple(steps.as_dict())} if steps is not None else {}),
    )


def protect(folder: Path, comparisons: Sequence[Comparison], stages: Stages) -> dict[str, tuple[str, ...]]:
    """Switch half arithmetic off in the ncnn layers that need it at any size, in the files.

    Returns:
        graph to layers.
    """
    from converter.checks.half.analysis import fp16_report  # most exports ask for neither this nor ARM
    from converter.checks.half.masks import protect_files

    changed: dict[str, tuple[str, ...]] = {}
    with stages("half") as notes:
        for comparison in comparisons:
            models = comparison.tracker.of("ncnn")
            inner, files = format_of("ncnn").load_inner, {model: model.paths(folder) for model in models}
            report = fp16_report(files, comparison, {model: inner(files[model], model.graph) for model in models})
            params = {model.graph.name: model.paths(folder)[0] for model in models}
            for name, layers in protect_files(params, report.protect).items():
                changed[name] = (*changed.get(name, ()), *layers)
            for line in report.advice():
                log.warning("half precision: %s", line)
        notes.append(f"{sum(map(len, changed.values()))} layers without half arithmetic")
    return changed


def run_on_arm(
    options: ExportOptions,
    folder: Path,
    contents: Contents,
    comparisons: Sequence[Comparison],
    report: Report | None,
    steps: PicturesReport | None,
    stages: Stages,
) -> "ArmSection":
    """The ncnn models on the emulated ARM cpu, a gate of its own; one that serves several sizes at its first."""
    from converter.checks.arm.root import read_root
    from converter.checks.arm.run import ArmRun, check_arm

    asked = options.arm
    assert asked is not None
    others = with_other_graphs(comparisons, lambda each: each.tracker.graphs("ncnn"))
    section = check_arm(ArmRun(read_root(asked.root), asked, folder, contents, others, options.precision), stages)
    if not section:
        raise VerificationError(f"{section.failure()}; nothing was published", result=Refused(report, steps, section))
    return section
