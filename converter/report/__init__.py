"""The result of lt-verify as a page that a reviewer signs, or as Markdown for a pull request."""

from converter.report.writing import check_report_path, write_report

__all__ = ["check_report_path", "write_report"]
