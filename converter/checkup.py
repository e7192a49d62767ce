"""check(options): the models of an export, or of somebody else -> proof, and what else was asked for -> one result."""

import logging
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from converter import __version__
from converter.errors import ConversionError, UsageError, VerificationError
from converter.exported import describe, file_problems
from converter.formats import FORMATS, check_runtime
from converter.histogram import ErrorHistograms
from converter.manifest import GENERATOR, GOLDEN_INDEX, SCHEMA_VERSION, tool_versions
from converter.plan import StageCallback, Stages
from converter.publish import check_target
from converter.reference import reference_for, write_vectors
from converter.runners.isolated import IsolatedRunner
from converter.spec import VerifyOptions
from converter.subject import subject_of

log = logging.getLogger(__name__)


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
        options: see :class:`converter.spec.VerifyOptions`.
        on_stage: told when a stage begins and ends.

    Returns:
        The result, as ``lt-verify --json`` prints it; its verdict is "passed".

    Raises:
        VerificationError: with the same result, when anything that was asked for failed.
        ConverterError: of another kind when it could not be verified.
    """
    stages = Stages(on_stage)
    check_options(options)
    with ExitStack() as running:
        with stages("models") as notes:
            subject = subject_of(options)
            for format in subject.formats:
                check_runtime(format)
            findings = Findings(_header(options, subject), _packages(subject))
            _check_files(options, subject, findings)
            notes.append(", ".join(f"{model.format} {model.graph.name}" for model in subject.models))
        with stages("reference") as notes:
            reference = reference_for(options, subject, running)
            findings.result["reference"] = reference.about
            notes.append(f"{len(reference.feeds)} inputs")
        if options.write_golden:
            with stages("golden") as notes:
                write_vectors(options, subject, reference)
                notes.append(str(options.write_golden))
        with stages("verify"):
            runners = _runners(subject, running)
            _verify(options, subject, runners, reference, findings)
    return _verdict(findings)


def check_options(options: VerifyOptions) -> None:
    """Refuse what could only fail after minutes of work.

    Raises:
        UsageError: naming the option.
    """
    if options.write_golden:
        if options.checkpoint is None:
            raise UsageError("--write-golden wants the network's answers: pass --resume CHECKPOINT")
        check_target(options.write_golden, GOLDEN_INDEX, "--write-golden")


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
        "sizes": subject.dimensions,
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


def _runners(subject, running) -> dict[tuple[str, str], IsolatedRunner]:
    runners = {}
    for model in subject.models:
        runner = IsolatedRunner(model.format, model.files, model.graph)
        running.callback(runner.stop)
        runners[model.format, model.graph.name] = runner
    return runners


def _verify(options, subject, runners, reference, findings):
    """The proof of the export, once more; a model that does not load or crashes has failed it."""
    from converter.verify import Report, verify

    tolerances = subject.tolerances(options)
    histograms = ErrorHistograms()
    checks = []
    for format in subject.formats:
        graphs = subject.graphs(format)
        own = {graph.name: runners[format, graph.name] for graph in graphs}
        try:
            for runner in own.values():
                runner.load()
            checks += verify(
                *(format, graphs, own, reference.feeds, reference.answers, tolerances),
                *(subject.network.decision, histograms.observe),
            )
        except ConversionError as error:
            findings.problems.append(str(error))
    report = Report(tuple(checks))
    if checks and not report:
        findings.problems.append(report.failure())
    findings.result["verification"] = {
        "status": "passed" if report and not findings.problems else "failed",
        "candidates": {name: FORMATS[name].runtime for name in subject.formats},
        "feeds": [feed.name for feed in reference.feeds],
        "tolerances": {name: tolerance.model_dump() for name, tolerance in tolerances.items()},
        "checks": [check.as_dict() for check in checks],
    }
    findings.result["histograms"] = histograms.as_list()


def _verdict(findings) -> dict[str, Any]:
    result = findings.result
    result["verdict"] = "failed" if findings.problems else "passed"
    result["problems"] = findings.problems
    result["tools"] = tool_versions(findings.packages)
    if findings.problems:
        raise VerificationError("; ".join(findings.problems), result=result)
    return result
