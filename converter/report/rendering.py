"""From a Report to HTML or Markdown, with the templates beside this module."""

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from converter.report.blocks import BAD, NOTE, OK, OPEN, RIGHT, Report, Table

# Rows of a long table that a pull request is spared.
MOST_ROWS = 40
STATES = {OK: "passed", BAD: "failed", NOTE: "", OPEN: "not checked"}
_SPECIAL = re.compile(r"([\\`*_\[\]~|#!])")


def html_of(report: Report) -> str:
    """A whole page that needs nothing else."""
    return _environment().get_template("page.html.j2").render(report=report, states=STATES)


def markdown_of(report: Report) -> str:
    """GitHub's Markdown, short enough for a comment."""
    text = _environment().get_template("summary.md.j2").render(report=report, states=STATES)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def markdown_text(text: str) -> Markup:
    """Words of others in one line of Markdown: nothing in them is a heading, a cell's end, a tag or a mention."""
    line = _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Markup(line.replace("@", "@\u200b").replace("://", ":\u200b//"))


def markdown_table(table: Table) -> Markup:
    """A table whose every line has as many cells; failed rows in bold, and only the first of very many."""
    kept = table.rows[:MOST_ROWS]
    lines = [
        _line(markdown_text(column.title) or " " for column in table.columns),
        _line("--:" if column.align == RIGHT else "---" for column in table.columns),
    ]
    for row in kept:
        cells = [markdown_text(cell) for cell in row.cells]
        if row.state == BAD:
            cells = [f"**{cell}**" if cell else cell for cell in cells]
        lines.append(_line(cells))
    if len(table.rows) > len(kept):
        lines += ["", f"… and {len(table.rows) - len(kept)} more rows."]
    return Markup("\n".join(lines))


def _line(cells):
    return f"| {' | '.join(cells)} |"


def _kind(block):
    return type(block).__name__.lower()


@cache
def _environment():
    environment = Environment(
        loader=PackageLoader("converter.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(md=markdown_text, md_table=markdown_table, kind=_kind)
    return environment
