"""Reports as files: which name means which language, and how they appear."""

from pathlib import Path

from converter.errors import ConversionError, UsageError
from converter.report.blocks import Report
from converter.report.html import html_of
from converter.report.markdown import markdown_of
from converter.util.atomic import obstacle_to_file, replacing

MARK = b"lighttrack-export report"  # in both templates; it tells an earlier report of ours
LANGUAGES = {".html": html_of, ".htm": html_of, ".md": markdown_of}


def check_report_path(path: Path) -> None:
    """Refuse a file that could not be written, before any work is done.

    Raises:
        UsageError: for another suffix, a folder, or a place that is missing or closed.
    """
    if path.suffix.lower() not in LANGUAGES:
        raise UsageError(f"--report {path}: expected .html or .md")
    if reason := obstacle_to_file(path, MARK):
        raise UsageError(f"--report {path}: {reason}")


def write_report(path: Path, report: Report) -> None:
    """Write a report as a page or as Markdown.

    The file appears whole or not at all; an earlier one stays until then.

    Args:
        path: ends in .html, .htm or .md; Markdown has no pictures.

    Raises:
        UsageError: as :func:`check_report_path`.
        ConversionError: when it cannot be written.
    """
    check_report_path(path)
    text = LANGUAGES[path.suffix.lower()](report)
    try:
        with replacing(path) as draft:
            draft.write_bytes(text.encode("utf-8", "replace"))
    except OSError as error:
        raise ConversionError(f"cannot write {path}: {error.strerror}; the report is lost, the result is not") from None
