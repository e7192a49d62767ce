"""check(options): models -> network -> feeds -> reference outputs -> comparisons -> checks -> verdict."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from converter.checks.arm.root import ArmRoot, arm_root
from converter.checks.arm.tolerances import check_tolerances
from converter.errors import ConversionError, UsageError, VerificationError
from converter.folder.exported import describe, file_problems
from converter.folder.golden_index import GOLDEN_INDEX
from converter.folder.listing import GENERATOR, SCHEMA_VERSION, tool_versions
from converter.folder.workspace import check_target
from converter.formats.format import FORMATS, check_runtime
from converter.formats.isolated import IsolatedRunner
from converter.proof.comparison import Comparison
from converter.proof.feeds import Feed
from converter.proof.histogram import ErrorHistograms
from converter.proof.verify import Check, Report, verify
from converter.report.text import listed
from converter.spec.model import Model, TrackerModels
from converter.spec.options import VerifyOptions
from converter.util.stages import Progress, Stages
from converter.util.version import version
from converter.verifying import sections
from converter.verifying.golden import write_vectors
from converter.verifying.reference import (
    Reference,
    compared_with_golden,
    compared_with_network,
    network_feeds,
    reference_of,
)
from converter.verifying.sections import OpenedClip
from converter.verifying.subject import Subject, subject_of

log = logging.getLogger(__name__)

LAST_STAGE = "report"


@dataclass
class Findings:
    """What has been found so far.

    Attributes:
        result: the JSON object, section by section.
        problems: what failed, a phrase each; the verdict is "passed" when there are none.
        packages: whose versions belong to it.
        thumbnails: (frame, picture) of the clip's worst frames, for the report.
    """

    result: dict[str, Any]
    packages: list[str]
    problems: list[str] = field(default_factory=list)
    thumbnails: tuple = ()

    def add(self, name: str, section: Any) -> None:
        """Take in a section: true when it passed, with as_dict() and failure()."""
        self.result[name] = section.as_dict()
        if not section:
            self.problems.append(section.failure())


def check(options: VerifyOptions, progress: Progress | None = None) -> dict[str, Any]:
    """Verify models, and write what was asked for.

    Args:
        options: see :class:`converter.spec.options.VerifyOptions`.
        progress: told when a stage begins and ends.

    Returns:
        The result, as ``lt-verify --json`` prints it; its verdict is "passed".

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
            findings = Findings(_header(options, subject), _packages(subject))
            _check_files(subject, findings)
            _check_whole(options, subject, findings)
            notes.append(", ".join(map(str, subject.tracker.models)))
        with stages("reference") as notes:
            if options.checkpoint:
                options.check_checkpoint()
                from converter.network.load import one_thread

                running.enter_context(one_thread())
            feeds = _feeds(options, subject)
            reference = reference_of(options, subject)
            comparisons = _comparisons(options, subject, reference, feeds, opened)
            findings.result["reference"] = reference.about
            findings.result["resume"] = reference.checkpoint
            notes.append(f"{sum(len(comparison.feeds) for comparison in comparisons)} inputs")
        if options.write_golden and options.golden_from == "torch":
            with stages("golden") as notes:
                write_vectors(options, subject, reference.network, comparisons, reference.about)
                notes.append(str(options.write_golden))
        runners = running.enter_context(isolated_runners(subject, subject.tracker))
        with stages("verify"):
            ran = _verify(subject, comparisons, runners, findings)
            _check_compared(subject, ran, findings)
        first = comparisons[0]
        whole = [format for format in ran if format not in subject.missing[0]]
        for name, asked, look in (
            ("layers", options.layers, lambda: sections.layers(subject, reference, first)),
            ("dumps", options.dumps, lambda: sections.dumps(options, subject, reference, first, runners)),
            ("clip", opened and whole, lambda: sections.clip(options, subject, reference, whole, opened)),
            ("fp16", options.fp16, lambda: sections.half(subject, first, runners)),
        ):
            if asked:
                with stages(name):
                    _look(name, look, findings)
        if root:  # every run of a graph is a stage of its own, for each takes seconds
            _look("arm", lambda: sections.arm(options, subject, reference, first, root, stages), findings)
        _judge(findings)
        if options.reports:
            with stages(LAST_STAGE) as notes:
                _write_reports(options, findings)
                notes.append(", ".join(map(str, options.reports)))
    if findings.problems:
        raise VerificationError("; ".join(findings.problems), result=findings.result)
    return findings.result


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


def _look(name: str, look: Callable[[], Any], findings: Findings) -> None:
    """What was asked for beside the proof; one that cannot be carried out is a failure among the others."""
    try:
        section = look()
    except ConversionError as error:
        findings.problems.append(f"{name}: {error}")
        return
    findings.add(name, section)
    findings.thumbnails = getattr(section, "thumbnails", findings.thumbnails)


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
        from converter.report import check_report_path

        for path in options.reports:
            check_report_path(path)
    if options.write_golden:
        if options.checkpoint is None:
            raise UsageError("--write-golden wants the network's answers: pass --resume CHECKPOINT")
        check_target(options.write_golden, GOLDEN_INDEX, "--write-golden")
    return sections.opened_clip(options)


def _header(options: VerifyOptions, subject: Subject) -> dict[str, Any]:
    manifest, tracker = subject.manifest, subject.tracker
    return {
        "schema_version": SCHEMA_VERSION,
        "generator": {"name": GENERATOR, "version": version(), "command": "lt-verify"},
        "verdict": None,
        "folder": str(options.folder) if options.folder else None,
        "arch": options.arch,
        "path_name": tracker.network.path_name,
        "checkpoint": manifest.checkpoint.model_dump(mode="json") if manifest else None,
        "precision": manifest.precision if manifest else None,
        "sizes": tracker.dimensions.numbers(),
        "models": [describe(model, subject.folder) for model in tracker.models],
    }


def _packages(subject: Subject) -> list[str]:
    return ["torch", "numpy", *(FORMATS[format].packages[-1] for format in subject.tracker.formats)]


def _check_files(subject: Subject, findings: Findings) -> None:
    if subject.manifest is None:
        findings.result["files"] = {"status": "no manifest", "problems": []}
        return
    problems = file_problems(subject.folder, subject.manifest)
    findings.result["files"] = {"status": "failed" if problems else "passed", "problems": problems}
    findings.problems += [f"{problem['file']} {problem['problem']}" for problem in problems]


def _check_whole(options: VerifyOptions, subject: Subject, findings: Findings) -> None:
    """Whether each format has all graphs of a tracker, at every size."""
    findings.result["missing"] = missing = [
        {"format": format, "graphs": list(graphs), "sizes": list(tracker.network.sizes)}
        for tracker, lacking in zip(subject.trackers, subject.missing, strict=True)
        for format, graphs in lacking.items()
    ]
    if not options.partial:
        findings.problems += [
            f"{listed(each['graphs'])} of {each['format']} is missing, and without it this is no tracker; "
            "add it, or pass --partial to verify the parts alone"
            for each in missing
        ]
    elif options.clip and all(format in subject.missing[0] for format in subject.tracker.formats):
        raise UsageError(f"--clip: {listed(missing[0]['graphs'])} is missing, and parts do not track; leave it out")


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
    subject: Subject, comparisons: Sequence[Comparison], runners: Mapping[Model, IsolatedRunner], findings: Findings
) -> list[str]:
    """The proof of the export, once more; a model that does not load or crashes has failed it.

    Args:
        runners: at the first size.

    Returns:
        the formats whose models ran.
    """
    histograms, failed = ErrorHistograms(), set()
    checks = _checks(comparisons[0], runners, histograms, findings, failed)
    for comparison in comparisons[1:]:
        with isolated_runners(subject, comparison.tracker) as others:
            checks += _checks(comparison, others, histograms, findings, failed)
    report = Report(tuple(checks))
    if checks and not report:
        findings.problems.append(report.failure())
    findings.result["verification"] = {
        "status": "passed" if report and not failed else "failed",
        "candidates": {name: FORMATS[name].runtime for name in subject.tracker.formats},
        "sizes": [list(comparison.tracker.network.sizes) for comparison in comparisons],
        "feeds": [feed.name for comparison in comparisons for feed in comparison.feeds],
        "tolerances": {name: tolerance.model_dump() for name, tolerance in comparisons[0].tolerances.items()},
        "checks": [check.as_dict() for check in checks],
    }
    findings.result["histograms"] = histograms.as_list()
    return [format for format in subject.tracker.formats if format not in failed]


def _checks(
    comparison: Comparison,
    runners: Mapping[Model, IsolatedRunner],
    histograms: ErrorHistograms,
    findings: Findings,
    failed: set[str],
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
            if str(error) not in findings.problems:  # a file that serves several sizes fails alike at each
                findings.problems.append(str(error))
    return checks


def _check_compared(subject: Subject, ran: Sequence[str], findings: Findings) -> None:
    """A model whose outputs were compared with nothing is not verified, whatever became of the others."""
    compared = {(check["format"], check["graph"]) for check in findings.result["verification"]["checks"]}
    models = [model for tracker in subject.trackers for model in tracker.models if model.format in ran]
    for format, graph in dict.fromkeys((model.format, model.graph.name) for model in models):
        if (format, graph) not in compared:
            findings.problems.append(f"{format} {graph} was compared with nothing, so nothing is proved about it")


def _judge(findings: Findings) -> None:
    result = findings.result
    result["verdict"] = "failed" if findings.problems else "passed"
    result["problems"] = findings.problems
    result["tools"] = tool_versions(findings.packages)


def _write_reports(options: VerifyOptions, findings: Findings) -> None:
    from converter.report import write_report

    thumbnails = [("", frame, picture) for frame, picture in findings.thumbnails]
    for path in options.reports:
        write_report(path, findings.result, thumbnails)
