"""From a Report to a page."""

import re
from html import escape
from importlib.resources import files

from markupsafe import Markup
from markupsafe import escape as escaped

from converter.report.blocks import Charts, Graph, Report
from converter.report.charts import layer_graph
from converter.report.templating import render


def html_of(report: Report) -> str:
    """A whole page that needs nothing else."""
    return render("page.html.j2", report, {"drawn": _drawn, "whole": _whole})


def page(title: str, body: str, style: str = "") -> str:
    """A whole page in the reports' style, of HTML that was made elsewhere.

    Args:
        title, body: escaped already.
        style: beside the reports' own.
    """
    ours = (files("converter.report") / "templates" / "style.css").read_text(encoding="utf-8")
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="generator" content="lighttrack-export report">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{title}</title>\n<style>\n{ours}{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )


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
