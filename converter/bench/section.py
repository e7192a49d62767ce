"""The figures for people: a row per candidate, what was measured on which CPU, and which orders are doubtful."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from converter.bench.candidates import Candidate
from converter.bench.measure import PARTS
from converter.bench.notes import SHOWN, advice_of, remarks_of
from converter.bench.overlaps import overlaps_over_bytes
from converter.bench.statistics import Figures, order_of
from converter.report.blocks import (
    NOTE,
    OPEN,
    RIGHT,
    Block,
    Column,
    Folded,
    Points,
    Report,
    Row,
    Section,
    Table,
    Text,
    columns,
)
from converter.report.text import NOTHING, count, listed, overlap

if TYPE_CHECKING:
    from converter.bench.result import BenchResult, PartTimes

Show = Callable[[Candidate], str]
LONGEST_NAME = 16  # characters of an export's in the table; names of folders differ at their ends
SETTINGS = "*"  # behind a runtime that is not run with its defaults
MEGABYTE = 1e6
GRAPH_COLUMNS = (
    *columns("Candidate", "Part", "Graph", ">Median, ms"),
    *(Column(title, RIGHT, priority) for title, priority in (("p10", 1), ("p90", 2), ("Min", 3), ("Runs", 4))),
)


def bench_section(result: "BenchResult", per_graph: bool = False) -> Section:
    """One row per candidate, and the advice that matters most; what else there is to say is folded.

    Args:
        per_graph: the times of single graphs are not folded.
    """
    graphs = Table(GRAPH_COLUMNS, tuple(_graphs(result)))
    named = _identity(result)
    titles = (*(column for column, _ in named), *_time_columns(result))
    advice, (how, machine, *more) = advice_of(result), _about(result)
    more += [*advice[SHOWN:], *remarks_of(result), *(pair.doubt for pair in result.doubtful)]
    blocks: list[Block] = [
        Table(titles, tuple(_candidates(result, [show for _, show in named]))),
        *(Text(line, OPEN) for line in _settings(result)),
        *overlaps_over_bytes(result.exports),
        *_points(advice[:SHOWN], NOTE),
        Text(how, OPEN),
        Text(machine, OPEN),
        graphs if per_graph else Folded("Times of single graphs", (graphs,)),
        Folded("What else there is to know", tuple(_points(more))),
    ]
    fastest = result.ranked("update")[0]
    summary = f"The fastest update is that of {fastest.candidate.label}: {_spread(fastest.whole)} ms."
    return Section("latency", "Latency", NOTE, summary, tuple(blocks), folded=False)


def bench_report(result: "BenchResult", written: str, command_line: str = "") -> Report:
    """The section as a page of its own.

    Args:
        written: when.
        command_line: that asked for it; empty when Python did.
    """
    section, manifest = result.section(), result.manifest
    folders = listed(export.folder for export in result.exports)
    problems = result.changed()
    problems += [f"{label}: {listed(names)} not finite" for label, names in result.not_finite.items() if names]
    return Report(
        title=f"Latency of {manifest.arch} in {folders}",
        passed=bool(result),
        verdict="Measured" if result else "Measured, with problems",
        sentence=section.summary,
        problems=problems,
        not_checked=(),
        facts=[("Models", folders), ("Network", manifest.arch)],
        sections=(section,),
        written=written,
        sign_off=False,
        command_line=command_line,
    )


def _identity(result: "BenchResult") -> list[tuple[Column, Show]]:
    """The columns that say what a row is about, and how; those that tell the rows apart are always shown."""
    alone, exports = not result.several, result.exports
    stored = [(format, export.weights) for export in exports for format in export.tracker.formats]
    told_by_weights = len({*stored}) == len(stored)
    names = _fitted([export.name for export in exports])
    name_of = dict(zip(exports, names, strict=True))
    known = any(export.overlap(format) for export in exports for format in export.tracker.formats)
    shown: list[tuple[Column, Show, bool]] = [
        (
            Column("Export", priority=7 if told_by_weights else 0),
            lambda one: name_of[one.export] if one.export else NOTHING,
            not alone,
        ),
        (Column("Runtime"), lambda one: f"{one.runtime}{SETTINGS * bool(one.settings)}", True),
        (
            Column("Weights", priority=4 if alone else 0 if told_by_weights else 3),
            lambda one: one.export.weights if one.export else NOTHING,
            True,
        ),
        (Column("Precision"), lambda one: one.precision, True),
        (Column("Threads", RIGHT), lambda one: str(one.threads), True),
        (Column("MB", RIGHT, 3 if alone else 1), lambda one: _megabytes(one.bytes), True),
        (Column("IoU", RIGHT, 2), lambda one: overlap(one.overlap.mean if one.overlap else None), known),
    ]
    return [(column, show) for column, show, there in shown if there]


def _time_columns(result: "BenchResult") -> tuple[Column, ...]:
    """On a narrow terminal the bytes of several exports stay, and the times of a template go first.

    Of several exports the smallest times have no room anywhere; they are among those of single graphs.
    """
    several = result.several
    shown = (
        Column("init, ms", RIGHT, 4 if several else 2),
        Column("init min", RIGHT, 6),
        Column("update, ms", RIGHT),
        Column("update min", RIGHT, 5),
        Column("Updates/s", RIGHT, 3 if several else 1),
        Column("Of fastest", RIGHT),
    )
    return tuple(column for column in shown if not (several and column.title.endswith("min")))


def _fitted(names: Sequence[str]) -> list[str]:
    """Short enough for a column, unless two would then be the same."""
    short = [name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}" for name in names]
    return short if len({*short}) == len(short) else list(names)


def _megabytes(size: int | None) -> str:
    return NOTHING if size is None else f"{size / MEGABYTE:.2f}"


def _settings(result: "BenchResult") -> Iterator[str]:
    """What the mark behind a runtime means."""
    stated = {pair for times in result.times for pair in times.candidate.settings}
    if stated:
        said = listed(f"{name}={value}" for name, value in sorted(stated))
        yield f"{SETTINGS} with {said}, as the manifest of the export says; without the mark by default"


def _candidates(result: "BenchResult", shown: Sequence[Show]) -> Iterator[Row]:
    fastest = result.ranked("update")[0]
    for init, update in zip(*map(result.of, PARTS), strict=True):
        times = (
            text
            for part in (init, update)
            for text in (_spread(part.whole), *([] if result.several else [_short(part.whole.low)]))
        )
        rate = f"{1e3 / update.whole.median:.0f}"
        yield Row((*_named(update.candidate, shown), *times, rate, _against(fastest, update)))
    for candidate in (*result.left_out, *result.late):
        yield Row((*_named(candidate, shown), *[NOTHING] * len(_time_columns(result))), OPEN)


def _named(candidate: Candidate, shown: Sequence[Show]) -> tuple[str, ...]:
    return tuple(show(candidate) for show in shown)


def _spread(times: Figures) -> str:
    return f"{_short(times.median)} ({_short(times.p10)}–{_short(times.p90)})"


def _short(milliseconds: float) -> str:
    return f"{milliseconds:.{0 if milliseconds >= 100 else 1 if milliseconds >= 10 else 2}f}"


def _against(fastest: "PartTimes", times: "PartTimes") -> str:
    """Times the fastest one's, round by round; ``?`` where that order is doubtful."""
    if times is fastest:
        return "1.00"
    order = order_of(fastest.rounds, times.rounds)
    return f"{order.ratio.median:.2f}{'?' if order.doubtful else ''}"


def _graphs(result: "BenchResult") -> Iterator[Row]:
    for part in result.times:
        for name, times in part.graphs.items():
            figures = (f"{value:.2f}" for value in (times.median, times.p10, times.p90, times.low))
            yield Row((part.candidate.label, part.part, name, *figures, str(times.count)))


def _about(result: "BenchResult") -> Iterator[str]:
    options, machine, dimensions = result.options, result.machine, result.dimensions
    yield (
        f"median (p10–p90) of {count(result.rounds, 'round')} of {count(options.runs, 'run')}, in turns, "
        f"? where an order is doubtful; from arrays to arrays, "
        f"template {dimensions.template_size}, search {dimensions.search_size}"
    )
    before, after = result.loads
    load = "" if before is None or after is None else f", load average {before:.1f} before and {after:.1f} after"
    yield f"on {machine.cpu}, {machine.cores} cores, {machine.system}{load}"
    in_torch = " and track() in torch" if options.with_torch else ""
    yield f"update is {', '.join(_parts(result))}{in_torch}"
    yield ", ".join(f"{name} {version}" for name, version in result.versions.items())


def _parts(result: "BenchResult") -> Iterator[str]:
    """Of which graphs an update consists in every format, and in whose where exports are split otherwise."""
    found: dict[str | None, dict[str, list[str]]] = {}
    for times in result.of("update"):
        if times.graphs and times.candidate.export:
            names = found.setdefault(times.candidate.format, {}).setdefault(" + ".join(times.graphs), [])
            names.append(times.candidate.export.name)
    for format, ways in found.items():
        for graphs, names in ways.items():
            whose = f" ({listed(dict.fromkeys(names))})" if len(ways) > 1 else ""
            yield f"{graphs} in {format}{whose}"


def _points(lines: list[str], state: str = "") -> list[Block]:
    return [Points(tuple(lines), state)] if lines else []
