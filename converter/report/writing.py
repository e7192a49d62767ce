"""Reports as files: which name means which language, and how they appear."""

from pathlib import Path

from converter.errors import ConversionError, UsageError
from converter.report.blocks import Report
from converter.report.html import html_of
from converter.report.markdown import markdown_of
from converter.util.atomic import obstacle, replacing

LANGUAGES = {".html": html_of, ".htm": html_of, ".md": markdown_of}


def check_report_path(path: Path) -> None:
    """Refuse a file that could not be written, before any work is done.

    Raises:
        UsageError: for another suffix, a folder, or a place that is missing or closed.
    """
    if path.suffix.lower() not in LANGUAGES:
        raise UsageError(f"--report {path}: expected .html or .md")
    try:
        if path.is_dir():
            raise UsageError(f"--report {path}: is a folder, expected a file to write")
        if reason := obstacle(path.resolve()):  # a link is followed, so that it stays one
            raise UsageError(f"--report {path}: {reason}")
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "a link that leads to itself"
        raise UsageError(f"--report {str(path)[:80]}: {reason}") from None


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
