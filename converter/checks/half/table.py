"""The half-precision report for people."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

TOP = 5
STYLES = {"ok": "green", "near": "yellow", "unknown": "yellow", "protect": "bold red", "leaves": "bold red"}
WORDS = {
    "ok": "ok",
    "near": "near the edge",
    "unknown": "not analysed",
    "protect": "sums overflow: 31=1",
    "leaves": "blob overflows",
}


def print_half(console: Console, report: Mapping[str, Any], verbose: bool = False) -> None:
    """The layers nearest to the edge (all when ``verbose``), and what to do.

    Args:
        report: ``HalfReport.as_dict()``.
    """
    console.print(Text("half precision on ARM", "bold"))
    console.print(_layers(report, verbose))
    for line in report["advice"]:
        console.print(Text(line, "yellow"), soft_wrap=True)
    verdict = Text("nothing overflows", "bold green") if report["passed"] else Text(report["failure"], "bold red")
    console.print(verdict, soft_wrap=True)
    for words in (f"run: {report['run']}", report["bounds"], f"over: {', '.join(report['feeds'])}"):
        console.print(words, style="dim", highlight=False, soft_wrap=True)


def _layers(report, verbose):
    table = _table("layer", "type", "largest |x|", "smallest |x|", "subnormal", "to zero", "sums up to", "headroom")
    table.add_column("")
    layers = report["layers"]
    if not verbose:
        own = [layer for layer in layers if layer["type"] not in ("Split", "Noop")]
        wrong = [layer for layer in own if layer["verdict"] not in ("ok", "near")]
        rest = sorted((layer for layer in own if layer["headroom"] and layer not in wrong), key=_headroom)
        layers = wrong[:TOP] + rest[: max(0, TOP - len(wrong))]
    for layer in layers:
        table.add_row(
            f"{layer['graph']} {layer['layer']}",
            layer["type"],
            _number(layer["largest"]),
            _number(layer["smallest"]),
            _share(layer["subnormal"]),
            _share(layer["zero"]),
            "" if layer["sum_bound"] is None else _number(layer["sum_bound"]),
            "" if layer["headroom"] is None else f"{layer['headroom']:.3g}x",
            Text(WORDS[layer["verdict"]], STYLES[layer["verdict"]]),
        )
    return table


def _headroom(layer):
    return layer["headroom"]


def _table(*titles):
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, title in enumerate(titles):
        table.add_column(title, justify="left" if place == 0 or title == "type" else "right", no_wrap=True)
    return table


def _number(value):
    return "not finite" if value is None else f"{value:.3g}"


def _share(value):
    return f"{value:.1%}" if value >= 0.001 else ("<0.1%" if value else "0")
