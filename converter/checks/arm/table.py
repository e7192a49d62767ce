"""What the emulated ARM cpu computed, for people."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from converter.cli.summary import print_checks

SHOWN = 5


def print_arm(console: Console, section: Mapping[str, Any], verbose: bool = False) -> None:
    """Figures of every mode, the decisions, and where values stopped being finite.

    Args:
        section: ``ArmSection.as_dict()``.
    """
    console.print(Text(section["about"], "bold"), soft_wrap=True)
    for mask in section["masks"]:
        console.print(Text(mask["about"], "bold red"), soft_wrap=True)
    checks = [check for mode in section["modes"] for check in mode["checks"]]
    if checks:
        print_checks(console, checks, verbose)
    for mode in section["modes"]:
        _print_mode(console, mode, verbose)
    console.print(f"worst of: {', '.join(section['feeds'])}", style="dim", highlight=False, soft_wrap=True)


def _print_mode(console, mode, verbose):
    boxes = [check["best_box"] for check in mode["checks"] if check["best_box"]]
    parts = [f"{mode['name']}: {mode['about']}"]
    if boxes:
        worst, score = max(box["moved"] for box in boxes), max(box["score_off"] for box in boxes)
        allowed = boxes[0]
        parts.append(f"box of the best cell within {worst:.2f} pixels (allowed {allowed['allowed_pixels']:g})")
        parts.append(f"its score within {score:.4f} (allowed {allowed['allowed_score']:g})")
    counts = [count for check in mode["checks"] for count in check["counts"].values()]
    if counts:
        nan, inf = sum(count["nan"] for count in counts), sum(count["inf"] for count in counts)
        parts.append(f"{nan} NaN, {inf} infinite" if nan or inf else "all finite")
    console.print(f"{'; '.join(parts)}", highlight=False, soft_wrap=True)
    if mode["failure"]:
        console.print(Text(mode["failure"], "bold red"), soft_wrap=True)
    for blobs in mode["blobs"]:
        _print_blobs(console, blobs, verbose)


def _print_blobs(console, blobs, verbose):
    title = f"{blobs['graph']}, {blobs['feed']}: {blobs['bad']} of {len(blobs['blobs'])} blobs are not finite"
    console.print(title, highlight=False, soft_wrap=True)
    bad = [blob for blob in blobs["blobs"] if blob["nan"] or blob["inf"]]
    rows = blobs["blobs"] if verbose else bad[:SHOWN]
    if not rows:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, justify in (
        *(("layer", "left"), ("type", "left"), ("blob", "left")),
        *(("values", "right"), ("NaN", "right"), ("infinite", "right"), ("largest finite", "right")),
    ):
        table.add_column(column, justify=justify, no_wrap=True)
    for blob in rows:
        largest = "" if blob["largest"] is None else f"{blob['largest']:.4g}"
        cells = blob["layer"], blob["type"], blob["blob"], *(str(blob[key]) for key in ("size", "nan", "inf")), largest
        table.add_row(*cells, style="red" if blob in bad else None)
    console.print(table)
    if len(rows) < len(bad):
        console.print(f"and {len(bad) - len(rows)} more behind them; -v lists all", style="dim", highlight=False)


def print_root(console: Console, root: Any, built: bool) -> None:
    """What ``--setup-arm`` made or found.

    Args:
        root: a :class:`converter.checks.arm.root.ArmRoot`.
    """
    versions = ", ".join(f"{name} {version}" for name, version in root.record.wheels.items())
    console.print(Text("ready" if built else "is there already", "bold green"), Text(str(root.folder)), soft_wrap=True)
    console.print(
        f"aarch64 Python {root.record.hello['python']}, {versions}, {root.qemu}", style="dim", highlight=False
    )
