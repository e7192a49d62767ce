"""From a Report to Markdown."""

import re
from collections.abc import Iterable

from markupsafe import Markup

from converter.report.blocks import BAD, RIGHT, Graph, Report, Table
from converter.report.levels import sign_legend, sign_lines
from converter.report.templating import Filters, render

# Rows of a long table that a pull request is spared.
MOST_ROWS = 40
_SPECIAL = re.compile(r"([\\`*_\[\]~|#!])")


def markdown_of(report: Report) -> str:
    """GitHub's Markdown, short enough for a comment."""
    filters: Filters = {"md": markdown_text, "md_table": markdown_table, "md_code": markdown_code, "md_graph": _graph}
    text = render("summary.md.j2", filters, report=report)
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
        cells: list[str] = [markdown_text(cell) for cell in row.cells]
        if row.state == BAD:
            cells = [f"**{cell}**" if cell else cell for cell in cells]
        lines.append(_line(cells))
    if len(table.rows) > len(kept):
        lines += ["", f"… and {len(table.rows) - len(kept)} more rows."]
    return Markup("\n".join(lines))


def markdown_code(text: str) -> Markup:
    """Text to copy, as it is; no run of backticks in it ends it."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return Markup(f"{fence}text\n{text}\n{fence}")


def _graph(graph: Graph) -> Markup:
    return Markup("\n\n").join([markdown_text(sign_legend(graph)), markdown_code("\n".join(sign_lines(graph)))])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
