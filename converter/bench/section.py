"""The figures for people: a row per candidate, what was measured on which CPU, and which orders are doubtful."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from converter.bench.candidates import Candidate
from converter.bench.measure import PARTS
from converter.bench.notes import SHOWN, advice_of, remarks_of
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
from converter.report.text import NOTHING, count, listed

if TYPE_CHECKING:
    from converter.bench.result import BenchResult, PartTimes

COLUMNS = (
    *columns("Runtime", "Precision", ">Threads"),
    Column("init, ms", RIGHT, 2),
    Column("init min", RIGHT, 4),
    Column("update, ms", RIGHT),
    Column("update min", RIGHT, 3),
    Column("Updates/s", RIGHT, 1),
    Column("Of fastest", RIGHT),
)
GRAPH_COLUMNS = columns("Candidate", "Part", "Graph", ">Median, ms", ">p10", ">p90", ">Min", ">Runs")


def bench_section(result: "BenchResult", per_graph: bool = False) -> Section:
    """One row per candidate, and the advice that matters most; what else there is to say is folded.

    Args:
        per_graph: the times of single graphs are not folded.
    """
    graphs = Table(GRAPH_COLUMNS, tuple(_graphs(result)))
    advice, (how, machine, *more) = advice_of(result), _about(result)
    more += [*advice[SHOWN:], *remarks_of(result), *(pair.doubt for pair in result.doubtful)]
    blocks: list[Block] = [
        Table(COLUMNS, tuple(_candidates(result))),
        *_points(advice[:SHOWN], NOTE),
        Text(how, OPEN),
        Text(machine, OPEN),
        graphs if per_graph else Folded("Times of single graphs", (graphs,)),
        Folded("What else there is to know", tuple(_points(more))),
    ]
    fastest = result.ranked("update")[0]
    summary = f"The fastest update is that of {fastest.candidate.label}: {_spread(fastest.whole)} ms."
    return Section("latency", "Latency", NOTE, summary, tuple(blocks), folded=False)


def bench_report(result: "BenchResult", written: str) -> Report:
    """The section as a page of its own.

    Args:
        written: when.
    """
    section, manifest = result.section(), result.manifest
    problems = [str(problem) for problem in result.problems]
    problems += [f"{label}: {listed(names)} not finite" for label, names in result.not_finite.items() if names]
    return Report(
        title=f"Latency of {manifest.arch} in {result.options.subject.folder}",
        passed=bool(result),
        verdict="Measured" if result else "Measured, with problems",
        sentence=section.summary,
        problems=problems,
        not_checked=(),
        facts=[("Models", str(result.options.subject.folder)), ("Network", manifest.arch)],
        sections=(section,),
        written=written,
        sign_off=False,
    )


def _candidates(result: "BenchResult") -> Iterator[Row]:
    fastest = result.ranked("update")[0]
    for init, update in zip(*map(result.of, PARTS), strict=True):
        times = (text for part in (init, update) for text in (_spread(part.whole), _short(part.whole.low)))
        rate = f"{1e3 / update.whole.median:.0f}"
        yield Row((*_named(update.candidate), *times, rate, _against(fastest, update)))
    for candidate in (*result.left_out, *result.late):
        yield Row((*_named(candidate), *[NOTHING] * 6), OPEN)


def _named(candidate: Candidate) -> tuple[str, ...]:
    return candidate.runtime, candidate.precision, str(candidate.threads)


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
    graphs = {times.candidate.format: " + ".join(times.graphs) for times in result.of("update") if times.graphs}
    in_torch = " and track() in torch" if options.with_torch else ""
    yield f"update is {', '.join(f'{names} in {format}' for format, names in graphs.items())}{in_torch}"
    yield ", ".join(f"{name} {version}" for name, version in result.versions.items())


def _points(lines: list[str], state: str = "") -> list[Block]:
    return [Points(tuple(lines), state)] if lines else []
