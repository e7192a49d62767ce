"""What GitHub Actions reads of a run: annotations, and the job summary."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from converter.util.paths import why_unusable

if TYPE_CHECKING:
    from converter.report.blocks import Report

SUMMARY_LIMIT = 1024 * 1024  # bytes of a step's summary; GitHub drops all of a longer one
TOO_LONG = "The sections are too long for a job summary; --report FILE has them."


def annotates() -> bool:
    """Whether GitHub reads what this process prints; it reads stdout and stderr alike."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def summary_file() -> Path | None:
    """The job summary of the step under way."""
    named = os.environ.get("GITHUB_STEP_SUMMARY")
    return Path(named) if named else None


def annotation(message: str, file: Path | None) -> str:
    """A workflow command that GitHub shows beside a file of the repository."""
    about = f" file={_escaped(_in_workspace(file)).replace(':', '%3A').replace(',', '%2C')}" if file else ""
    return f"::error{about}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _in_workspace(file: Path) -> str:
    """As GitHub looks for it: from the checkout's folder."""
    workspace = os.environ.get("GITHUB_WORKSPACE")
    if workspace and file.absolute().is_relative_to(workspace):
        return file.absolute().relative_to(workspace).as_posix()
    return str(file)


def append_summary(path: Path, report: "Report") -> None:
    """Append a report to GitHub's job summary; without its sections' contents where that would be too long.

    Raises:
        OSError: when it cannot be written.
        ValueError: for what is no file, and when even the verdict does not fit.
    """
    from converter.report.blocks import Text
    from converter.report.markdown import markdown_of

    if problem := why_unusable(path):
        raise ValueError(problem)
    used = path.stat().st_size if path.exists() else 0
    bare = [replace(section, blocks=()) for section in report.sections]
    if bare:
        bare[-1] = replace(bare[-1], blocks=(Text(TOO_LONG),), folded=False)
    for each in (report, replace(report, sections=bare)):
        text = f"\n{markdown_of(each)}".encode("utf-8", "replace")
        if used + len(text) <= SUMMARY_LIMIT:
            with path.open("ab") as file:
                file.write(text)
            return
    raise ValueError(f"it holds {used} bytes, and GitHub takes {SUMMARY_LIMIT}")
