"""check(options): models -> network -> feeds -> reference outputs -> comparisons -> checks -> verdict."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from converter.checks.arm.modes import check_tolerances
from converter.checks.arm.root import ArmRoot, arm_root
from converter.errors import ConversionError, UsageError, VerificationError
from converter.folder.exported import file_problems
from converter.folder.golden_index import GOLDEN_INDEX
from converter.folder.listing import tool_versions
from converter.folder.workspace import check_target
from converter.formats.format import check_runtime, format_of
from converter.formats.isolated import IsolatedRunner
from converter.proof.comparison import Comparison
from converter.proof.feeds import Feed
from converter.proof.histogram import ErrorHistograms
from converter.proof.verify import Check, Report, verify
from converter.report.text import listed
from converter.spec.model import Model, TrackerModels
from converter.spec.options import VerifyOptions
from converter.util.atomic import sha256
from converter.util.stages import Progress, Stages
from converter.verifying import sections
from converter.verifying.golden import write_vectors
from converter.verifying.page import report_of
from converter.verifying.reference import (
    Reference,
    compared_with_golden,
    compared_with_network,
    network_feeds,
    reference_of,
)
from converter.verifying.result import CheckResult, Missing, Verification, VerifyResult
from converter.verifying.sections import OpenedClip
from converter.verifying.subject import Subject, subject_of

LAST_STAGE = "report"


def check(options: VerifyOptions, progress: Progress | None = None) -> VerifyResult:
    """Verify models, and write what was asked for.

    Args:
        options: see :class:`converter.spec.options.VerifyOptions`.
        progress: told when a stage begins and ends.

    Returns:
        The result, which has no problems.

    Raises:
        VerificationError: with the same result, when anything that was asked for failed.
        ConverterError: of another kind when it could not be verified.
    """
    stages = Stages(progress)
    with ExitStack() as running:
        with stages("models") as notes:
            opened = check_options(options)
            subject = subject_of(options)
            root = _checked(options, subject)
            files = file_problems(subject.folder, subject.manifest) if subject.manifest else []
            problems = [f"{each.file} {each.problem}" for each in files]
            missing = _missing(subject)
            problems += _lacking(options, subject, missing)
            checksums = _checksums(subject)
            notes.append(", ".join(map(str, subject.tracker.models)))
        with stages("reference") as notes:
            if options.checkpoint:
                options.check_checkpoint()
                from converter.network.load import one_thread

                running.enter_context(one_thread())
            feeds = _feeds(options, subject)
            reference = reference_of(options, subject)
            comparisons = _comparisons(options, subject, reference, feeds, opened)
            notes.append(f"{sum(len(comparison.feeds) for comparison in comparisons)} inputs")
        if options.write_golden and options.golden_from == "torch":
            with stages("golden") as notes:
                write_vectors(options, subject, reference.network, comparisons, reference.about)
                notes.append(str(options.write_golden))
        runners = running.enter_context(isolated_runners(subject, subject.tracker))
        with stages("verify"):
            verification = _verify(subject, comparisons, runners, problems)
        first = comparisons[0]
        ran = [format for format in subject.tracker.formats if format not in verification.failed]
        whole = [format for format in ran if format not in subject.missing[0]]
        checks: dict[str, CheckResult] = {}
        for name, asked, look in (
            ("layers", options.layers, lambda: sections.layers(subject, reference, first)),
            ("dumps", options.dumps, lambda: sections.dumps(options, subject, reference, first, runners)),
            ("clip", opened and whole, lambda: sections.clip(options, subject, reference, whole, opened)),
            ("fp16", options.fp16, lambda: sections.half(subject, first, runners)),
        ):
            if asked:
                with stages(name):
                    _look(name, look, checks, problems)
        if root:  # every run of a graph is a stage of its own, for each takes seconds
            _look("arm", lambda: sections.arm(options, subject, reference, first, root, stages), checks, problems)
        result = VerifyResult(
            arch=options.arch,
            export=options.folder,
            subject=subject,
            files=tuple(files),
            checksums=checksums,
            missing=missing,
            reference=reference.about,
            weights=reference.checkpoint,
            verification=verification,
            checks=checks,
            problems=tuple(problems),
            tools=tool_versions(_packages(subject)),
        )
        if options.reports:
            with stages(LAST_STAGE) as notes:
                _write_reports(options, result)
                notes.append(", ".join(map(str, options.reports)))
    if not result:
        raise VerificationError("; ".join(result.problems), result=result)
    return result


def _checked(options: VerifyOptions, subject: Subject) -> ArmRoot | None:
    """Refuse what cannot be run; what runs the emulated ARM cpu, where it was asked for."""
    formats = subject.tracker.formats
    for format in formats:
        check_runtime(format)
    for option, asked in (("--fp16-report", options.fp16), ("--runtime ncnn-arm64", options.arm)):
        if asked and "ncnn" not in formats:
            raise UsageError(f"{option} is about ncnn's half kernels, and there is no ncnn model here")
    if not options.arm:
        return None
    check_tolerances(subject.tracker.network, options.arm.modes)
    return arm_root(options.arm.root)


def _feeds(options: VerifyOptions, subject: Subject) -> list[list[Feed]]:
    """What to run the network on, for each of the subject's trackers; nothing where golden vectors say it."""
    return [network_feeds(options, subject, tracker) for tracker in subject.trackers] if options.checkpoint else []


def _comparisons(
    options: VerifyOptions,
    subject: Subject,
    reference: Reference,
    feeds: Sequence[list[Feed]],
    opened: OpenedClip | None,
) -> list[Comparison]:
    if reference.golden:
        return compared_with_golden(options, subject, reference.golden)
    crops = opened.feed(reference, subject.tracker) if opened else None
    given = [[*feeds[0], *([crops] if crops else [])], *feeds[1:]]
    if len(given) > 1:
        given = [
            [feed.at(tracker.network.sizes) for feed in each]
            for tracker, each in zip(subject.trackers, given, strict=True)
        ]
    return compared_with_network(options, subject, reference, given)


def _look(name: str, look: Callable[[], CheckResult], checks: dict[str, CheckResult], problems: list[str]) -> None:
    """What was asked for beside the proof; one that cannot be carried out is a failure among the others."""
    try:
        checks[name] = look()
    except ConversionError as error:
        problems.append(f"{name}: {error}")
        return
    if not checks[name]:
        problems.append(checks[name].failure())


def check_options(options: VerifyOptions) -> sections.OpenedClip | None:
    """Refuse what could only fail after minutes of work.

    Returns:
        the clip, when there is one.

    Raises:
        UsageError: naming the option.
    """
    if options.layers and options.checkpoint is None:
        raise UsageError("--layers walks through the network: pass --resume CHECKPOINT")
    if options.reports:
        from converter.report.writing import check_report_path

        for path in options.reports:
            check_report_path(path)
    if options.write_golden:
        if options.checkpoint is None:
            raise UsageError("--write-golden wants the network's answers: pass --resume CHECKPOINT")
        check_target(options.write_golden, GOLDEN_INDEX, "--write-golden")
    return sections.opened_clip(options)


def _packages(subject: Subject) -> list[str]:
    return ["torch", "numpy", *(format_of(format).packages[-1] for format in subject.tracker.formats)]


def _checksums(subject: Subject) -> dict[Path, str | None]:
    """sha256 of every file of the models, None where it is missing."""
    paths = dict.fromkeys(path for model in subject.tracker.models for path in model.paths(subject.folder))
    return {path: sha256(path) if path.is_file() else None for path in paths}


def _missing(subject: Subject) -> tuple[Missing, ...]:
    """What each format lacks of a tracker's graphs, at every size."""
    return tuple(
        Missing(format, graphs, tracker.network.sizes)
        for tracker, lacking in zip(subject.trackers, subject.missing, strict=True)
        for format, graphs in lacking.items()
    )


def _lacking(options: VerifyOptions, subject: Subject, missing: Sequence[Missing]) -> list[str]:
    """Missing graphs as problems, unless the parts are to be verified alone."""
    if not options.partial:
        return [
            f"{listed(each.graphs)} of {each.format} is missing, and without it this is no tracker; "
            "add it, or pass --partial to verify the parts alone"
            for each in missing
        ]
    if options.clip and all(format in subject.missing[0] for format in subject.tracker.formats):
        raise UsageError(f"--clip: {listed(missing[0].graphs)} is missing, and parts do not track; leave it out")
    return []


@contextmanager
def isolated_runners(subject: Subject, tracker: TrackerModels) -> Iterator[dict[Model, IsolatedRunner]]:
    """What runs the models, each in a process of its own that ends with the block."""
    with ExitStack() as running:
        runners = {}
        for model in tracker.models:
            runners[model] = IsolatedRunner(model.format, model.paths(subject.folder), model.graph)
            running.callback(runners[model].stop)
        yield runners


def _verify(
    subject: Subject, comparisons: Sequence[Comparison], runners: Mapping[Model, IsolatedRunner], problems: list[str]
) -> Verification:
    """The proof of the export, once more; a model that does not load or crashes has failed it.

    Args:
        runners: at the first size.
        problems: are added to.
    """
    histograms, failed = ErrorHistograms(), set[str]()
    checks = _checks(comparisons[0], runners, histograms, failed, problems)
    for comparison in comparisons[1:]:
        with isolated_runners(subject, comparison.tracker) as others:
            checks += _checks(comparison, others, histograms, failed, problems)
    report = Report(tuple(checks))
    if checks and not report:
        problems.append(report.failure())
    problems += _not_compared(subject, checks, failed)
    return Verification(
        report=report,
        failed=frozenset(failed),
        candidates={name: format_of(name).runtime for name in subject.tracker.formats},
        sizes=tuple(comparison.tracker.network.sizes for comparison in comparisons),
        feeds=tuple(feed.name for comparison in comparisons for feed in comparison.feeds),
        tolerances=comparisons[0].tolerances,
        histograms=histograms.rows(),
    )


def _checks(
    comparison: Comparison,
    runners: Mapping[Model, IsolatedRunner],
    histograms: ErrorHistograms,
    failed: set[str],
    problems: list[str],
) -> list[Check]:
    """The checks at one size; formats whose models did not run are added to ``failed``."""
    checks = []
    for format in comparison.tracker.formats:
        try:
            for model in comparison.tracker.of(format):
                runners[model].load()
            checks += verify(comparison, format, runners, histograms.observe)
        except ConversionError as error:
            failed.add(format)
            if str(error) not in problems:  # a file that serves several sizes fails alike at each
                problems.append(str(error))
    return checks


def _not_compared(subject: Subject, checks: Sequence[Check], failed: Collection[str]) -> list[str]:
    """A model whose outputs were compared with nothing is not verified, whatever became of the others."""
    compared = {(check.format, check.graph) for check in checks}
    models = [model for tracker in subject.trackers for model in tracker.models if model.format not in failed]
    names = dict.fromkeys((model.format, model.graph.name) for model in models)
    return [
        f"{format} {graph} was compared with nothing, so nothing is proved about it"
        for format, graph in names
        if (format, graph) not in compared
    ]


def _write_reports(options: VerifyOptions, result: VerifyResult) -> None:
    from converter.report.writing import write_report

    report = report_of(result, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    for path in options.reports:
        write_report(path, report)
