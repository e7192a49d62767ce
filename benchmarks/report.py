"""The figures in words, for a terminal."""

from benchmarks.figures import Comparison
from benchmarks.flows import COMPARED, FLOWS
from benchmarks.measure import MEGABYTE, MEMORY, Run
from converter.bench.statistics import Figures

QUANTITIES = (
    ("seconds", "wall time, s", 1.0, "{:.1f}"),
    ("cpu_seconds", "CPU time, s", 1.0, "{:.1f}"),
    ("peak_bytes", f"peak memory, MB {MEMORY}", MEGABYTE, "{:.0f}"),
)


def pair_line(name: str, runs: dict[str, Run]) -> str:
    """A finished round on one line."""
    times = ", ".join(f"{FLOWS[key].name} {run.seconds:.1f} s" for key, run in runs.items())
    ratios = ", ".join(
        f"{second}/{first} {runs[second].seconds / runs[first].seconds:.2f}"
        for first, second in COMPARED.values()
        if second in runs
    )
    return f"{name:<10} {times}; {ratios}"


def table(comparisons: dict[str, Comparison], first: str = "A", second: str = "B") -> list[str]:
    """Median and (min–max) of two flows and of the ratio, a line for every quantity."""
    titles = "".join(f"{f'{key} {FLOWS[key].name}':<22}" for key in (first, second))
    lines = [f"{'median (min–max)':<22}{titles}{second}/{first}, pair by pair"]
    for quantity, title, unit, form in QUANTITIES:
        found = comparisons[quantity]
        cells = [f"{_cell(each, unit, form):<22}" for each in (found.a, found.b)]
        lines.append(f"{title:<22}{''.join(cells)}{_cell(found.ratio, 1.0, '{:.2f}')}")
    return lines


def _cell(figures: Figures, unit, form):
    median, low, high = (form.format(value / unit) for value in (figures.median, figures.low, figures.high))
    return f"{median} ({low}–{high})"


SENTENCES = {
    "comparisons": ("lt-export, which verifies what it publishes,", "of the flow by hand, which does not"),
    "both_formats": ("lt-export for both formats", "of ncnn alone"),
}


def sentence(comparisons: dict[str, Comparison], about: str = "comparisons") -> str:
    """What was measured, without a verdict; ``about`` is a key of COMPARED."""
    wall, cpu, memory = (comparisons[quantity] for quantity, *_ in QUANTITIES)
    who, whose = SENTENCES[about]
    return (
        f"In {len(wall.ratios)} pairs on this machine {who} took "
        f"{_cell(wall.ratio, 1.0, '{:.2f}')} times the wall time {whose}, "
        f"{cpu.ratio.median:.2f} times its CPU time and {memory.ratio.median:.2f} times its peak memory."
    )
