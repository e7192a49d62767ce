"""The table as files: CSV, JSON, and a page with a scatter plot and a line a cell that links to its manifest."""

import json
from collections.abc import Callable
from html import escape
from pathlib import Path

from converter.errors import ConversionError
from converter.matrix.run import MatrixResult
from converter.matrix.table import ACCURACY, WITH_AO, Row, csv_of
from converter.report.blocks import BAD, OK, Block, Points, Report, Section, Table, columns
from converter.report.blocks import Row as Line
from converter.report.charts.parts import WIDE, Axes, name_of, small
from converter.report.junit import ERROR, FAILED, PASSED, SKIPPED, Case
from converter.report.svg import drawing, element, round_steps
from converter.report.text import NOTHING, count, now
from converter.report.text import error as error_text
from converter.util.atomic import replacing

HEIGHT = 340
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --front: #c44e52; --cell: #2a6fa8 }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
table { border-collapse: collapse; font-size: 13px; width: 100% } td, th { padding: .25rem .5rem; text-align: right }
td:nth-child(-n+3), th:nth-child(-n+3) { text-align: left; overflow-wrap: anywhere }
tr { border-bottom: 1px solid var(--line) } tr.front { font-weight: 600 } tr.bad { color: #c44e52 }
svg { max-width: 100%; height: auto } svg text { fill: currentColor; font-size: 11px } svg .name { font-size: 13px }
svg .grid, svg .axis { stroke: var(--line) } svg .cell { fill: var(--cell) } svg .front { fill: var(--front) }
"""
_COLUMNS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("update, ms", lambda row: NOTHING if row.latency is None else f"{row.latency:.2f}"),
    ("init, ms", lambda row: NOTHING if row.init_latency is None else f"{row.init_latency:.2f}"),
    ("MB", lambda row: NOTHING if row.bytes is None else f"{row.bytes / 1e6:.2f}"),
    ("error of range", lambda row: error_text(row.error)),
    ("AO", lambda row: NOTHING if row.ao is None else f"{row.ao:.4f}"),
    ("MMACs a frame", lambda row: NOTHING if row.multiply_adds is None else f"{row.multiply_adds / 1e6:,.0f}"),
)


_Figure = tuple[str, Callable[[Row], float | None]]


def write_table(result: MatrixResult) -> None:
    """``table.csv``, ``table.json`` and ``table.html`` in the run's folder, each whole or not at all.

    Raises:
        ConversionError: when one cannot be written.
    """
    folder = result.options.folder
    texts = {
        "table.csv": csv_of(result.rows),
        "table.json": f"{json.dumps(result.as_dict(), indent=2, allow_nan=False)}\n",
        "table.html": page_of(result),
    }
    for name, text in texts.items():
        _write(folder / name, text)


def _write(path: Path, text: str) -> None:
    try:
        with replacing(path) as draft:
            draft.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConversionError(f"cannot write {path}: {error.strerror}; the results are kept") from None


def sentence(result: MatrixResult) -> str:
    """How many cells became what."""
    parts = [f"{result.count(name)} {words}" for name, words in _OUTCOMES if result.count(name)]
    return f"{count(len(result.rows), 'cell')}: {', '.join(parts)}"


_OUTCOMES = (
    ("verified", "verified"),
    ("failed", "not the network that was trained"),
    ("unfinished", "not finished for an error"),
    ("missing", "not done"),
)


def section_of(result: MatrixResult, most: int | None = None) -> Section:
    """The table in words.

    Args:
        most: how many of the best cells to show; those that failed are named anyway.
    """
    shown = [row for row in result.rows if row.verified][:most]
    titles = ("cell", *(f">{title}" for title, _ in _COLUMNS), "Pareto", "asked for")
    rows = [
        Line((row.key, *(show(row) for _, show in _COLUMNS), "yes" if row.front else "", str(row.cell)))
        for row in shown
    ]
    failed = [f"{row.key} {row.cell}: {row.outcome}: {row.message}" for row in result.rows if not row.verified]
    blocks: list[Block] = [Table(columns(*titles), tuple(rows))] if rows else []
    blocks += [Points(tuple(failed), BAD)] if failed else []
    notes = [ACCURACY] if any(row.cell.path_name for row in result.rows) else []
    notes += [f"the table: {result.options.folder / 'table.html'}, table.csv, table.json"]
    blocks.append(Points(tuple(notes)))
    return Section("matrix", "Matrix", OK if result else BAD, f"{sentence(result)}.", tuple(blocks), folded=False)


def report_of(result: MatrixResult, written: str) -> Report:
    """The section as a page of its own.

    Args:
        written: when.
    """
    return Report(
        title=f"Matrix {result.options.plan.name}",
        passed=bool(result),
        verdict="Verified" if result else "Not verified",
        sentence=f"{sentence(result)}.",
        problems=[f"{row.cell}: {row.message}" for row in result.rows if not row.verified],
        not_checked=(),
        facts=[("Models", str(result.options.folder))],
        sections=(section_of(result),),
        written=written,
        sign_off=False,
    )


def cases_of(result: MatrixResult) -> list[Case]:
    """A test case for every cell."""
    outcomes = {"verified": PASSED, "failed": FAILED, "missing": SKIPPED}
    return [Case("cells", str(row.cell), outcomes.get(row.outcome, ERROR), row.message) for row in result.rows]


def page_of(result: MatrixResult) -> str:
    """The whole page."""
    name = escape(Path(result.options.plan.name).name)
    notes = [ACCURACY, *([WITH_AO] if any(row.ao is not None for row in result.rows) else [])]
    titles = "".join(
        f"<th>{escape(title)}</th>" for title in ("cell", "", "outcome", *(title for title, _ in _COLUMNS))
    )
    sort = f"Ranked by {result.options.sort}; in bold the Pareto front of what is known of latency, bytes and AO."
    return (
        "<!doctype html>\n"
        f'<html lang="en"><meta charset="utf-8"><title>{name}</title><style>{_STYLE}</style>\n'
        f"<h1>{name}</h1>\n<p>{escape(sentence(result))}. {escape(sort)}</p>\n"
        f"{''.join(f'<p>{escape(note)}</p>' for note in notes)}\n{_scatter(result.rows)}\n"
        f"<table><thead><tr>{titles}</tr></thead><tbody>\n{''.join(map(_line, result.rows))}</tbody></table>\n"
        f"<p>{escape(now())}</p></html>\n"
    )


def _line(row: Row) -> str:
    name = f'<a href="models/{row.key}/manifest.json">{row.key}</a>' if row.kept else row.key
    words = row.outcome if row.verified or not row.message else f"{row.outcome}: {row.message}"
    figures = "".join(f"<td>{escape(show(row))}</td>" for _, show in _COLUMNS)
    kind = "front" if row.front else "" if row.verified else "bad"
    return f'<tr class="{kind}"><td>{name}</td><td>{escape(str(row.cell))}</td><td>{escape(words)}</td>{figures}</tr>\n'


def _scatter(rows: tuple[Row, ...]) -> str:
    """Latency, or multiply-adds where nothing was measured, against AO, or bytes where none is known."""
    across: _Figure = ("update, ms", lambda row: row.latency)
    if not any(row.latency is not None for row in rows):
        across = ("multiply-adds a frame, millions", lambda row: row.multiply_adds and row.multiply_adds / 1e6)
    up: _Figure = ("AO", lambda row: row.ao)
    if not any(row.ao is not None for row in rows):
        up = ("MB", lambda row: row.bytes and row.bytes / 1e6)
    points = [
        (x, y, row)
        for row in rows
        if row.verified and (x := across[1](row)) is not None and (y := up[1](row)) is not None
    ]
    if not points:
        return ""
    title = f"{up[0]} over {across[0]}"
    xs, ys = _steps([x for x, _, _ in points]), _steps([y for _, y, _ in points])
    axes = Axes.of((WIDE, HEIGHT), 36, (xs[0], xs[-1]), (ys[0], ys[-1]))
    parts = [name_of(title, WIDE)]
    for value in ys:
        parts += axes.tick(value, f"{value:g}")
    for value in xs:
        parts.append(small(f"{value:g}", axes.across(value), axes.frame.bottom + 16, "middle"))
    parts.append(small(across[0], axes.frame.right, HEIGHT - 5, "end"))
    for x, y, row in sorted(points, key=lambda point: point[2].front):
        at_x, at_y = axes.at(x, y)
        words = element("title", escape(f"{row.cell}: {x:.4g}, {y:.4g}"))
        parts.append(
            element("circle", words, cx=at_x, cy=at_y, r=5 if row.front else 3, class_="front" if row.front else "cell")
        )
    about = f"{len(points)} cells; those of the Pareto front are larger"
    return drawing("scatter", title, about, WIDE, HEIGHT, parts)


def _steps(values: list[float]) -> list[float]:
    """Round numbers around all values."""
    low, high = min(values), max(values)
    room = (high - low) or abs(high) or 1.0
    steps = list(round_steps(low - 0.05 * room, high + 0.05 * room, 7))
    step = steps[1] - steps[0] if len(steps) > 1 else room
    return [round(steps[0] - step, 12), *steps, round(steps[-1] + step, 12)]
