"""Half precision on ARM: the range of every layer, and what leaves half's."""

from collections.abc import Mapping
from typing import Any

from converter.report.blocks import BAD, NOTE, OK, Block, Charts, Folded, Points, Row, Section, Table, columns
from converter.report.charts import Limit, Series, curve
from converter.report.text import (
    count,
    error,
    interval,
    is_number,
    listed,
    mapping,
    mappings,
    percent,
    plain,
    times,
)

LARGEST = 65504.0
SMALLEST_NORMAL = 2.0**-14
_VERDICTS = {
    "leaves": ("leaves the range", BAD),
    "protect": ("protect: a sum can overflow", BAD),
    "near": ("near the edge", NOTE),
    "unknown": ("not analysed", NOTE),
    "ok": ("", ""),
}


def half_section(section: Mapping[str, Any]) -> Section:
    """Advice, and the ranges layer by layer.

    Args:
        section: ``HalfReport.as_dict()``.
    """
    section = mapping(section)
    layers = mappings(section.get("layers"))
    passed = bool(section.get("passed"))
    summary = _summary(section, layers, passed)
    blocks: list[Block] = [Points(tuple(_how(section)), NOTE)]
    if advice := [plain(line) for line in section.get("advice") or ()]:
        blocks.append(Points(tuple(advice), BAD if not passed else NOTE))
    graphs = list(dict.fromkeys(plain(layer.get("graph")) for layer in layers))
    for index, graph in enumerate(graphs):
        own = [layer for layer in layers if plain(layer.get("graph")) == graph]
        blocks.append(Charts((_drawing(f"f{index}", graph, own),)))
        blocks.append(Folded(f"{graph}: ranges of {count(len(own), 'layer')}", (_ranges(own),), brief=False))
    return Section("fp16", "Half precision on ARM", OK if passed else BAD, summary, tuple(blocks))


def _summary(section, layers, passed):
    if not passed:
        return f"{plain(section.get('failure') or 'Half precision is not safe')}."
    headroom = [layer["headroom"] for layer in layers if is_number(layer.get("headroom"))]
    least = f", the least headroom is {times(min(headroom))}" if headroom else ""
    unknown = mappings(section.get("not_analysed"))
    rest = f"; {count(len(unknown), 'layer')} could not be analysed" if unknown else ""
    return f"Nothing leaves ±65504 on these inputs{least}{rest}."


def _how(section):
    yield from (plain(section[key]) for key in ("run", "bounds") if section.get(key))
    if section.get("feeds"):
        yield f"Inputs: {listed(section['feeds'])}"


def _drawing(key, graph, layers):
    blobs = tuple(_positive(layer.get("largest")) for layer in layers)
    sums = tuple(_positive(layer.get("sum_bound")) for layer in layers)
    failed = frozenset(index for index, layer in enumerate(layers) if layer.get("verdict") == "leaves")
    unsafe = frozenset(index for index, layer in enumerate(layers) if layer.get("verdict") == "protect")
    series = [Series("largest |activation|", blobs, failed)]
    if any(value is not None for value in sums):
        series.append(Series("sums inside, upper bound", sums, unsafe, single=True))
    every = (LARGEST,) * len(layers)
    found = [value for value in (*blobs, *sums) if value is not None]
    about = (
        f"Largest magnitude of each blob and upper bound of each sum inside a layer, {count(len(layers), 'layer')}; "
        f"the largest is {error(max(found, default=None))}, half ends at 65504."
    )
    title = f"{graph}: range of every layer"
    return curve(key, title, about, series, [Limit("65504, half's largest", every)])


def _positive(value):
    return value if is_number(value) and value > 0 else None


def _ranges(layers):
    titles = (">#", "Layer", "Type", ">Range", ">Largest", ">Sum bound", ">Headroom", ">Below normal")
    rows = []
    for number, layer in enumerate(layers, 1):
        words, state = _VERDICTS.get(layer.get("verdict"), (plain(layer.get("verdict")), NOTE))
        if layer.get("masked"):
            words = f"{words}, masked" if words else "masked"
        if layer.get("problem"):
            words = f"{words}: {layer['problem']}"
        low = (layer.get("subnormal") or 0) + (layer.get("zero") or 0)
        rows.append(
            Row(
                (
                    *(str(number), plain(layer.get("layer")), plain(layer.get("type"))),
                    interval(layer.get("low"), layer.get("high")),
                    "∞"
                    if layer.get("largest") is None and layer.get("verdict") == "leaves"
                    else plain(layer.get("largest")),
                    plain(layer.get("sum_bound")),
                    times(layer.get("headroom")),
                    percent(low) if low else "",
                    words,
                ),
                state,
            )
        )
    about = "Below normal: share of the values that become subnormal or zero."
    return Table(columns(*titles, ""), tuple(rows), about, long=True)
