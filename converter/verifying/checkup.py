"""check(options): the models of an export, or of somebody else -> proof, and what else was asked for -> one result."""

import logging
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from converter import __version__
from converter.checks.arm.job import check_tolerances
from converter.checks.arm.root import arm_root
from converter.errors import ConversionError, UsageError, VerificationError
from converter.exporting.layout import at_sizes
from converter.exporting.plan import StageCallback, Stages
from converter.folder.exported import describe, file_problems
from converter.folder.manifest import GENERATOR, GOLDEN_INDEX, SCHEMA_VERSION, tool_versions
from converter.folder.workspace import check_target
from converter.formats.format import FORMATS, check_runtime
from converter.formats.isolated import IsolatedRunner
from converter.proof.histogram import ErrorHistograms
from converter.report.text import listed
from converter.spec.options import VerifyOptions
from converter.verifying import sections
from converter.verifying.reference import Reference, reference_at, reference_for, write_vectors
from converter.verifying.sections import Case
from converter.verifying.subject import Subject, subjects_of

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


def check(options: VerifyOptions, on_stage: StageCallback | None = None) -> dict[str, Any]:
    """Verify models, and write what was asked for.

    Args:
        options: see :class:`converter.spec.options.VerifyOptions`.
        on_stage: told when a stage begins and ends.

    Returns:
        The result, as ``lt-verify --json`` prints it; its verdict is "passed".

    Raises:
        VerificationError: with the same result, when anything that was asked for failed.
        ConverterError: of another kind when it could not be verified.
    """
    stages = Stages(on_stage)
    with ExitStack() as running:
        with stages("models") as notes:
            opened = check_options(options)
            subjects = subjects_of(options)
            subject = subjects[0]
            for format in subject.formats:
                check_runtime(format)
            for option, asked in (("--fp16-report", options.fp16), ("--runtime ncnn-arm64", options.arm)):
                if asked and "ncnn" not in subject.formats:
                    raise UsageError(f"{option} is about ncnn's half kernels, and there is no ncnn model here")
            arm = _arm_root(options, subject)
            findings = Findings(_header(options, subject), _packages(subject))
            _check_files(options, subject, findings)
            _check_whole(options, subjects, findings)
            notes.append(", ".join(f"{model.format} {model.graph.name}" for model in subject.models))
        with stages("reference") as notes:
            reference = reference_for(options, subject, running, opened.feed if opened else None)
            if subjects[1:] and reference.network:
                reference = replace(reference, feeds=[at_sizes(feed, subject.network) for feed in reference.feeds])
            findings.result["reference"] = reference.about
            findings.result["resume"] = reference.checkpoint
            others = _at_other_sizes(options, subjects[1:], reference)
            inputs = sum(len(each.feeds) for each in (reference, *(one for _, one in others)))
            notes.append(f"{inputs} inputs")
        if options.write_golden and options.golden_from == "torch":
            with stages("golden") as notes:
                write_vectors(options, [(subject, reference), *others])
                notes.append(str(options.write_golden))
        with stages("verify"):
            case = Case(options, subject, reference, _runners(subject, running))
            ran = _verify(case, others, findings)
            _check_compared(subjects, ran, findings)
        _more(case, [format for format in ran if format not in subject.missing], opened, findings, stages)
        if arm:
            _on_arm(case, arm, findings, stages)
        _judge(findings)
        if options.reports:
            with stages(LAST_STAGE) as notes:
                _write_reports(options, findings)
                notes.append(", ".join(map(str, options.reports)))
    if findings.problems:
        raise VerificationError("; ".join(findings.problems), result=findings.result)
    return findings.result


def _arm_root(options, subject):
    """What runs the emulated ARM cpu, looked at before any work; None when nobody asked for it."""
    if not options.arm:
        return None
    check_tolerances(subject.network, options.arm.modes)
    return arm_root(options.arm.root)


def _on_arm(case, root, findings, stages):
    """Every run of a graph is a stage of its own, for each takes seconds."""
    try:
        findings.add("arm", sections.arm(case, root, stages))
    except ConversionError as error:
        findings.problems.append(f"arm: {error}")


def _more(case, whole, opened, findings, stages):
    """What was asked for beside the proof; one that cannot be carried out is a failure among the others.

    Args:
        whole: the formats whose models ran and make a tracker.
    """
    options = case.options
    for name, asked, look in (
        ("layers", options.layers, lambda: sections.layers(case)),
        ("dumps", options.dumps, lambda: sections.dumps(case)),
        ("clip", opened and whole, lambda: sections.clip(case, whole, opened)),
        ("fp16", options.fp16, lambda: sections.half(case)),
    ):
        if not asked:
            continue
        with stages(name):
            try:
                section = look()
            except ConversionError as error:
                findings.problems.append(f"{name}: {error}")
                continue
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


def _header(options, subject) -> dict[str, Any]:
    manifest = subject.manifest
    return {
        "schema_version": SCHEMA_VERSION,
        "generator": {"name": GENERATOR, "version": __version__, "command": "lt-verify"},
        "verdict": None,
        "folder": str(options.folder) if options.folder else None,
        "arch": options.arch,
        "path_name": subject.network.path_name,
        "checkpoint": manifest.checkpoint.model_dump(mode="json") if manifest else None,
        "precision": manifest.precision if manifest else None,
        "sizes": subject.dimensions.numbers(),
        "models": [describe(model) for model in subject.models],
    }


def _packages(subject):
    return ["torch", "numpy", *(FORMATS[format].packages[-1] for format in subject.formats)]


def _check_files(options, subject, findings):
    if subject.manifest is None:
        findings.result["files"] = {"status": "no manifest", "problems": []}
        return
    problems = file_problems(options.folder, subject.manifest)
    findings.result["files"] = {"status": "failed" if problems else "passed", "problems": problems}
    findings.problems += [f"{problem['file']} {problem['problem']}" for problem in problems]


def _check_whole(options, subjects, findings):
    """Whether each format has all graphs of a tracker, at every size."""
    findings.result["missing"] = missing = [
        {"format": format, "graphs": list(graphs), "sizes": list(subject.network.sizes)}
        for subject in subjects
        for format, graphs in subject.missing.items()
    ]
    if not options.partial:
        findings.problems += [
            f"{listed(each['graphs'])} of {each['format']} is missing, and without it this is no tracker; "
            "add it, or pass --partial to verify the parts alone"
            for each in missing
        ]
    elif options.clip and all(format in subjects[0].missing for format in subjects[0].formats):
        raise UsageError(f"--clip: {listed(missing[0]['graphs'])} is missing, and parts do not track; leave it out")


def _runners(subject, running) -> dict[tuple[str, str], IsolatedRunner]:
    runners = {}
    for model in subject.models:
        runner = IsolatedRunner(model.format, model.files, model.graph)
        running.callback(runner.stop)
        runners[model.format, model.graph.name] = runner
    return runners


def _at_other_sizes(options, subjects, reference) -> list[tuple[Subject, Reference]]:
    """What is right at the sizes that the export serves besides."""
    found = []
    for subject in subjects:
        answers = reference_at(reference, options, subject)
        if answers is None:
            log.warning(
                "not verified at %d/%d: there are no golden vectors of it; pass --resume", *subject.network.sizes
            )
        else:
            found.append((subject, answers))
    return found


def _verify(case, others, findings) -> list[str]:
    """The proof of the export, once more; a model that does not load or crashes has failed it.

    Args:
        others: subjects and references at other sizes.

    Returns:
        the formats whose models ran.
    """
    from converter.proof.verify import Report

    subject = case.subject
    tolerances = subject.tolerances(case.options)
    histograms = ErrorHistograms()
    checks, failed = _checks(case, case.runners, tolerances, histograms, findings)
    for other, reference in others:
        with ExitStack() as running:
            again = replace(case, subject=other, reference=reference)
            found, more = _checks(again, _runners(other, running), tolerances, histograms, findings)
            checks, failed = checks + found, failed | more
    pairs = [(subject, case.reference), *others]
    report = Report(tuple(checks))
    if checks and not report:
        findings.problems.append(report.failure())
    findings.result["verification"] = {
        "status": "passed" if report and not failed else "failed",
        "candidates": {name: FORMATS[name].runtime for name in subject.formats},
        "sizes": [list(one.network.sizes) for one, _ in pairs],
        "feeds": [feed.name for _, reference in pairs for feed in reference.feeds],
        "tolerances": {name: tolerance.model_dump() for name, tolerance in tolerances.items()},
        "checks": [check.as_dict() for check in checks],
    }
    findings.result["histograms"] = histograms.as_list()
    return [format for format in subject.formats if format not in failed]


def _check_compared(subjects, ran, findings):
    """A model whose answers were compared with nothing is not verified, whatever became of the others."""
    compared = {(check["format"], check["graph"]) for check in findings.result["verification"]["checks"]}
    models = [model for subject in subjects for model in subject.models if model.format in ran]
    for format, graph in dict.fromkeys((model.format, model.graph.name) for model in models):
        if (format, graph) not in compared:
            findings.problems.append(f"{format} {graph} was compared with nothing, so nothing is proved about it")


def _checks(case, runners, tolerances, histograms, findings) -> tuple[list[Any], set[str]]:
    """The checks at one size, and the formats whose models did not run."""
    from converter.proof.verify import verify

    subject, reference = case.subject, case.reference
    checks, failed = [], set()
    for format in subject.formats:
        graphs = subject.graphs(format)
        own = {graph.name: runners[format, graph.name] for graph in graphs}
        try:
            for runner in own.values():
                runner.load()
            checks += verify(
                *(format, graphs, own, reference.feeds, reference.answers, tolerances),
                *(subject.network.decision, histograms.observe, subject.tie),
            )
        except ConversionError as error:
            failed.add(format)
            if str(error) not in findings.problems:  # a file that serves several sizes fails alike at each
                findings.problems.append(str(error))
    return checks, failed


def _judge(findings):
    result = findings.result
    result["verdict"] = "failed" if findings.problems else "passed"
    result["problems"] = findings.problems
    result["tools"] = tool_versions(findings.packages)


def _write_reports(options, findings):
    from converter.report import write_report

    thumbnails = [("", frame, picture) for frame, picture in findings.thumbnails]
    for path in options.reports:
        write_report(path, findings.result, thumbnails)
