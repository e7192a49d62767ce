"""The table at the end: what was made and how close it is, readable in five seconds."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from converter.proof.compare import rounded_up

LISTED = 6  # inputs, by name


def print_checks(console: Console, checks: Iterable[Mapping[str, Any]], every_feed: bool = False) -> None:
    """One row per graph, way of feeding and output; the worst feed's figures unless ``every_feed``.

    Args:
        checks: as in the manifest, ``Check.as_dict()``.
    """
    rows: dict[tuple, list] = {}
    for check in checks:
        for output in check["outputs"]:
            key = (check["format"], check["graph"], check["how"], output["name"])
            rows.setdefault(key + ((check["feed"],) if every_feed else ()), []).append((check, output))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, justify in (
        ("graph", "left"),
        ("output", "left"),
        ("max |Δ|", "right"),
        ("mean |Δ|", "right"),
        ("of range", "right"),
        ("allowed", "right"),
        ("needed", "right"),
        ("cosine", "right"),
        ("best cell", "left"),
    ):
        table.add_column(title, justify=justify, no_wrap=True)
    table.add_column("", overflow="fold")
    for (format, graph, how, name, *feed), found in rows.items():
        check, output = max(found, key=lambda pair: _badness(pair[1]))
        passed = all(output["passed"] for _, output in found)
        cells = [
            check["best_cell"] for check, _ in found if check["best_cell"] and name == check["best_cell"]["output"]
        ]
        agree = all(cell["passed"] for cell in cells)
        verdict = (
            Text("ok", "green") if passed and agree else Text(f"FAILED {output['problem'] or ''}".rstrip(), "bold red")
        )
        table.add_row(
            f"{format} {graph} {how}" + (f", {feed[0]}" if feed else ""),
            name,
            *_figures(output),
            ("same" if agree else "other") if cells else "",
            verdict,
        )
    console.print(table)


def print_summary(console: Console, manifest: Mapping[str, Any], folder: Any, every_feed: bool = False) -> None:
    """What an export holds, and the figures of its proof."""
    verification = manifest["verification"]
    if "checks" in verification:
        print_checks(console, verification["checks"], every_feed)
        feeds = ", ".join(verification["feeds"])
        if len(verification["feeds"]) > LISTED:
            first, *_, last = verification["feeds"]
            feeds = f"{len(verification['feeds'])} inputs, {first} to {last}"
        console.print(f"compared with {verification['reference']}, worst of: {feeds}", style="dim", highlight=False)
    for graph in manifest["graphs"]:
        files = "  ".join(f"{file['name']} {file['bytes'] / 1e6:.2f} MB" for file in graph["files"])
        shapes = " -> ".join(
            ", ".join(f"{tensor['name']} {'x'.join(map(str, tensor['shape']))}" for tensor in graph[side])
            for side in ("inputs", "outputs")
        )
        console.print(f"{graph['format']} {graph['name']:<9} {shapes}", highlight=False, soft_wrap=True)
        console.print(f"{'':<14} {files}", highlight=False, soft_wrap=True)
    verdict = (
        Text("verified", "bold green") if verification["status"] == "passed" else Text("NOT VERIFIED", "bold yellow")
    )
    console.print(verdict, Text(f"{manifest['arch']} in {folder}"), soft_wrap=True)


def _badness(output):
    """How far outside its tolerance an output is; 1 is the edge."""
    if output["problem"]:
        return float("inf")
    if output["allowed"]:
        return output["max_abs"] / output["allowed"]
    return float("inf") if output["max_abs"] else 0.0


def _figures(output):
    if output["problem"]:
        return ["-"] * 6
    share = "-" if output["relative"] is None else f"{output['relative']:.1e}"
    needed = "-" if output["needed_rtol"] is None else f"rtol {rounded_up(output['needed_rtol'])}"
    return [
        f"{output['max_abs']:.1e}",
        f"{output['mean_abs']:.1e}",
        share,
        f"{output['allowed']:.1e}",
        needed,
        f"{output['cosine']:.7f}",
    ]
