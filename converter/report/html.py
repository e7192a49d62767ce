"""From a Report to a page."""

from converter.report.blocks import Charts, Graph, Report
from converter.report.charts import layer_graph
from converter.report.templating import render


def html_of(report: Report) -> str:
    """A whole page that needs nothing else."""
    return render("page.html.j2", report, {"drawn": _drawn})


def _drawn(graph: Graph) -> Charts:
    return Charts((layer_graph(graph),))
