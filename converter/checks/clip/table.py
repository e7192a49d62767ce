"""The clip's figures for the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

MOST_FRAMES = 10


def print_clip(console: Console, section: Mapping[str, Any], verbose: bool = False) -> None:
    """One row per model; with ``verbose`` also the frames with the smallest overlap.

    Args:
        section: ``ClipReport.as_dict()``.
    """
    notable = section["notable_iou"]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("\nmodel", no_wrap=True)
    for title in (
        "mean\nIoU",
        "smallest\nIoU",
        "in\nframe",
        f"first\n< {notable:g}",
        "score\nmax |Δ|",
        "\nmean |Δ|",
        "network\nms",
        "whole\nfps",
    ):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    reference = section["reference"]
    table.add_row("reference", *["-"] * 6, *_speed(reference), _verdict(reference))
    for candidate in section["candidates"]:
        table.add_row(candidate["name"], *_figures(candidate), *_speed(candidate), _verdict(candidate))
    console.print(table)
    clip, box = section["clip"], ",".join(f"{value:g}" for value in section["box"])
    console.print(
        f"{reference['tracked']} frames of {clip['name']}, {clip['width']}x{clip['height']}, from {box}; "
        f"a mean IoU of {section['min_iou']:g} passes",
        style="dim",
        highlight=False,
        soft_wrap=True,
    )
    if verbose:
        for candidate in section["candidates"]:
            _print_worst(console, section["frames"], candidate["name"])


def _figures(candidate):
    iou, score = candidate["iou"], candidate["score_difference"]
    if iou["mean"] is None:
        return ["-"] * 6
    return [
        _share(iou["mean"]),
        _share(iou["smallest"]),
        str(iou["smallest_frame"]),
        "none" if iou["first_below"] is None else str(iou["first_below"]),
        f"{score['max']:.1e}",
        f"{score['mean']:.1e}",
    ]


def _share(value):
    """Rounded down: 0.99996 does not become 1."""
    return f"{int(value * 10_000) / 10_000:.4f}"


def _speed(model):
    if model["milliseconds"] is None:
        return ["-", "-"]
    return [f"{model['milliseconds']:.1f}", f"{model['fps']:.1f}"]


def _verdict(model):
    if model["problem"]:
        return Text(f"FAILED {model['problem']}", "bold red")
    if model.get("passed", True):
        return Text("ok" if "passed" in model else "", "green")
    return Text("FAILED" if model["iou"]["mean"] is not None else "FAILED nothing compared", "bold red")


def _print_worst(console, frames, name):
    """The frames with the smallest overlap, in their order; one line for each model."""
    found = [row for row in frames[1:] if row["candidates"][name]]
    worst = sorted(found, key=lambda row: row["candidates"][name]["iou"])[:MOST_FRAMES]
    if not worst:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("worst frames", justify="right", no_wrap=True)
    table.add_column("IoU", justify="right", no_wrap=True)
    table.add_column("model", no_wrap=True)
    for title in ("x", "y", "w", "h", "score"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in sorted(worst, key=lambda row: row["frame"]):
        own = row["candidates"][name]
        table.add_row(str(row["frame"]), _share(own["iou"]), "reference", *_place(row["reference"]))
        table.add_row("", "", name, *_place(own))
    console.print(table)


def _place(side):
    return *(f"{value:.2f}" for value in side["box"]), f"{side['score']:.4f}"
