"""The layer walks of all graphs, and how they are shown: where each goes wrong first, and the error layer by layer."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from converter.checks.layers.figures import Figures
from converter.checks.layers.walk import FirstBad, LayerRow, LayerWalk
from converter.report.blocks import (
    BAD,
    NOTE,
    OK,
    Block,
    Charts,
    Folded,
    Graph,
    Node,
    Row,
    Section,
    Table,
    Text,
    columns,
)
from converter.report.charts import Limit, Series, curve
from converter.report.text import cosine, count, error, interval, listed, percent

TITLE = "Layer by layer"
AROUND = 3
WORST = 5
_SHORT = ("Verdict", "Layer", "Type", ">max |Δ|", ">Allowed", ">Of range")
_LONG = ("Verdict", ">#", "Layer", "Type", "In the network", ">max |Δ|", ">Allowed", ">Of range", ">Cosine", ">Range")


@dataclass(frozen=True)
class Walks:
    """The layer walks of all graphs; true when every one passed."""

    walks: tuple[LayerWalk, ...]

    def __bool__(self) -> bool:
        return bool(self.walks) and all(self.walks)

    def failure(self) -> str:
        failed = "; ".join(walk.failure() for walk in self.walks if not walk)
        return failed or "layers: there is no model to walk through"

    def as_dict(self) -> list[dict[str, Any]]:
        return [walk.as_dict() for walk in self.walks]

    def section(self) -> Section:
        blocks = [block for index, walk in enumerate(self.walks) for block in _blocks(f"l{index}", walk)]
        return Section("layers", TITLE, OK if self else BAD, self._summary(), tuple(blocks))

    def _summary(self) -> str:
        if not self.walks:
            return "No graph was walked."
        failed = [f"{walk} {walk.first_bad.layer}" if walk.first_bad else str(walk) for walk in self.walks if not walk]
        if failed:
            graphs = count(len(self.walks), "graph")
            return f"Something is wrong in {len(failed)} of {graphs}, first at: {listed(failed)}."
        matched, total = sum(walk.matched for walk in self.walks), sum(len(walk.rows) for walk in self.walks)
        return f"No layer is to blame: {matched} of {count(total, 'layer')} matched with the network's."


def _blocks(key: str, walk: LayerWalk) -> Iterator[Block]:
    if not walk:
        yield Text(f"{walk.failure(placed=True)}.", BAD)
    yield Text(_counts(walk))
    if not walk.rows:
        return
    if near := _around(walk.rows, walk.first_bad):
        yield _table(walk, near, _SHORT)
    yield _graph(key, walk)
    yield Charts((_drawing(key, walk),))
    shares = {index: share for index, row in enumerate(walk.rows) if (share := _share(row.figures, row.passed))}
    if worst := sorted(sorted(shares, key=lambda index: -shares[index])[:WORST]):
        table = _table(walk, worst, _LONG, "Nearest to the tolerance, or beyond it.")
        yield Folded(f"{walk}: the {count(len(worst), 'worst layer')}", (table,))
    every = range(len(walk.rows))
    yield Folded(f"{walk}: all {count(len(every), 'layer')}", (_table(walk, every, _LONG),), brief=False)


def _counts(walk: LayerWalk) -> str:
    beyond = sum(not row for row in walk.rows)
    parts = [f"{walk.matched} of {count(len(walk.rows), 'layer')} matched"]
    parts += [f"{beyond} beyond the tolerance"] if beyond else []
    parts += [f"{count(walk.rounding, 'layer')} beyond the tolerance through rounding alone"] if walk.rounding else []
    return f"{walk}: {'; '.join(parts)}."


def _around(rows: Sequence[LayerRow], first: FirstBad | None) -> range:
    """Places of the blamed layer and its neighbours; where it computes nothing, of the first beyond the tolerance."""
    places = [index for index, row in enumerate(rows) if first and row.layer == first.layer]
    places += [index for index, row in enumerate(rows) if first and not row]
    return range(len(rows))[max(0, places[0] - AROUND) : places[0] + AROUND + 1] if places else range(0)


def _share(figures: Figures, passed: bool) -> float:
    """Of the tolerance; infinite where the layer gives nothing that can be compared."""
    if figures.problem:
        return 0.0 if passed else math.inf
    if not figures.max_abs or figures.allowed is None:
        return 0.0
    return figures.max_abs / figures.allowed if figures.allowed else math.inf


def _limit(figures: Figures) -> float | None:
    """The tolerance as a share of the reference's range."""
    if figures.allowed is None or figures.minimum is None or figures.maximum is None:
        return None
    spread = figures.maximum - figures.minimum
    return figures.allowed / spread if spread > 0 else None


def _drawing(key: str, walk: LayerWalk) -> tuple[str, ...]:
    rows, first = walk.rows, walk.first_bad
    relative = tuple(row.figures.relative for row in rows)
    limit = tuple(_limit(row.figures) for row in rows)
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


def _graph(key: str, walk: LayerWalk) -> Graph:
    return Graph(f"{key}g", f"{walk}: every layer by its error", tuple(_node(row, walk.first_bad) for row in walk.rows))


def _node(row: LayerRow, first: FirstBad | None) -> Node:
    verdict, _ = _verdict(row, first)
    share = _share(row.figures, row.passed) if row.matched else None
    about = [row.type, verdict]
    if row.figures.max_abs is not None:
        about.append(f"off by {error(row.figures.max_abs)}, {percent(share)} of what is allowed")
    if row.module or row.operation:
        about.append(f"in the network {_counterpart(row)}")
    return Node(row.layer, "; ".join(about), share, row.reads, first is not None and row.layer == first.layer)


def _counterpart(row: LayerRow) -> str:
    return ": ".join(part for part in (row.module, row.operation) if part)


def _verdict(row: LayerRow, first: FirstBad | None) -> tuple[str, str]:
    """In words, and the row's state."""
    if first and row.layer == first.layer:
        return "first wrong", BAD
    if not row:
        return row.figures.problem or "beyond", BAD
    if row.figures.problem:
        return f"made up for by later layers: {row.figures.problem}", NOTE
    return ("ok", "") if row.matched else ("not matched", NOTE)


def _table(walk: LayerWalk, places: Iterable[int], titles: tuple[str, ...], about: str = "") -> Table:
    rows = []
    for place in places:
        row, figures = walk.rows[place], walk.rows[place].figures
        verdict, state = _verdict(row, walk.first_bad)
        cells = {
            "Verdict": verdict,
            ">#": str(place + 1),
            "Layer": row.layer,
            "Type": row.type,
            "In the network": _counterpart(row),
            ">max |Δ|": error(figures.max_abs),
            ">Allowed": error(figures.allowed),
            ">Of range": error(figures.relative),
            ">Cosine": cosine(figures.cosine),
            ">Range": interval(figures.minimum, figures.maximum),
        }
        rows.append(Row(tuple(cells[title] for title in titles), state))
    return Table(columns(*titles), tuple(rows), about, long=titles is _LONG)
