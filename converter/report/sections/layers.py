"""The walk along the layers: where it goes wrong first, the error from layer to layer, every matched layer."""

import math
from collections.abc import Mapping
from typing import Any

from converter.report.blocks import BAD, NOTE, OK, Block, Charts, Folded, Row, Section, Table, Text, columns
from converter.report.charts import Limit, Series, curve
from converter.report.text import cosine, count, error, interval, is_number, listed, mapping, mappings, plain

WORST = 5
_TITLES = (">#", "Layer", "Type", "In the network", ">max |Δ|", ">Allowed", ">Of range", ">Cosine", ">Range", "")


def layers_section(value: Any) -> Section:
    """Every graph that was walked.

    Args:
        value: a list of walks as ``LayerWalk.as_dict()``, or one.
    """
    walks = [value] if isinstance(value, Mapping) and "rows" in value else mappings(_inside(value))
    failed = [walk for walk in walks if not walk.get("passed")]
    if not walks:
        return Section("layers", "Layer by layer", BAD, "No graph was walked.")
    if failed:
        first = [f"{_name(walk)} {plain(mapping(walk.get('first_bad')).get('layer'))}" for walk in failed]
        summary = f"Something is wrong in {len(failed)} of {count(len(walks), 'graph')}, first at: {listed(first)}."
    else:
        matched, total = (sum(walk.get(key) or 0 for walk in walks) for key in ("matched", "total"))
        summary = f"No layer is to blame: {matched} of {count(total, 'layer')} matched with the network's."
    blocks: list[Block] = []
    for index, walk in enumerate(walks):
        blocks += _blocks(f"l{index}", walk)
    return Section("layers", "Layer by layer", BAD if failed else OK, summary, tuple(blocks))


def _inside(value):
    """The walks, also where they come under a key beside other words."""
    return value.get("walks", value.get("graphs")) if isinstance(value, Mapping) else value


def _blocks(key, walk):
    rows = mappings(walk.get("rows"))
    name = _name(walk)
    first = mapping(walk.get("first_bad"))
    if first:
        yield Text(f"{_finding(walk)}.", BAD)
    elif not walk.get("passed"):
        yield Text(f"{name}: not passed, and no layer could be blamed.", BAD)
    rounding = walk.get("rounding")
    beyond = f" {count(rounding, 'layer')} beyond the tolerance through rounding alone." if rounding else ""
    matched = f"{plain(walk.get('matched'))} of {count(walk.get('total') or 0, 'layer')} matched."
    yield Text(f"{name}: {matched}{beyond}")
    if rows:
        yield Charts((_drawing(key, name, walk, rows, first),))
        worst = sorted((row for row in enumerate(rows, 1) if _share(row[1])), key=lambda row: -_share(row[1]))[:WORST]
        shown = sorted(worst, key=lambda row: row[0])
        tables = [_table(shown, first, "Nearest to the tolerance, or beyond it.")]
        yield Folded(f"{name}: the {count(len(shown), 'worst layer')}", tuple(tables)) if shown else Text("")
        whole = _table(enumerate(rows, 1), first)
        yield Folded(f"{name}: all {count(len(rows), 'layer')}", (whole,), brief=False)


def _name(walk):
    return f"{plain(walk.get('format'))} {plain(walk.get('graph'))}"


def _finding(walk):
    first = mapping(walk.get("first_bad"))
    if not first:
        return f"{_name(walk)}: no layer could be blamed"
    where = " ".join(str(first[key]) for key in ("module", "operation", "torch") if first.get(key))
    inside = f", in the network {where}" if where else ""
    return (
        f"{_name(walk)}: first wrong layer is {plain(first.get('layer'))} ({plain(first.get('type'))}{inside}): "
        f"{plain(first.get('reason'))}"
    )


def _share(row):
    """Of the tolerance; infinite where the layer gives nothing that can be compared."""
    found, allowed = row.get("max_abs"), row.get("allowed")
    if row.get("problem"):
        return 0.0 if row.get("passed") else math.inf
    if not is_number(found):
        return 0.0
    if not is_number(allowed):
        return row.get("relative") or 0.0
    return found / allowed if allowed else (math.inf if found else 0.0)


def _limit(row):
    """The tolerance as a share of the reference's range."""
    allowed, low, high = row.get("allowed"), row.get("minimum"), row.get("maximum")
    if all(map(is_number, (allowed, low, high))) and high > low:
        return allowed / (high - low)
    return None


def _drawing(key, name, walk, rows, first):
    relative = tuple(row["relative"] if is_number(row.get("relative")) else None for row in rows)
    failed = frozenset(index for index, row in enumerate(rows) if row.get("passed") is False)
    limits = [Limit("tolerance", tuple(_limit(row) for row in rows))]
    if not any(limits[0].values):
        rtol = mapping(walk.get("tolerance")).get("rtol")
        limits = [Limit("tolerance", (rtol,) * len(rows))] if is_number(rtol) and rtol else []
    blamed = first.get("layer")
    place = next((index for index, row in enumerate(rows) if blamed and row.get("layer") == blamed), None)
    mark = None if place is None else (place, f"{blamed}: first wrong")
    found = [value for value in relative if value is not None]
    finding = f"The first wrong layer is {plain(blamed)}." if first else "No layer is to blame."
    about = (
        f"Largest difference of each layer as a share of its range, {count(len(rows), 'layer')} in the order of the "
        f"file; the largest is {error(max(found, default=None))}. {finding}"
    )
    lines = [Series("|Δ| / range, layer by layer", relative, failed)]
    return curve(key, f"{name}: error from layer to layer", about, lines, limits, mark)


def _table(numbered, first, about=""):
    rows = []
    for number, row in numbered:
        blamed = bool(first) and row.get("layer") == first.get("layer")
        matched = row.get("matched", True)
        if blamed:
            verdict, state = "first wrong", BAD
        elif row.get("passed") is False:
            verdict, state = plain(row.get("problem") or "beyond"), BAD
        elif row.get("problem"):
            verdict, state = f"made up for by later layers: {plain(row['problem'])}", NOTE
        else:
            verdict, state = ("", "") if matched else ("not matched", NOTE)
        inside = [row.get(key) for key in ("module", "operation", "torch") if row.get(key)]
        spread = interval(row.get("minimum"), row.get("maximum"))
        rows.append(
            Row(
                (
                    str(number),
                    plain(row.get("layer")),
                    plain(row.get("type")),
                    listed(inside, ":") if inside else "",
                    *(error(row.get(key)) for key in ("max_abs", "allowed", "relative")),
                    cosine(row.get("cosine")),
                    spread if is_number(row.get("minimum")) else plain(row.get("range")),
                    verdict,
                ),
                state,
            )
        )
    return Table(columns(*_TITLES), tuple(rows), about, long=True)
