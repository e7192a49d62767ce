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
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, justify in (
        ("model", "left"),
        ("frames", "right"),
        ("mean IoU", "right"),
        ("smallest", "right"),
        (f"below {notable:g}", "right"),
        ("score max |Δ|", "right"),
        ("mean |Δ|", "right"),
        ("network", "right"),
        ("whole", "right"),
    ):
        table.add_column(title, justify=justify, no_wrap=True)
    table.add_column("", overflow="fold")
    reference = section["reference"]
    table.add_row("reference", str(reference["tracked"]), *["-"] * 5, *_speed(reference), _verdict(reference))
    for candidate in section["candidates"]:
        table.add_row(
            candidate["name"],
            str(candidate["tracked"]),
            *_figures(candidate),
            *_speed(candidate),
            _verdict(candidate),
        )
    console.print(table)
    clip, box = section["clip"], ",".join(f"{value:g}" for value in section["box"])
    console.print(
        f"boxes on {clip['name']}, {clip['width']}x{clip['height']}, from {box}; "
        f"a mean overlap of {section['min_iou']:g} passes",
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
        return ["-"] * 5
    below = "none" if iou["first_below"] is None else f"frame {iou['first_below']}"
    return [
        _share(iou["mean"]),
        f"{_share(iou['smallest'])} in frame {iou['smallest_frame']}",
        below,
        f"{score['max']:.1e}",
        f"{score['mean']:.1e}",
    ]


def _share(value):
    """Rounded down: 0.99996 does not become 1."""
    return f"{int(value * 100_000) / 100_000:.5f}"


def _speed(model):
    if model["milliseconds"] is None:
        return ["-", "-"]
    return [f"{model['milliseconds']:.1f} ms", f"{model['fps']:.1f} fps"]


def _verdict(model):
    if model["problem"]:
        return Text(f"FAILED {model['problem']}", "bold red")
    if model.get("passed", True):
        return Text("ok" if "passed" in model else "", "green")
    return Text("FAILED" if model["iou"]["mean"] is not None else "FAILED nothing compared", "bold red")


def _print_worst(console, frames, name):
    """The frames with the smallest overlap, in their order."""
    found = [row for row in frames[1:] if row["candidates"][name]]
    worst = sorted(found, key=lambda row: row["candidates"][name]["iou"])[:MOST_FRAMES]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in (f"{name}, worst frames", "IoU", "reference x, y, w, h", "score", f"{name} x, y, w, h", "score"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in sorted(worst, key=lambda row: row["frame"]):
        own, reference = row["candidates"][name], row["reference"]
        table.add_row(
            str(row["frame"]), _share(own["iou"]), *(cell for side in (reference, own) for cell in _place(side))
        )
    console.print(table)


def _place(side):
    return ", ".join(f"{value:.1f}" for value in side["box"]), f"{side['score']:.4f}"
