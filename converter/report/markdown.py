"""From a Report to Markdown."""

import re
from collections.abc import Iterable

from markupsafe import Markup

from converter.report.blocks import BAD, RIGHT, Report, Table
from converter.report.templating import render

# Rows of a long table that a pull request is spared.
MOST_ROWS = 40
_SPECIAL = re.compile(r"([\\`*_\[\]~|#!])")


def markdown_of(report: Report) -> str:
    """GitHub's Markdown, short enough for a comment."""
    text = render("summary.md.j2", report, {"md": markdown_text, "md_table": markdown_table})
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


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
