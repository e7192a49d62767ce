"""From a Report to a page."""

import re
from html import escape

from markupsafe import Markup
from markupsafe import escape as escaped

from converter.report.blocks import Charts, Graph, Report
from converter.report.charts import layer_graph
from converter.report.templating import render

NO_STYLE = Markup()


def html_of(report: Report) -> str:
    """A whole page that needs nothing else."""
    return render("page.html.j2", {"drawn": _drawn, "whole": _whole}, report=report, title=report.title, style=NO_STYLE)


def page(title: str, body: Markup, style: Markup = NO_STYLE) -> str:
    """A whole page in the reports' style, of HTML that was made elsewhere.

    Args:
        style: beside the reports' own.
    """
    return render("base.html.j2", {}, title=title, body=body, style=style)


def frame_of(report: Report) -> str:
    """The page in a frame of a notebook, whose styles it does not touch; it runs no scripts there."""
    page, title = escape(html_of(report)), escape(report.title)
    style = "width: 100%; height: 36rem; border: 0; resize: vertical"
    return f'<iframe title="{title}" srcdoc="{page}" sandbox style="{style}"></iframe>'


def _drawn(graph: Graph) -> Charts:
    return Charts((layer_graph(graph),))


def _whole(text: str) -> Markup:
    """A text whose options are not broken behind a dash."""
    return Markup(re.sub(r"(?<![\w-])--[a-z][\w-]*", r'<span class="option">\g<0></span>', str(escaped(text))))
