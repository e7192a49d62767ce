"""The wall time of every run, and the ratio of every pair, as a picture."""

from importlib.util import find_spec
from pathlib import Path

from benchmarks.figures import Comparison

COLOURS = {"A": "#8a8a8a", "B": "#1f77b4", "C": "#7fb8de", "ratio": "#333333"}


def matplotlib_is_there() -> bool:
    return find_spec("matplotlib") is not None


def draw(file: Path, times: dict[str, list[float]], wall: Comparison, names: dict[str, str], about: str) -> None:
    """Write a PNG.

    Args:
        times: "A", "B" and whatever else was run -> wall seconds of every run.
        wall: the comparison of A and B.
        names: the same letters -> what to call the flow.
        about: a line on machine and network, for under the title.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"LightTrack to ncnn: {names['A']} and {names['B']}\n{about}", fontsize=11)
    left, right = figure.subplots(1, 2)
    _draw_times(left, times, names)
    _draw_ratios(right, wall, names)
    figure.savefig(file, dpi=120)


def _draw_times(axes, times, names):
    pairs = range(1, len(times["A"]) + 1)
    width = 0.8 / len(times)
    for place, (flow, seconds) in enumerate(times.items()):
        offset = (place - (len(times) - 1) / 2) * width
        bars = axes.bar(
            [pair + offset for pair in pairs], seconds, width=0.95 * width, color=COLOURS[flow], label=names[flow]
        )
        if len(pairs) <= 8:
            axes.bar_label(bars, fmt="%.1f", fontsize=8, padding=1)
    axes.set(title="Wall time of every run", xlabel="pair", ylabel="wall time (s)")
    axes.set_ylim(0, max(map(max, times.values())) * 1.25)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="upper center", ncols=len(times), fontsize=9, frameon=False)


def _draw_ratios(axes, wall, names):
    pairs = range(1, len(wall.ratios) + 1)
    axes.axhline(1, color=COLOURS["A"], linestyle="--", linewidth=1, label="the same time")
    axes.axhline(wall.ratio.median, color=COLOURS["B"], linewidth=1.2, label=f"median {wall.ratio.median:.2f}")
    axes.plot(pairs, wall.ratios, "o", color=COLOURS["ratio"], label="a pair")
    axes.set(title="Ratio pair by pair", xlabel="pair", ylabel=f"{names['B']} / {names['A']} (1 = same wall time)")
    axes.set_ylim(0, max(1.0, wall.ratio.high) * 1.3)
    axes.set_xlim(0.5, len(wall.ratios) + 0.5)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="upper center", ncols=3, fontsize=9, frameon=False)
