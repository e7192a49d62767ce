"""The table as files: CSV, JSON, and a page with a scatter plot and a line a cell that links to its manifest."""

import json
from collections.abc import Callable
from html import escape
from pathlib import Path

from markupsafe import Markup

from converter.errors import ConversionError
from converter.matrix.run import MatrixResult
from converter.matrix.table import ACCURACY, WITH_AO, Row, csv_of
from converter.report.blocks import BAD, OK, Block, Points, Report, Section, Table, columns
from converter.report.blocks import Row as Line
from converter.report.charts import Dot, scatter
from converter.report.charts.parts import NARROW, WIDE
from converter.report.html import page
from converter.report.junit import ERROR, FAILED, PASSED, SKIPPED, Case
from converter.report.text import NOTHING, count, harmless, now
from converter.report.text import error as error_text
from converter.util.atomic import replacing

# beside the style of every report: what a table of this width wants
_STYLE = """
#cells :is(td, th) { white-space: nowrap; overflow-wrap: normal; }
#cells td:nth-child(2), #cells td:nth-child(3) { white-space: normal; overflow-wrap: anywhere; }
#cells td:nth-child(2) { min-width: 17em; } #cells td:nth-child(3) { min-width: 6em; }
#cells .bad td:nth-child(3) { min-width: 15em; }
#cells tr.front { font-weight: 600; } #cells tr.front td, #cells tr.front th { font-weight: inherit; }
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
    """The whole page, in the reports' style."""
    name = harmless(Path(result.options.plan.name).name)
    notes = [ACCURACY, *([WITH_AO] if any(row.ao is not None for row in result.rows) else [])]
    sort = f"Ranked by {result.options.sort}; in bold the Pareto front of what is known of latency, bytes and AO."
    titles = ("cell", "asked for", "outcome", *(title for title, _ in _COLUMNS))
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    right = " ".join(f"r{number}" for number in range(len(titles) - len(_COLUMNS) + 1, len(titles) + 1))
    state, verdict, seal = ("ok", "Verified", "\u2713") if result else ("bad", "Not verified", "\u2717")
    body = (
        f'<div class="verdict {state}"><p class="seal" aria-hidden="true">{seal}</p><div><h1>{verdict}</h1>'
        f"<p>{escape(name)}: {escape(sentence(result))}.</p></div></div>\n"
        f'<p class="made">Made {escape(now())} by <code>lt-matrix</code></p>\n'
        f'<section><h2>Cells</h2>\n<p class="summary">{escape(sort)}</p>\n'
        f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in notes)}</ul>\n"
        f"{_charts(result.rows)}"
        f'<div class="scroll" tabindex="0" role="region" aria-label="Cells"><table id="cells" class="{right}">'
        f"<thead><tr>{head}</tr></thead><tbody>\n{''.join(map(_line, result.rows))}</tbody></table></div></section>\n"
    )
    return page(name, Markup(body), Markup(_STYLE))


def _charts(rows: tuple[Row, ...]) -> str:
    """The scatter plot for a desk and for a phone, of which the style shows one."""
    drawn = [
        f'<div class="{kind}">{plot}</div>'
        for kind, width in (("wide", WIDE), ("narrow", NARROW))
        if (plot := _scatter(rows, kind, width))
    ]
    return f'<div class="charts"><figure>{"".join(drawn)}</figure></div>\n' if drawn else ""


def _line(row: Row) -> str:
    name = f'<a href="models/{row.key}/manifest.json">{row.key}</a>' if row.kept else row.key
    words = row.outcome if row.verified or not row.message else f"{row.outcome}: {row.message}"
    figures = "".join(f"<td>{escape(show(row))}</td>" for _, show in _COLUMNS)
    kind = "front" if row.front else "" if row.verified else "bad"
    asked, became = escape(harmless(str(row.cell))), escape(harmless(words))
    return f'<tr class="{kind}"><th scope="row">{name}</th><td>{asked}</td><td>{became}</td>{figures}</tr>\n'


def _scatter(rows: tuple[Row, ...], key: str, width: int) -> str:
    """Latency, or multiply-adds where nothing was measured, against AO, or bytes where none is known."""
    across: _Figure = ("update, ms", lambda row: row.latency)
    if not any(row.latency is not None for row in rows):
        across = ("multiply-adds a frame, 10\u2076", lambda row: row.multiply_adds and row.multiply_adds / 1e6)
    up: _Figure = ("AO", lambda row: row.ao)
    if not any(row.ao is not None for row in rows):
        up = ("MB", lambda row: row.bytes and row.bytes / 1e6)
    dots = [
        Dot(x, y, f"{row.cell}: {x:.4g}, {y:.4g}", row.front)
        for row in rows
        if row.verified and (x := across[1](row)) is not None and (y := up[1](row)) is not None
    ]
    about = f"{len(dots)} cells; those of the Pareto front are larger"
    return scatter(f"scatter-{key}", across[0], up[0], dots, width, about) if dots else ""
