"""The dumps' section of a report as a table, with the causes in words below."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_SHOWN = 8


def print_dumps(console: Console, section: Mapping[str, Any], verbose: bool = False) -> None:
    """One row per dumped tensor; of inner tensors that are right only the number, unless ``verbose``.

    Args:
        section: ``DumpsReport.as_dict()``.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, justify in (
        ("case", "left"),
        ("tensor", "left"),
        ("layout", "left"),
        ("max |Δ|", "right"),
        ("of range", "right"),
        ("allowed", "right"),
        ("cosine", "right"),
    ):
        table.add_column(title, justify=justify, no_wrap=True)
    table.add_column("", overflow="fold")
    quiet = 0
    for tensor in section["tensors"]:
        if tensor["passed"] and tensor["role"] == "intermediate" and not verbose:
            quiet += 1
            continue
        table.add_row(
            tensor["title"],
            f"{tensor['graph']} {tensor['name']}",
            tensor["layout"] or "?",
            *_figures(tensor["figures"]),
            _verdict(tensor),
        )
    console.print(table)
    if quiet:
        console.print(f"{quiet} inner tensors are right", style="dim", highlight=False)
    _print_causes(console, section)
    _print_notes(console, section, verbose)


def _figures(figures):
    if figures["problem"]:
        return ["-"] * 4
    share = "-" if figures["relative"] is None else f"{figures['relative']:.1e}"
    return [f"{figures['max_abs']:.1e}", share, f"{figures['allowed']:.1e}", f"{figures['cosine']:.7f}"]


def _verdict(tensor):
    if tensor["passed"]:
        return Text("ok", "green")
    slugs = ", ".join(dict.fromkeys(cause["cause"] for cause in tensor["causes"]))
    return Text(f"OFF {slugs}".rstrip(), "bold red")


def _print_causes(console, section):
    for cause in section["causes"]:
        where = dict.fromkeys(f"{place['graph']} {place['name']}" for place in cause["tensors"])
        console.print(Text(f"{', '.join(where)}: ", "bold") + Text(cause["text"]), soft_wrap=True)
    alternatives = dict.fromkeys(
        "; ".join(cause["text"] for cause in causes)
        for tensor in section["tensors"]
        for causes in tensor["alternatives"]
    )
    for text in alternatives:
        console.print(Text("or, equally well: ", "bold") + Text(text), soft_wrap=True)
    for place in section["first_off"]:
        console.print(
            f"first off in {place['title']}, in the order of the run: {place['graph']} {place['name']}",
            style="dim",
            highlight=False,
            soft_wrap=True,
        )


def _print_notes(console, section, verbose):
    outputs = [f"{one['case']} {one['graph']} {one['name']}" for one in section["missing"] if one["role"] == "output"]
    lines = list(section["notes"])
    if outputs:
        lines.append(f"not dumped: {_listed(outputs, verbose)}")
    if section["other_files"]:
        lines.append(f"named after no tensor: {_listed(section['other_files'], verbose)}")
    for line in lines:
        console.print(line, style="dim", highlight=False, soft_wrap=True, markup=False)


def _listed(names, verbose):
    if verbose or len(names) <= _SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[:_SHOWN])} and {len(names) - _SHOWN} more"
