"""What a run leaves for a CI service: test cases as JUnit's XML, annotations, and GitHub's job summary."""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from converter.cli.github import annotates, annotation, append_summary, summary_file
from converter.cli.terminal import put
from converter.errors import VerificationError
from converter.util import process
from converter.util.atomic import obstacle_to_file

if TYPE_CHECKING:
    from converter.report.blocks import Report
    from converter.report.junit import Case

log = logging.getLogger(__name__)

JUNIT_MARK = b'" name="lt-'  # tells an earlier file of ours


@dataclass
class CiOutput:
    """Where a run leaves what, and what it is about.

    Attributes:
        program: the command's name.
        junit: the file of ``--junit``.
        file: what an annotation is about: the checkpoint, or the manifest of the models.
        result: of a run that passed: an Exported, a VerifyResult or a MatrixResult; of lt-matrix, of any that ended.
    """

    program: str
    junit: Path | None = None
    file: Path | None = None
    result: object = None

    def leave(self, error: BaseException | None = None, line: str = "") -> None:
        """Write everything that was asked for; only what ``--junit`` asked for has to work out.

        Args:
            error: what ended the run early; ``line`` is what the user is told about it.

        Raises:
            ConversionError: when the XML cannot be written.
        """
        if error is None and self.result is None:  # --help, --version: nothing was run
            return
        if error is not None and annotates():
            put(annotation(line, self.file), sys.stderr)
        summary = summary_file()
        if not (summary or self.junit):
            return
        told = told_of(_carried(error) if isinstance(error, VerificationError) else self.result)
        if summary:
            self._append(summary, told, error, line)
        if self.junit:
            self._write_junit(self.junit, told, error, line)

    def _append(self, summary: Path, told: "Told | None", error: BaseException | None, line: str) -> None:
        written = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        unfinished = error is not None and not isinstance(error, VerificationError)
        report = _unfinished(self.program, line, written) if told is None or unfinished else told.page(line, written)
        try:
            append_summary(summary, report)
        except (OSError, ValueError) as failure:
            reason = getattr(failure, "strerror", None) or failure
            log.warning("the job summary %s lacks this run: %s", summary, reason)

    def _write_junit(self, path: Path, told: "Told | None", error: BaseException | None, line: str) -> None:
        from converter.report.junit import ERROR, FAILED, PASSED, SKIPPED, Case, Suite, write_junit

        cases = list(told.cases) if told else []
        verified = isinstance(error, VerificationError)
        failed = any(each.outcome not in (PASSED, SKIPPED) for each in cases)
        if error is not None and not (verified and failed):
            cases.append(Case("run", "complete", FAILED if verified else ERROR, line))
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
        write_junit(path, Suite(self.program, cases, process.age(), now))


@dataclass(frozen=True)
class Told:
    """A run's result as test cases, and as a report of (what the user is told, when)."""

    cases: "list[Case]"
    page: "Callable[[str, str], Report]"


def _carried(error: VerificationError) -> object:
    # not by its truth: a result that failed is false
    return error.report if error.result is None else error.result


def told_of(result: object) -> Told | None:
    """What there is to tell of a result, or of the part of one that an error carries."""
    if result is None:
        return None
    from converter.exporting import page
    from converter.exporting.made import Exported, Refused
    from converter.matrix import page as matrix_page
    from converter.matrix.run import MatrixResult
    from converter.proof.verify import Report as Proof
    from converter.verifying.cases import cases_of
    from converter.verifying.page import report_of
    from converter.verifying.result import VerifyResult

    if isinstance(result, VerifyResult):
        return Told(cases_of(result), lambda _, written: report_of(result, written))
    if isinstance(result, MatrixResult):
        return Told(matrix_page.cases_of(result), lambda _, written: matrix_page.report_of(result, written))
    if isinstance(result, Exported):
        cases = page.export_cases(result.report, result.steps, result.arm)
        return Told(cases, lambda _, written: page.report_of(result, written))
    if isinstance(result, Refused):
        found = result.report, result.steps, result.arm
    elif isinstance(result, Proof):
        found = result, None, None
    else:
        return None
    return Told(page.export_cases(*found), lambda line, written: page.refused_page(*found, line, written))


def junit_obstacle(path: Path) -> str | None:
    """Why the file of ``--junit`` is not written; asked before any work is done.

    Its suffix is that of XML, so that words in a wrong order overwrite no model.
    """
    if path.suffix.lower() != ".xml":
        return "expected .xml"
    return obstacle_to_file(path, JUNIT_MARK)


def _unfinished(program: str, line: str, written: str) -> "Report":
    from converter.report.blocks import BAD, Report, Section

    return Report(
        title=f"Not finished: {program}",
        passed=False,
        verdict="Not finished",
        sentence=line,
        problems=(),
        not_checked=(),
        facts=(),
        sections=[Section("run", program, BAD, "Nothing was verified.")],
        written=written,
    )
