"""The figures as a picture."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from converter.bench.candidates import TORCH, Candidate
from converter.bench.measure import PARTS
from converter.bench.picture import check_picture, own_settings, save
from converter.bench.result import BenchResult, PartTimes
from converter.formats.format import host_runtimes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARK = "lighttrack-export lt-bench"  # tells an earlier picture of ours
COLOURS = ("#c44e52", "#2a6fa8", "#5a9e6f", "#8172b3", "#b5893c", "#4c9fb0")  # torch, then the formats in their order
TITLES = {"init": "init: once per target", "update": "update: every frame"}
PALER = 0.55  # of a half mode
LONGEST_NAME = 40  # characters
LONGEST_LINE = 1.6  # times the longest bar; what reaches further is written down


def check_plot(path: Path) -> None:
    """Refuse a picture that could not be drawn, before anything is measured.

    Raises:
        UsageError, DependencyError: as for any picture.
    """
    check_picture(path, MARK)


def draw(path: Path, result: BenchResult) -> None:
    """A bar per candidate for update and for init, with p10 to p90 as a line.

    Raises:
        ConversionError: when the file cannot be written.
    """
    with own_settings():
        _draw(path, result)


def _draw(path: Path, result: BenchResult) -> None:
    from matplotlib.figure import Figure

    labels = [_label(times.candidate) for times in result.of("update")]
    figure = Figure(figsize=(11, 2.1 + (0.5 if result.several else 0.42) * len(labels)), layout="constrained")
    sides = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
    for axes, part in zip(sides, reversed(PARTS), strict=True):
        _draw_part(axes, part, result.of(part))
    sides[0].set_yticks(range(len(labels)), labels, parse_math=False)  # a folder's name may have a $ in it
    sides[0].invert_yaxis()
    doubtful, pairs = len(result.doubtful), len(result.pairs)
    doubts = f"the order of {doubtful} of {pairs} pairs is doubtful: see the table" if doubtful else ""
    figure.supxlabel(doubts, fontsize=9, color="#666666")
    dimensions, machine = result.dimensions, result.machine
    figure.suptitle(
        f"Latency of {result.manifest.arch}, template {dimensions.template_size}, search {dimensions.search_size}\n"
        f"{machine.cpu}, {machine.cores} cores; median and p10–p90 of {result.rounds} rounds of "
        f"{result.options.runs} runs; white: the smallest",
        fontsize=11,
    )
    save(figure, path, MARK)


def _label(candidate: Candidate) -> str:
    """With whose it is in a line of its own, and how its weights are stored."""
    export = candidate.export
    if export is None or not candidate.among:
        return candidate.label
    name = export.name if len(export.name) <= LONGEST_NAME else f"…{export.name[1 - LONGEST_NAME :]}"
    whose = f"{name}: {export.weights} weights, {(candidate.bytes or 0) / 1e6:.2f} MB"
    return f"{replace(candidate, among=False).label}\n{whose}"


def _draw_part(axes: "Axes", part: str, bars: Sequence[PartTimes]) -> None:
    places, times = range(len(bars)), [bar.whole for bar in bars]
    medians, longest = [each.median for each in times], max(each.p90 for each in times)
    limit = min(longest, LONGEST_LINE * max(medians))
    ends = [max(each.median, min(each.p90, limit)) for each in times]
    spread = [
        [max(0.0, each.median - each.p10) for each in times],
        [end - median for end, median in zip(ends, medians, strict=True)],
    ]
    axes.barh(places, medians, height=0.72, color=[_colour(bar.candidate) for bar in bars])
    axes.errorbar(medians, places, xerr=spread, fmt="none", ecolor="#222222", elinewidth=1.1, capsize=2.5)
    axes.plot([each.low for each in times], places, "|", color="white", markersize=11, markeredgewidth=1.6)
    for place, (each, end) in enumerate(zip(times, ends, strict=True)):
        cut = f", p90 {each.p90:.0f}" if each.p90 > limit else ""
        axes.annotate(
            f"{each.median:.1f}{cut}", (end, place), (5, 0), textcoords="offset points", va="center", fontsize=9
        )
    axes.set_xlim(0, (1.4 if longest > limit else 1.2) * max(ends))  # room for what is written behind the line
    axes.set_title(TITLES[part], fontsize=10, loc="left")
    axes.set_xlabel("ms")
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _colour(candidate: Candidate) -> tuple[float, ...]:
    from matplotlib.colors import to_rgb

    place = [TORCH, *host_runtimes()].index(candidate.runtime)
    share = PALER if candidate.precision == "half" else 1.0
    return tuple(share * value + 1.0 - share for value in to_rgb(COLOURS[place % len(COLOURS)]))
