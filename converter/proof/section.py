"""The figures of a proof for people: every output on its worst input, every input, and how the errors are spread."""

import math
from collections.abc import Iterable, Sequence

from converter.proof.compare import OutputReport
from converter.proof.histogram import Histogram
from converter.proof.verify import Check
from converter.report.blocks import (
    BAD,
    LEFT,
    OK,
    OPEN,
    RIGHT,
    Block,
    Charts,
    Column,
    Folded,
    Row,
    Section,
    Table,
    Terms,
)
from converter.report.charts import histogram
from converter.report.junit import Case, case
from converter.report.text import cosine, count, error, percent, upper

TITLE = "Outputs"
OKAY, FAILED = "ok", "FAILED"
COLUMNS = (
    Column("Verdict"),
    Column("Output"),
    Column("Graph"),
    Column("max |Δ|", RIGHT),
    Column("Allowed", RIGHT),
    Column("Used", RIGHT, 1),
    Column("mean |Δ|", RIGHT, 5),
    Column("Of range", RIGHT, 4),
    Column("Cosine", RIGHT, 6),
    Column("rtol needed", RIGHT, 3),
    Column("Best cell", LEFT, 2),
    Column("Why"),
)

LEGEND = Terms(
    (
        ("alone", "The graph was fed with the reference's own values: what differs is this graph's error only."),
        (
            "chained",
            "The graph was fed with what the converted graphs before it gave, as on a device: their errors are in it.",
        ),
        ("max |Δ|, mean |Δ|", "Largest and mean absolute difference of a value from the reference's."),
        ("Allowed", "The largest difference that passes: atol + rtol × range."),
        ("Used", "max |Δ| as a share of what is allowed; more than 100 % fails."),
        ("Of range", "max |Δ| divided by the range, which is the reference's largest value less its smallest."),
        ("Cosine", "Of the angle between both outputs as vectors; 1 where they point the same way."),
        ("rtol needed", "The smallest rtol with which this output passes, beside the same atol."),
        ("Best cell", "Where the score is largest, which is what a tracker follows: the same one, or a tie."),
    )
)

Pair = tuple[Check, OutputReport]


def proof_section(checks: Sequence[Check], histograms: Sequence[Histogram] = (), reference: str = "") -> Section:
    """All comparisons of outputs; open when there was none.

    Args:
        reference: what they were compared with, in words.
    """
    if not checks:
        return Section("outputs", TITLE, OPEN, "No output was compared.")
    failed = [check for check in checks if not check]
    pairs = [(check, output) for check in checks for output in check.outputs]
    total = count(len(checks), "comparison")
    summary = f"{len(failed)} of {total} failed." if failed else f"All {total} passed."
    if pairs:
        check, output = max(pairs, key=lambda pair: badness(pair[1]))
        summary += f" Worst: {place(check)}, output {output.name}: {_in_words(output)}."
    about = f"Compared with {reference}. The worst input:" if reference else "The worst input:"
    blocks: list[Block] = [_table(COLUMNS, _worst_rows(pairs), about)]
    rows = [_with_input(*pair) for pair in pairs]
    every = _table((*COLUMNS[:3], Column("Input"), *COLUMNS[3:]), rows, "", long=True)
    blocks.append(Folded(f"Every input ({count(len(pairs), 'row')})", (every,), brief=False))
    if drawings := _drawings(histograms, pairs):
        blocks.append(Charts(drawings, small=True))
    blocks.append(LEGEND)
    return Section("outputs", TITLE, BAD if failed else OK, summary, tuple(blocks), folded=False)


def proof_cases(checks: Iterable[Check]) -> list[Case]:
    """A test case for every comparison."""
    return [case("proof", place(check), bool(check), check.failure()) for check in checks]


def badness(output: OutputReport) -> float:
    """How far an output is outside its tolerance; 1 is the edge, infinity what could not be compared."""
    if output.max_abs is None or output.allowed is None:
        return math.inf
    if output.allowed:
        return output.max_abs / output.allowed
    return math.inf if output.max_abs else 0.0


def place(check: Check) -> str:
    """Where a comparison was made."""
    return f"{check.format} {check.graph} {check.how}, {check.feed}"


def _table(columns: Sequence[Column], rows: Iterable[Row], about: str, long: bool = False) -> Table:
    """Without the reasons where nothing failed."""
    rows = tuple(rows)
    if not any(row.cells[-1] for row in rows):
        columns, rows = columns[:-1], tuple(Row(row.cells[:-1], row.state) for row in rows)
    return Table(tuple(columns), rows, about, long)


def _in_words(output: OutputReport) -> str:
    if output.problem:
        return output.problem
    share = badness(output)
    if not math.isfinite(share):
        return f"off by {error(output.max_abs)}, {error(output.allowed)} is allowed"
    return f"off by {error(output.max_abs)}, {percent(share)}{' of' if share < 10 else ''} what is allowed"


def _worst_rows(pairs: Iterable[Pair]) -> Iterable[Row]:
    groups: dict[tuple[str, ...], list[Pair]] = {}
    for check, output in pairs:
        groups.setdefault((check.format, check.graph, check.how, output.name), []).append((check, output))
    for group in groups.values():
        check, output = max(group, key=lambda pair: badness(pair[1]))
        yield _row(check, output, group)


def _with_input(check: Check, output: OutputReport) -> Row:
    row = _row(check, output, [(check, output)])
    return Row((*row.cells[:3], check.feed, *row.cells[3:]), row.state)


def _row(check: Check, output: OutputReport, group: Sequence[Pair]) -> Row:
    """One output; it passes when it does on every input of the group."""
    all_decisions = [each.decision for each, _ in group if each.decision is not None]
    decisions = [decision for decision in all_decisions if decision.output == output.name]
    other = [decision for decision in decisions if not decision]
    passed = not other and all(report for _, report in group)
    best = "same" if decisions and all(decision.same for decision in decisions) else "tie" if decisions else ""
    if other:
        best = f"{other[0].candidate}, expected {other[0].reference}"
    why = "" if passed else output.problem or ("beyond the tolerance" if badness(output) > 1 else "another best cell")
    return Row(
        (
            OKAY if passed else FAILED,
            output.name,
            f"{check.format} {check.graph} {check.how}",
            error(output.max_abs),
            error(output.allowed),
            percent(badness(output)),
            error(output.mean_abs),
            error(output.relative),
            cosine(output.cosine),
            upper(output.needed_rtol),
            best,
            why,
        ),
        OK if passed else BAD,
    )


def _drawings(histograms: Sequence[Histogram], pairs: Iterable[Pair]) -> tuple[tuple[str, ...], ...]:
    """One drawing for each, with the narrowest tolerance it was held against."""
    allowed: dict[tuple[str, ...], float] = {}
    for check, output in pairs:
        if output.range and output.allowed is not None:
            key = (check.format, check.graph, check.how, output.name)
            allowed[key] = min(output.allowed / output.range, allowed.get(key, math.inf))
    drawings = []
    for index, item in enumerate(histograms):
        title = f"{item.output}, {item.format} {item.graph} {item.how}"
        limit = allowed.get((item.format, item.graph, item.how, item.output))
        drawings.append((histogram(f"h{index}", title, item.counts, item.first_decade, limit),))
    return tuple(drawings)
