"""The wall time of every run, and the ratio of every pair, as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import Comparison
from benchmarks.flows import FLOWS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"A": "#8a8a8a", "B": "#1f77b4", "C": "#7fb8de", "ratio": "#333333"}


def draw(file: Path, times: Mapping[str, Sequence[float]], wall: Comparison, about: str) -> None:
    """Write a PNG.

    Args:
        times: "A", "B" and whatever else was run -> wall seconds of every run.
        wall: the comparison of A and B.
        about: a line on machine and network, for under the title.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.4), layout="constrained")
    figure.suptitle(f"LightTrack to ncnn: {FLOWS['A'].name} and {FLOWS['B'].name}\n{about}", fontsize=11)
    left, right = figure.subplots(1, 2)
    _draw_times(left, times)
    _draw_ratios(right, wall)
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.savefig(file, dpi=120)


def _draw_times(axes: "Axes", times: Mapping[str, Sequence[float]]) -> None:
    pairs = range(1, len(times["A"]) + 1)
    width = 0.8 / len(times)
    for place, (flow, seconds) in enumerate(times.items()):
        offset = (place - (len(times) - 1) / 2) * width
        bars = axes.bar(
            *([pair + offset for pair in pairs], seconds),
            width=0.95 * width,
            color=COLOURS[flow],
            label=FLOWS[flow].name,
        )
        if len(pairs) <= 8:
            axes.bar_label(bars, fmt="%.1f", fontsize=8, padding=1)
    axes.set(title="Wall time of every run", xlabel="pair", ylabel="wall time (s)")
    axes.set_ylim(0, max(map(max, times.values())) * 1.25)
    axes.legend(loc="upper center", ncols=len(times), fontsize=9, frameon=False)


def _draw_ratios(axes: "Axes", wall: Comparison) -> None:
    pairs = range(1, len(wall.ratios) + 1)
    axes.axhline(1, color=COLOURS["A"], linestyle="--", linewidth=1, label="the same time")
    axes.axhline(wall.ratio.median, color=COLOURS["B"], linewidth=1.2, label=f"median {wall.ratio.median:.2f}")
    axes.plot(pairs, wall.ratios, "o", color=COLOURS["ratio"], label="a pair")
    names = f"{FLOWS['B'].name} / {FLOWS['A'].name}"
    axes.set(title="Ratio pair by pair", xlabel="pair", ylabel=f"{names} (1 = same wall time)")
    axes.set_ylim(0, max(1.0, wall.ratio.high) * 1.3)
    axes.set_xlim(0.5, len(wall.ratios) + 0.5)
    axes.legend(loc="upper center", ncols=3, fontsize=9, frameon=False)
