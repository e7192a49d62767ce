"""The figures as a picture."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from converter.bench.measure import PARTS
from converter.errors import ConversionError, DependencyError, UsageError
from converter.util.atomic import obstacle, replacing

SUFFIXES = (".png", ".svg")
COLOURS = {"torch": "#c44e52", "ncnn": "#2a6fa8", "onnxruntime": "#5a9e6f"}
TITLES = {"init": "init: once per target", "update": "update: every frame"}
PALER = 0.55  # of a half mode
LONGEST_LINE = 1.6  # times the longest bar; what reaches further is written down


def check_plot(path: Path) -> None:
    """Refuse a picture that could not be drawn, before anything is measured.

    Raises:
        UsageError: for another suffix, or a place where no file can be.
        DependencyError: without matplotlib.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--plot {path}: expected {' or '.join(SUFFIXES)}")
    if path.is_dir() or obstacle(path):
        raise UsageError(f"--plot {path}: expected a file in a folder that exists and can be written to")
    try:
        there = find_spec("matplotlib") is not None
    except (ImportError, ValueError):
        there = False
    if not there:
        raise DependencyError("--plot needs matplotlib, not installed here: pip install matplotlib")


def draw(path: Path, result: Mapping[str, Any]) -> None:
    """A bar per candidate for update and for init, with p10 to p90 as a line.

    Args:
        result: as ``lt-bench --json`` prints it.

    Raises:
        ConversionError: when the file cannot be written.
    """
    from matplotlib.figure import Figure

    labels = list(dict.fromkeys(entry["candidate"] for entry in result["results"]))
    figure = Figure(figsize=(11, 2.1 + 0.42 * len(labels)), layout="constrained")
    sides = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
    for axes, part in zip(sides, reversed(PARTS), strict=True):
        _draw_part(axes, part, [entry for entry in result["results"] if entry["part"] == part])
    sides[0].set_yticks(range(len(labels)), labels)
    sides[0].invert_yaxis()
    figure.supxlabel(_doubts(result), fontsize=9, color="#666666")
    settings, cpu, sizes = result["settings"], result["cpu"], result["sizes"]
    figure.suptitle(
        f"Latency of {result['arch']}, template {sizes['template_size']}, search {sizes['search_size']}\n"
        f"{cpu['model']}, {cpu['cores']} cores; median and p10–p90 of {settings['rounds']} rounds of "
        f"{settings['runs']} runs; white: the smallest",
        fontsize=11,
    )
    try:
        with replacing(path) as draft:
            figure.savefig(draft, dpi=130)
    except OSError as error:
        raise ConversionError(f"cannot write {path}: {error.strerror}") from None


def _draw_part(axes, part, entries):
    places = range(len(entries))
    medians = [entry["median_ms"] for entry in entries]
    limit = min(max(entry["p90_ms"] for entry in entries), LONGEST_LINE * max(medians))
    ends = [max(entry["median_ms"], min(entry["p90_ms"], limit)) for entry in entries]
    spread = [
        [max(0.0, entry["median_ms"] - entry["p10_ms"]) for entry in entries],
        [end - entry["median_ms"] for end, entry in zip(ends, entries, strict=True)],
    ]
    axes.barh(places, medians, height=0.72, color=[_colour(entry) for entry in entries])
    axes.errorbar(medians, places, xerr=spread, fmt="none", ecolor="#222222", elinewidth=1.1, capsize=2.5)
    lowest = [entry["min_ms"] for entry in entries]
    axes.plot(lowest, places, "|", color="white", markersize=11, markeredgewidth=1.6)
    for place, (entry, end) in enumerate(zip(entries, ends, strict=True)):
        cut = f", p90 {entry['p90_ms']:.0f}" if entry["p90_ms"] > limit else ""
        axes.annotate(
            f"{entry['median_ms']:.1f}{cut}", (end, place), (5, 0), textcoords="offset points", va="center", fontsize=9
        )
    longest = max(entry["p90_ms"] for entry in entries)
    axes.set_xlim(0, (1.4 if longest > limit else 1.2) * max(ends))  # room for what is written behind the line
    axes.set_title(TITLES[part], fontsize=10, loc="left")
    axes.set_xlabel("ms")
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _colour(entry):
    from matplotlib.colors import to_rgb

    share = PALER if entry["precision"] == "half" else 1.0
    return tuple(share * value + 1.0 - share for value in to_rgb(COLOURS[entry["runtime"]]))


def _doubts(result):
    """A line below the picture; empty when every order is certain."""
    doubtful, pairs = len(result["doubts"]), len(result["ratios"])
    return f"the order of {doubtful} of {pairs} pairs is doubtful: see the table" if doubtful else ""
