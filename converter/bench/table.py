"""The figures for people."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from converter.bench.measure import PARTS
from converter.bench.result import ranked
from converter.bench.statistics import FEWEST_ROUNDS


def print_bench(console: Console, result: Mapping[str, Any], per_graph: bool = False, verbose: bool = False) -> None:
    """One row per candidate, what was measured on which CPU, and which orders are doubtful.

    Args:
        result: as ``lt-bench --json`` prints it.
        per_graph: list single graphs too.
        verbose: list every doubtful pair, not only neighbours in the order.
    """
    console.print(_candidates(result))
    if per_graph:
        console.print(_graphs(result))
    for line in _about(result):
        console.print(line, style="dim", highlight=False, soft_wrap=True)
    for note in result["notes"]:
        console.print(Text(f"note: {note}"), soft_wrap=True)
    _print_doubts(console, result, verbose)


def _print_doubts(console, result, verbose):
    doubts = result["doubts"]
    if doubts and result["settings"]["rounds"] < FEWEST_ROUNDS:
        doubts = []
        words = f"every order is doubtful: {FEWEST_ROUNDS} rounds or more can make one certain"
        console.print(Text(f"doubt: {words}", "yellow"), soft_wrap=True)
    shown = [doubt for doubt in doubts if verbose or _neighbours(result, doubt)]
    for doubt in shown:
        console.print(Text(f"doubt: {doubt['text']}", "yellow"), soft_wrap=True)
    if len(shown) < len(doubts):
        more = f"and {len(doubts) - len(shown)} pairs further apart; -v lists them"
        console.print(Text(f"doubt: {more}", "yellow"), soft_wrap=True)


def _candidates(result):
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("runtime", "precision"):
        table.add_column(title, no_wrap=True)
    times = (title for part in PARTS for title in (f"{part}, ms", "min"))
    titles = ("threads", *times, "updates/s", "of fastest")
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    fastest = ranked(result["results"], "update")[0]["candidate"]
    entries = {(entry["candidate"], entry["part"]): entry for entry in result["results"]}
    for label in dict.fromkeys(entry["candidate"] for entry in result["results"]):
        init, update = (entries[label, part] for part in PARTS)
        table.add_row(
            *(update["runtime"], update["precision"], str(update["threads"]), *_times(init), *_times(update)),
            *(f"{1e3 / update['median_ms']:.0f}", _against(result, label, fastest)),
        )
    for entry in result["left_out"]:
        table.add_row(entry["runtime"], entry["precision"], str(entry["threads"]), *"------", style="dim")
    return table


def _graphs(result):
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("candidate", "part", "graph"):
        table.add_column(title, no_wrap=True)
    for title in ("median, ms", "p10", "p90", "min", "runs"):
        table.add_column(title, justify="right", no_wrap=True)
    for entry in result["results"]:
        for graph in entry["per_graph"]:
            times = (f"{graph[key]:.2f}" for key in ("median_ms", "p10_ms", "p90_ms", "min_ms"))
            table.add_row(entry["candidate"], entry["part"], graph["graph"], *times, str(graph["runs"]))
    return table


def _times(entry):
    median, p10, p90, low = (_short(entry[key]) for key in ("median_ms", "p10_ms", "p90_ms", "min_ms"))
    return f"{median} ({p10}–{p90})", low


def _short(milliseconds):
    return f"{milliseconds:.{0 if milliseconds >= 100 else 1 if milliseconds >= 10 else 2}f}"


def _against(result, label, fastest):
    """Times the fastest one's, round by round; ``?`` where that order is doubtful."""
    for ratio in result["ratios"]:
        if (ratio["part"], ratio["faster"], ratio["slower"]) == ("update", fastest, label):
            return f"{ratio['ratio']:.2f}{'?' if ratio['doubtful'] else ' '}"
    return "1.00 "


def _about(result):
    settings, cpu, versions = result["settings"], result["cpu"], result["versions"]
    graphs = {
        entry["format"]: " + ".join(entry["graphs"])
        for entry in result["results"]
        if entry["part"] == "update" and entry["format"]
    }
    sizes = result["sizes"]
    yield (
        f"median (p10–p90) of {settings['rounds']} rounds of {settings['runs']} runs, in turns, from arrays to arrays; "
        f"template {sizes['template_size']}, search {sizes['search_size']}"
    )
    yield f"update is {', '.join(f'{names} in {format}' for format, names in graphs.items())}" + (
        " and track() in torch" if settings["torch"] else ""
    )
    loads = [result["machine"][key] for key in ("load_before", "load_after")]
    load = "" if None in loads else f", load average {loads[0]:.1f} before and {loads[1]:.1f} after"
    yield f"on {cpu['model']}, {cpu['cores']} cores, {result['machine']['system']}{load}"
    yield ", ".join(f"{name} {version}" for name, version in versions.items())


def _neighbours(result, doubt):
    order = [entry["candidate"] for entry in ranked(result["results"], doubt["part"])]
    return abs(order.index(doubt["faster"]) - order.index(doubt["slower"])) == 1
