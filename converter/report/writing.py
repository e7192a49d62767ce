"""Reports as files: which name means which language, and how they appear."""

import contextlib
import os
import secrets
from pathlib import Path

from converter.errors import ConversionError, UsageError
from converter.report.blocks import Report
from converter.report.html import html_of
from converter.report.markdown import markdown_of

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
        folder = path.resolve().parent  # a link is followed, so that it stays one
        if not folder.exists():
            raise UsageError(f"--report {path}: no folder {folder}; make it first")
        if not folder.is_dir():
            raise UsageError(f"--report {path}: {folder} is not a folder")
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "a link that leads to itself"
        raise UsageError(f"--report {str(path)[:80]}: {reason}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"--report {path}: no permission to write to {folder}")


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
    _replace(path, LANGUAGES[path.suffix.lower()](report).encode("utf-8", "replace"))


def _replace(path: Path, data: bytes) -> None:
    target = path.resolve()
    aside = target.with_name(f".{target.name[:80]}.{secrets.token_hex(4)}.part")
    try:
        try:
            aside.write_bytes(data)
            os.replace(aside, target)
        finally:
            with contextlib.suppress(OSError):
                aside.unlink()
    except OSError as error:
        raise ConversionError(f"cannot write {path}: {error.strerror}; the report is lost, the result is not") from None
