"""The walk in a terminal: the first bad layer among its neighbours, or every layer."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

BEFORE, BEHIND = 3, 3


def print_layers(console: Console, walk: Mapping[str, Any], verbose: bool = False) -> None:
    """What a walk found.

    Args:
        walk: ``LayerWalk.as_dict()``.
        verbose: all layers; otherwise those around the first bad one.
    """
    rows, bad = walk["rows"], walk["first_bad"]
    around = rows if verbose else _around(rows, bad)
    if around:
        console.print(_table(around, bad))
    share = f"{walk['matched']} of {walk['total']} layers matched with the network"
    beyond = sum(not row["passed"] for row in rows)
    counts = f"{share}, {beyond} beyond the tolerance" if beyond else share
    console.print(f"{walk['format']} {walk['graph']}: {counts}", highlight=False, soft_wrap=True)
    if walk["rounding"]:
        console.print(f"{walk['rounding']} of them by rounding that has grown, not by a fault", style="dim")
    if bad:
        place = f", in the network {bad['module'] or ''} {bad['operation'] or ''}".rstrip() if bad["operation"] else ""
        console.print(
            Text("first wrong layer ", "bold red"),
            Text(f"{bad['layer']} ({bad['type']}{place}): {bad['reason']}"),
            soft_wrap=True,
        )
    elif walk["passed"]:
        console.print(Text("no layer is wrong", "bold green"))
    else:
        console.print(Text("FAILED: nothing could be compared, or an output is wrong", "bold red"))


def _around(rows, bad):
    place = next((index for index, row in enumerate(rows) if bad and row["layer"] == bad["layer"]), None)
    if place is None:
        # nothing is wrong, or what is wrong computes nothing: the first that shows it
        place = next((index for index, row in enumerate(rows) if bad and not row["passed"]), None)
    return [] if place is None else rows[max(0, place - BEFORE) : place + BEHIND + 1]


def _table(rows, bad):
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, justify in (
        *((title, "left") for title in ("layer", "type", "module", "operation")),
        *((title, "right") for title in ("max |Δ|", "of range", "allowed", "cosine", "min", "max")),
    ):
        table.add_column(title, justify=justify, overflow="fold")
    table.add_column("")
    for row in rows:
        guilty = bool(bad) and row["layer"] == bad["layer"]
        table.add_row(
            Text(row["layer"], "bold red" if guilty else ""),
            Text(row["type"]),
            Text(row["module"] or ("-" if row["matched"] else "not matched")),
            Text(row["operation"] or "-"),
            *(_number(row[name], form) for name, form in (("max_abs", ".1e"), ("relative", ".1e"), ("allowed", ".1e"))),
            _number(row["cosine"], ".6f"),
            *(_number(row[name], ".3g") for name in ("minimum", "maximum")),
            _verdict(row, guilty),
        )
    return table


def _verdict(row, guilty):
    if row["passed"] and not guilty:
        return Text("ok" if row["matched"] else "", "green")
    return Text(row["problem"] or ("wrong" if guilty else "off"), "bold red" if guilty else "yellow")


def _number(value, form):
    return "-" if value is None else f"{value:{form}}"
