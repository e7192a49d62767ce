"""From a Report to a page."""

from converter.report.blocks import Report
from converter.report.templating import render


def html_of(report: Report) -> str:
    """A whole page that needs nothing else."""
    return render("page.html.j2", report)
