"""Half precision on ARM: the range of every layer, what leaves half's, and the errors to expect."""

from collections.abc import Mapping
from typing import Any

from converter.report.blocks import BAD, NOTE, OK, Block, Charts, Folded, Points, Row, Section, Table, columns
from converter.report.charts import Limit, Series, curve
from converter.report.text import (
    NOTHING,
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
    """Errors per output, advice, and the ranges layer by layer.

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
    if table := _outputs(section):
        blocks.append(table)
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
    for key, words in (("run", "Run"), ("simulated", "Simulated")):
        if section.get(key):
            yield f"{words}: {plain(section[key])}"
    if section.get("feeds"):
        yield f"Inputs: {listed(section['feeds'])}"
    for name, about in mapping(section.get("precisions")).items():
        yield f"{plain(name)}: {plain(about)}"


def _outputs(section):
    outputs = mappings(section.get("outputs"))
    names = list(
        dict.fromkeys(plain(one.get("precision")) for output in outputs for one in mappings(output.get("errors")))
    )
    rows = []
    for output in outputs:
        errors = {plain(one.get("precision")): one for one in mappings(output.get("errors"))}
        cells = [_expected(errors.get(name)) for name in names]
        place = f"{plain(output.get('graph'))} {plain(output.get('output'))}"
        rows.append(Row((place, interval(output.get("low"), output.get("high")), *cells)))
    if not rows:
        return None
    about = "Error to expect, max |Δ| from float32 and its share of the range."
    return Table(columns("Output", ">Range", *(f">{name}" for name in names)), tuple(rows), about)


def _expected(found):
    if found is None:
        return NOTHING
    if not is_number(found.get("max_abs")):
        return "overflows"
    share = f" ({percent(found['relative'])})" if is_number(found.get("relative")) else ""
    return f"{error(found['max_abs'])}{share}"


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
    names = list(dict.fromkeys(plain(one.get("precision")) for one in layers for one in mappings(one.get("errors"))))
    titles = (">#", "Layer", "Type", ">Range", ">Largest", ">Sum bound", ">Headroom", ">Below normal")
    rows = []
    for number, layer in enumerate(layers, 1):
        words, state = _VERDICTS.get(layer.get("verdict"), (plain(layer.get("verdict")), NOTE))
        if layer.get("masked"):
            words = f"{words}, masked" if words else "masked"
        if layer.get("problem"):
            words = f"{words}: {layer['problem']}"
        low = (layer.get("subnormal") or 0) + (layer.get("zero") or 0)
        errors = {plain(one.get("precision")): one.get("relative") for one in mappings(layer.get("errors"))}
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
                    *(percent(errors.get(name)) for name in names),
                    words,
                ),
                state,
            )
        )
    about = "Below normal: share of the values that become subnormal or zero. Errors: share of the range."
    return Table(columns(*titles, *(f">{name}" for name in names), ""), tuple(rows), about, long=True)
