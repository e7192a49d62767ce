"""The layer walks for people: where each goes wrong first, its neighbours, and the error from layer to layer."""

import math
from collections.abc import Iterable, Iterator, Sequence

from converter.checks.layers.walk import FirstBad, LayerRow, LayerWalk
from converter.report.blocks import BAD, NOTE, OK, Block, Charts, Folded, Row, Section, Table, Text, columns
from converter.report.charts import Limit, Series, curve
from converter.report.text import cosine, count, error, interval, listed

TITLE = "Layer by layer"
AROUND = 3
WORST = 5
_SHORT = ("Verdict", "Layer", "Type", ">max |Δ|", ">Allowed", ">Of range")
_LONG = ("Verdict", ">#", "Layer", "Type", "In the network", ">max |Δ|", ">Allowed", ">Of range", ">Cosine", ">Range")


def layers_section(walks: Sequence[LayerWalk]) -> Section:
    """Every graph that was walked."""
    if not walks:
        return Section("layers", TITLE, BAD, "No graph was walked.")
    failed = [walk for walk in walks if not walk]
    if failed:
        first = [f"{walk} {walk.first_bad.layer}" if walk.first_bad else str(walk) for walk in failed]
        summary = f"Something is wrong in {len(failed)} of {count(len(walks), 'graph')}, first at: {listed(first)}."
    else:
        matched, total = sum(walk.matched for walk in walks), sum(len(walk.rows) for walk in walks)
        summary = f"No layer is to blame: {matched} of {count(total, 'layer')} matched with the network's."
    blocks = [block for index, walk in enumerate(walks) for block in _blocks(f"l{index}", walk)]
    return Section("layers", TITLE, BAD if failed else OK, summary, tuple(blocks))


def _blocks(key: str, walk: LayerWalk) -> Iterator[Block]:
    if not walk:
        yield Text(f"{_finding(walk)}.", BAD)
    yield Text(_counts(walk))
    if not walk.rows:
        return
    rows, first = walk.rows, walk.first_bad
    if near := _around(rows, first):
        yield Table(columns(*_SHORT), tuple(_short(row, first) for row in near))
    yield Charts((_drawing(key, walk),))
    shares = {index: share for index, row in enumerate(rows) if (share := _share(row))}
    if worst := sorted(sorted(shares, key=lambda index: -shares[index])[:WORST]):
        table = _table(rows, worst, first, "Nearest to the tolerance, or beyond it.")
        yield Folded(f"{walk}: the {count(len(worst), 'worst layer')}", (table,))
    table = _table(rows, range(len(rows)), first)
    yield Folded(f"{walk}: all {count(len(rows), 'layer')}", (table,), brief=False)


def _finding(walk: LayerWalk) -> str:
    first = walk.first_bad
    if first is None:
        return walk.failure()
    where = " ".join(part for part in (first.module, first.operation) if part)
    inside = f", in the network {where}" if where else ""
    return f"{walk}: first wrong layer is {first.layer} ({first.type}{inside}): {first.reason}"


def _counts(walk: LayerWalk) -> str:
    beyond = sum(not row for row in walk.rows)
    parts = [f"{walk.matched} of {count(len(walk.rows), 'layer')} matched"]
    parts += [f"{beyond} beyond the tolerance"] if beyond else []
    parts += [f"{count(walk.rounding, 'layer')} beyond the tolerance through rounding alone"] if walk.rounding else []
    return f"{walk}: {'; '.join(parts)}."


def _around(rows: Sequence[LayerRow], first: FirstBad | None) -> Sequence[LayerRow]:
    """The blamed layer among its neighbours; where it computes nothing, the first that is beyond the tolerance."""
    if first is None:
        return ()
    places = [index for index, row in enumerate(rows) if row.layer == first.layer]
    places += [index for index, row in enumerate(rows) if not row]
    return rows[max(0, places[0] - AROUND) : places[0] + AROUND + 1] if places else ()


def _share(row: LayerRow) -> float:
    """Of the tolerance; infinite where the layer gives nothing that can be compared."""
    largest, allowed = row.figures.max_abs, row.figures.allowed
    if row.figures.problem:
        return 0.0 if row else math.inf
    if not largest or allowed is None:
        return 0.0
    return largest / allowed if allowed else math.inf


def _limit(row: LayerRow) -> float | None:
    """The tolerance as a share of the reference's range."""
    low, high, allowed = row.figures.minimum, row.figures.maximum, row.figures.allowed
    if allowed is None or low is None or high is None or high <= low:
        return None
    return allowed / (high - low)


def _drawing(key: str, walk: LayerWalk) -> tuple[str, ...]:
    rows, first = walk.rows, walk.first_bad
    relative = tuple(row.figures.relative for row in rows)
    limit = tuple(map(_limit, rows))
    place = next((index for index, row in enumerate(rows) if first and row.layer == first.layer), None)
    mark = None if first is None or place is None else (place, f"{first.layer}: first wrong")
    largest = max((value for value in relative if value is not None), default=None)
    about = (
        f"Largest difference of each layer as a share of its range, {count(len(rows), 'layer')} in the order of the "
        f"file; the largest is {error(largest)}. "
    )
    about += f"The first wrong layer is {first.layer}." if first else "No layer is to blame."
    failed = frozenset(index for index, row in enumerate(rows) if not row)
    lines = [Series("|Δ| / range, layer by layer", relative, failed)]
    limits = [Limit("tolerance", limit)] if any(limit) else []
    return curve(key, f"{walk}: error from layer to layer", about, lines, limits, mark)


def _verdict(row: LayerRow, first: FirstBad | None) -> tuple[str, str]:
    """In words, and the row's state."""
    if first and row.layer == first.layer:
        return "first wrong", BAD
    if not row:
        return row.figures.problem or "beyond", BAD
    if row.figures.problem:
        return f"made up for by later layers: {row.figures.problem}", NOTE
    return ("ok", "") if row.matched else ("not matched", NOTE)


def _short(row: LayerRow, first: FirstBad | None) -> Row:
    verdict, state = _verdict(row, first)
    return Row((verdict, row.layer, row.type, *_figures(row)), state)


def _figures(row: LayerRow) -> tuple[str, ...]:
    return tuple(map(error, (row.figures.max_abs, row.figures.allowed, row.figures.relative)))


def _table(all_rows: Sequence[LayerRow], places: Iterable[int], first: FirstBad | None, about: str = "") -> Table:
    rows = []
    for place in places:
        row = all_rows[place]
        verdict, state = _verdict(row, first)
        inside = ": ".join(part for part in (row.module, row.operation) if part)
        between = interval(row.figures.minimum, row.figures.maximum)
        cells = (
            verdict,
            str(place + 1),
            row.layer,
            row.type,
            inside,
            *_figures(row),
            cosine(row.figures.cosine),
            between,
        )
        rows.append(Row(cells, state))
    return Table(columns(*_LONG), tuple(rows), about, long=True)
