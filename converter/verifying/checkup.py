"""check(options): models -> network -> feeds -> reference outputs -> comparisons -> checks -> verdict."""

import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING

from converter.checks.arm import ARM
from converter.checks.arm.root import arm_root
from converter.checks.device.modes import check_tolerances
from converter.checks.layers.walk import reader_of
from converter.checks.vulkan import VULKAN
from converter.checks.vulkan.devices import chosen, devices
from converter.errors import ConversionError, UsageError
from converter.folder.exported import changed_since
from converter.folder.golden_index import GOLDEN_INDEX
from converter.folder.listing import tool_versions
from converter.folder.stated import read_files
from converter.folder.subject import Subject, isolated_runners, subject_of
from converter.folder.workspace import check_target
from converter.formats.format import check_runtime, format_of, notes_on
from converter.proof.comparison import Comparison
from converter.report.text import listed, now
from converter.spec.choices import JUDGED_BY_BOXES
from converter.spec.options import VerifyOptions
from converter.util.paths import why_no_folder
from converter.util.stages import Listener, Stages
from converter.verifying.golden import golden_of_dumps
from converter.verifying.page import report_of
from converter.verifying.proving import prove
from converter.verifying.reference import (
    Reference,
    compared_with_golden,
    compared_with_network,
    golden_reference,
    network_feeds,
    network_reference,
)
from converter.verifying.result import CheckResult, VerifyResult
from converter.verifying.run import Run
from converter.verifying.sections import OpenedClip, Places, asked, opened_clip
from converter.verifying.vectors import write_vectors

log = logging.getLogger(__name__)
if TYPE_CHECKING:
    from converter.network.checkpoint import Checkpoint

LAST_STAGE = "report"


def check(
    options: VerifyOptions, progress: Listener | None = None, checkpoint: "Checkpoint | None" = None
) -> VerifyResult:
    """Verify models, and write what was asked for.

    Args:
        options: see :class:`converter.spec.options.VerifyOptions`.
        progress: told of every stage.
        checkpoint: what its file holds, where it was read already.

    Returns:
        The result, false when anything that was asked for failed.

    Raises:
        VerificationError: for a manifest or golden vectors that are damaged or of another network.
        ConverterError: of another kind when it could not be verified.
    """
    stages = Stages(progress)
    with ExitStack() as running:
        with stages("models") as notes:
            clip = check_options(options)
            subject = subject_of(options)
            places = _checked(options, subject)
            checksums, files = read_files(subject)
            problems = [*map(str, files), *_lacking(options, subject)]
            notes.append(", ".join(map(str, subject.tracker.models)))
        with stages("reference") as notes:
            reference, comparisons = _compared(options, subject, clip, running, checkpoint)
            runners = running.enter_context(isolated_runners(subject, subject.tracker.models))
            wider = subject.passed_with_wider(comparisons[0].tolerances)
            if wider:
                log.warning(wider)
            run = Run(options, subject, reference, tuple(comparisons), runners)
            notes.append(f"{sum(len(comparison.feeds) for comparison in comparisons)} inputs")
        _write_golden(run, stages)
        with stages("verify"):
            verification, failures = prove(run)
        notes_of_models = _notes(options, subject, verification.failed)
        checks, others, undone = _looked(asked(run, clip, places, verification.failed, stages), stages)
        changed = changed_since(checksums)
        result = VerifyResult(
            arch=options.arch,
            export=options.folder,
            subject=subject,
            files=(*files, *changed),
            checksums=checksums,
            reference=reference.about,
            weights=reference.checkpoint,
            verification=verification,
            checks=checks,
            problems=(*problems, *failures, *others, *map(str, changed)),
            warnings=tuple(filter(None, [reference.warning, wider])),
            tools=tool_versions(_packages(subject)),
            undone=tuple(undone),
            notes=notes_of_models,
        )
        _write_reports(options, result, stages)
    return result


def check_options(options: VerifyOptions) -> OpenedClip | None:
    """Refuse what could only fail after minutes of work.

    Returns:
        the clip, when there is one.

    Raises:
        UsageError: naming the option.
    """
    if options.layers and options.checkpoint is None:
        raise UsageError("--layers walks through the network: pass --resume CHECKPOINT")
    if options.golden and options.checkpoint and not options.dumps and not options.write_golden:
        raise UsageError(
            f"--golden {options.golden} beside --resume: models are compared with the network, and the vectors with "
            "nothing; leave one of them out, or pass --dumps too"
        )
    if options.dumps and (reason := why_no_folder(options.dumps)):
        raise UsageError(f"--dumps {options.dumps}: {reason.partition(',')[0]}, expected a folder")
    if options.reports:
        from converter.report.writing import check_report_path

        for path in options.reports:
            check_report_path(path)
    if options.write_golden:
        if options.checkpoint is None:
            raise UsageError("--write-golden wants the network's answers: pass --resume CHECKPOINT")
        check_target(options.write_golden, GOLDEN_INDEX, "--write-golden")
    return opened_clip(options)


def _checked(options: VerifyOptions, subject: Subject) -> Places:
    """Refuse what cannot be run; what runs the models elsewhere, where that was asked for."""
    formats = subject.tracker.formats
    for format in formats:
        check_runtime(format)
        if options.layers:
            reader_of(format)
    for option, asked_for in (
        *(("--fp16-report", options.fp16), (f"--runtime {ARM.name}", options.arm)),
        (f"--runtime {VULKAN.name}", options.vulkan),
    ):
        if asked_for and "ncnn" not in formats:
            raise UsageError(f"{option} is about ncnn's half kernels, and there is no ncnn model here")
    if options.dumps and not options.write_golden:
        golden_of_dumps(options, subject)
    network, root, device = subject.tracker.network, None, None
    if options.arm:
        check_tolerances(network, ARM, options.arm.modes)
        root = arm_root(options.arm.root)
    if options.vulkan:
        device = chosen(options.vulkan.device, devices(options.vulkan.root))
        check_tolerances(network, VULKAN, options.vulkan.modes or (device.default_mode,))
    return Places(root, device)


def _lacking(options: VerifyOptions, subject: Subject) -> list[str]:
    """Missing graphs as problems, unless the parts are to be verified alone."""
    if not options.partial:
        return [
            f"{listed(each.graphs)} of {each.format} is missing, and without it this is no tracker; "
            "add it, or pass --partial to verify the parts alone"
            for each in subject.missing
        ]
    if options.clip and not subject.whole:
        graphs = listed(subject.missing[0].graphs)
        raise UsageError(f"--clip: {graphs} is missing, and parts do not track; leave it out")
    return []


def _compared(
    options: VerifyOptions,
    subject: Subject,
    clip: OpenedClip | None,
    running: ExitStack,
    checkpoint: "Checkpoint | None",
) -> tuple[Reference, list[Comparison]]:
    """The reference, and its outputs at every size; torch has one thread until the end of ``running``."""
    if options.checkpoint is None:
        vectors = golden_reference(options, subject)
        return vectors, compared_with_golden(options, subject, vectors.golden)
    options.check_checkpoint()
    from converter.network.load import one_thread

    running.enter_context(one_thread())
    feeds = [network_feeds(options, subject, tracker) for tracker in subject.trackers]
    reference = network_reference(options, subject, checkpoint)
    if reference.warning:
        log.warning(reference.warning)
    crops = clip.feed(reference.network, subject.tracker) if clip else None
    if crops:
        feeds[0].append(crops)
    if len(feeds) > 1:
        feeds = [
            [feed.at(tracker.network.sizes) for feed in of_size]
            for tracker, of_size in zip(subject.trackers, feeds, strict=True)
        ]
    return reference, compared_with_network(options, subject, reference.network, feeds)


def _write_golden(run: Run, stages: Stages) -> None:
    """Golden vectors of what the network computes; those of another device are written once it has run."""
    target = run.options.write_golden
    if target and run.options.golden_from == "torch":
        with stages("golden") as notes:
            write_vectors(run, target)
            notes.append(str(target))


def _notes(options: VerifyOptions, subject: Subject, failed: Collection[str]) -> tuple[str, ...]:
    """What is to be known of the models on their device, told at once; of those that ran, whose files are sound."""
    lines = notes_on({model: subject.files(model) for model in subject.models if model.format not in failed})
    if subject.precision in JUDGED_BY_BOXES and not options.checkpoint:
        lines += (
            f"precision is {subject.precision}: only outputs were compared; pass --resume CHECKPOINT for the boxes",
        )
    for line in lines:
        log.warning(line)
    return lines


def _looked(
    looks: Mapping[str, Callable[[], CheckResult]], stages: Stages
) -> tuple[dict[str, CheckResult], list[str], list[str]]:
    """The results of what was asked for, what failed, and what of it could not be carried out."""
    checks: dict[str, CheckResult] = {}
    problems, undone = [], []
    for name, look in looks.items():
        # on another device every mode is a stage of its own, for each takes long
        with nullcontext() if name in (ARM.section, VULKAN.section) else stages(name):
            try:
                checks[name] = look()
            except ConversionError as error:
                undone.append(f"{name}: {error}")
            else:
                if not checks[name]:
                    problems.append(checks[name].failure())
    return checks, [*problems, *undone], undone


def _packages(subject: Subject) -> list[str]:
    return ["torch", "numpy", *(format_of(format).packages[-1] for format in subject.tracker.formats)]


def _write_reports(options: VerifyOptions, result: VerifyResult, stages: Stages) -> None:
    if not options.reports:
        return
    from converter.report.writing import write_report

    with stages(LAST_STAGE) as notes:
        report = report_of(result, now(), options.command_line)
        for path in options.reports:
            write_report(path, report)
        notes.append(", ".join(map(str, options.reports)))
