"""A Section on a terminal, in a pipe or in a CI log: the outcome first, and no figure cut, whatever the width."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text as Line

from converter.report.blocks import (
    BAD,
    NOTE,
    OK,
    OPEN,
    RIGHT,
    Block,
    Folded,
    Graph,
    Points,
    Section,
    Table,
    Terms,
    Text,
)
from converter.report.levels import sign_legend, sign_lines

WORDS = {OK: "ok", BAD: "FAILED", NOTE: "", OPEN: "not checked"}
_STYLES = {OK: "green", BAD: "bold red", NOTE: "yellow", OPEN: "dim", "": ""}
_GAP = "  "


def print_section(console: Console, section: Section, verbose: bool = False) -> None:
    """Outcome, title and summary, then texts, points and tables.

    Charts and pictures are never shown; what is folded, long tables and legends only when ``verbose``, a graph also
    where a layer of it is to blame.
    """
    head = " ".join(part for part in (WORDS[section.state], f"{section.title}: {section.summary}") if part)
    _print(console, head, _STYLES[section.state])
    print_blocks(console, section.blocks, verbose)


def print_blocks(console: Console, blocks: Sequence[Block], verbose: bool = False) -> None:
    """Blocks under each other, as ``print_section`` does."""
    for block in blocks:
        match block:
            case Text(text=text, state=state) if text:
                _print(console, text, _STYLES[state])
            case Points(lines=lines, state=state):
                for line in lines:
                    _print(console, f"- {line}", _STYLES[state])
            case Table(long=long) if verbose or not long:
                _print_table(console, block)
            case Terms(pairs=pairs) if verbose:
                for word, meaning in pairs:
                    _print(console, f"{word}: {meaning}", "dim")
            case Graph(nodes=nodes) if verbose or any(node.first_wrong for node in nodes):
                for line in (sign_legend(block), *sign_lines(block)):
                    _print(console, line, "")
            case Folded(summary=summary, blocks=inner) if verbose:
                _print(console, summary, "bold")
                print_blocks(console, inner, verbose)


def _print_table(console: Console, table: Table) -> None:
    """As a table of the columns that fit, the least important left out; stacked where not even those fit."""
    if table.about:
        _print(console, table.about, "dim")
    kept = list(range(len(table.columns)))
    widths = [
        max(map(cell_len, (column.title, *(_flat(row.cells[index]) for row in table.rows))))
        for index, column in enumerate(table.columns)
    ]
    while sum(widths[index] + len(_GAP) for index in kept) - len(_GAP) > console.width:
        least = max(reversed(kept), key=lambda index: table.columns[index].priority)
        if not table.columns[least].priority:
            _print_stacked(console, table)
            return
        kept.remove(least)
    titles = tuple(column.title for column in table.columns)
    for cells, style in [(titles, "bold"), *((row.cells, _STYLES[row.state]) for row in table.rows)]:
        line = (_padded(cells[index], widths[index], table.columns[index].align) for index in kept)
        _print(console, _GAP.join(line).rstrip(), style)


def _print_stacked(console: Console, table: Table) -> None:
    """Every row as its first cell with a line per other cell under it; nothing is left out."""
    for row in table.rows:
        _print(console, row.cells[0], _STYLES[row.state])
        for column, cell in zip(table.columns[1:], row.cells[1:], strict=True):
            if cell:
                _print(console, f"{_GAP}{column.title} {_flat(cell)}", _STYLES[row.state])


def _padded(cell: str, width: int, align: str) -> str:
    text = _flat(cell)
    space = " " * (width - cell_len(text))
    return space + text if align == RIGHT else text + space


def _flat(cell: str) -> str:
    return " ".join(cell.split())


def _print(console: Console, line: str, style: str) -> None:
    """One line that is never cut; a terminal wraps it by itself."""
    console.print(Line(line, style), soft_wrap=True, highlight=False)
