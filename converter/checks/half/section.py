"""The half-precision report for people: what leaves half's range, what to do, and the range of every layer."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from converter.report.blocks import (
    BAD,
    LEFT,
    NOTE,
    OK,
    RIGHT,
    Block,
    Charts,
    Column,
    Folded,
    Points,
    Row,
    Section,
    Table,
    columns,
)
from converter.report.charts import Limit, Series, curve
from converter.report.text import count, error, interval, listed, percent, plain, times

if TYPE_CHECKING:
    from converter.checks.half.report import HalfReport, LayerReport

LARGEST = 65504.0  # in half precision
RUN = "ranges of the blobs: ncnn in float32 on this machine"
BOUNDS = (
    "sums: upper bounds for these inputs, whatever the order of adding; no half kernel was run, "
    "--runtime ncnn-arm64 runs them"
)
TITLE = "Half precision on ARM"
NEAREST = 5
PASSED_ON = ("Split", "Noop")
_VERDICTS = {
    "leaves": ("leaves the range", BAD),
    "protect": ("sums can overflow: 31=1", BAD),
    "near": ("near the edge", NOTE),
    "unknown": ("not analysed", NOTE),
    "ok": ("ok", ""),
}
_BELOW = Column("Below normal", RIGHT, 1)
_TYPE = Column("Type", LEFT, 2)
_SHORT = (*columns("Verdict", "Layer"), _TYPE, *columns(">Largest", ">Sum bound", ">Headroom"), _BELOW)


def half_section(report: "HalfReport") -> Section:
    """Advice, the layers nearest to the edge, and all ranges layer by layer."""
    blocks: list[Block] = [Points((RUN, BOUNDS, f"over: {listed(report.feeds)}"), NOTE)]
    if advice := report.advice():
        blocks.append(Points(tuple(advice), NOTE if report else BAD))
    if nearest := list(_nearest(report.layers)):
        blocks.append(Table(_SHORT, tuple(map(_short, nearest)), "The layers nearest to the edge, or beyond it."))
    for index, graph in enumerate(dict.fromkeys(layer.graph for layer in report.layers)):
        own = [layer for layer in report.layers if layer.graph == graph]
        blocks.append(Charts((_drawing(f"f{index}", graph, own),)))
        blocks.append(Folded(f"{graph}: ranges of {count(len(own), 'layer')}", (_ranges(own),), brief=False))
    return Section("fp16", TITLE, OK if report else BAD, _summary(report), tuple(blocks))


def _summary(report: "HalfReport") -> str:
    if not report:
        return f"{report.failure()}."
    headroom = min(layer.headroom for layer in report.layers)
    least = f", the least headroom is {times(headroom)}" if math.isfinite(headroom) else ""
    unknown = len(report.not_analysed)
    rest = f"; {count(unknown, 'layer')} could not be analysed" if unknown else ""
    return f"Nothing leaves ±65504 on these inputs{least}{rest}."


def _nearest(layers: Sequence["LayerReport"]) -> Iterator["LayerReport"]:
    own = [layer for layer in layers if layer.type not in PASSED_ON]
    wrong = [layer for layer in own if layer.verdict in ("leaves", "protect")]
    wrong = [*wrong, *(layer for layer in own if layer.verdict == "unknown")][:NEAREST]
    yield from wrong
    rest = [layer for layer in own if layer.verdict in ("ok", "near") and math.isfinite(layer.headroom)]
    yield from sorted(rest, key=lambda layer: layer.headroom)[: NEAREST - len(wrong)]


def _verdict(layer: "LayerReport") -> tuple[str, str]:
    words, state = _VERDICTS[layer.verdict]
    return f"{words}, masked" if layer.masked else words, state


def _figures(layer: "LayerReport") -> tuple[str, ...]:
    """Largest, sum bound, headroom, below normal."""
    bound = "" if layer.sum_bound is None else _magnitude(layer.sum_bound)
    headroom = times(layer.headroom) if math.isfinite(layer.headroom) else ""
    below = layer.subnormal + layer.zero
    return _magnitude(layer.largest), bound, headroom, percent(below) if below else ""


def _magnitude(value: float) -> str:
    return plain(value) if math.isfinite(value) else "∞"


def _short(layer: "LayerReport") -> Row:
    words, state = _verdict(layer)
    return Row((words, f"{layer.graph} {layer.layer}", layer.type, *_figures(layer)), state)


def _ranges(layers: Sequence["LayerReport"]) -> Table:
    titles = ("Verdict", ">#", "Layer", "Type", ">Range", ">Largest", ">Sum bound", ">Headroom", ">Below normal")
    rows = []
    for number, layer in enumerate(layers, 1):
        words, state = _verdict(layer)
        words = f"{words}: {layer.problem}" if layer.problem else words
        place = words, str(number), layer.layer, layer.type
        rows.append(Row((*place, interval(layer.low, layer.high), *_figures(layer)), state))
    about = "Below normal: share of the values that become subnormal or zero."
    return Table(columns(*titles), tuple(rows), about, long=True)


def _drawing(key: str, graph: str, layers: Sequence["LayerReport"]) -> tuple[str, ...]:
    blobs = tuple(_positive(layer.largest) for layer in layers)
    sums = tuple(_positive(layer.sum_bound) for layer in layers)
    leaving = frozenset(index for index, layer in enumerate(layers) if layer.verdict == "leaves")
    unsafe = frozenset(index for index, layer in enumerate(layers) if layer.verdict == "protect")
    series = [Series("largest |activation|", blobs, leaving)]
    if any(value is not None for value in sums):
        series.append(Series("sums inside, upper bound", sums, unsafe, single=True))
    every = (LARGEST,) * len(layers)
    finite = [value for value in (*blobs, *sums) if value is not None]
    about = (
        f"Largest magnitude of each blob and upper bound of each sum inside a layer, {count(len(layers), 'layer')}; "
        f"the largest is {error(max(finite, default=None))}, half ends at 65504."
    )
    return curve(key, f"{graph}: range of every layer", about, series, [Limit("65504, half's largest", every)])


def _positive(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) and value > 0 else None
