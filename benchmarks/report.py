"""The figures in words, for a terminal."""

from benchmarks.figures import Comparison, Spread
from benchmarks.flows import FLOWS
from benchmarks.measure import MEGABYTE, MEMORY, Run

QUANTITIES = (
    ("seconds", "wall time, s", 1.0, "{:.1f}"),
    ("cpu_seconds", "CPU time, s", 1.0, "{:.1f}"),
    ("peak_bytes", f"peak memory, MB {MEMORY}", MEGABYTE, "{:.0f}"),
)


def pair_line(name: str, runs: dict[str, Run]) -> str:
    """A finished pair on one line."""
    times = ", ".join(f"{FLOWS[key].name} {run.seconds:.1f} s" for key, run in runs.items())
    return f"{name:<10} {times}, ratio {runs['B'].seconds / runs['A'].seconds:.2f}"


def table(comparisons: dict[str, Comparison]) -> list[str]:
    """Median and (min–max) of both flows and of the ratio, a line for every quantity."""
    first, second = (f"{key} {flow.name}" for key, flow in FLOWS.items())
    lines = [f"{'median (min–max)':<22}{first:<22}{second:<22}B/A, pair by pair"]
    for quantity, title, unit, form in QUANTITIES:
        found = comparisons[quantity]
        cells = [f"{_cell(each, unit, form):<22}" for each in (found.a, found.b)]
        lines.append(f"{title:<22}{''.join(cells)}{_cell(found.ratio, 1.0, '{:.2f}')}")
    return lines


def _cell(spread: Spread, unit, form):
    median, low, high = (form.format(value / unit) for value in (spread.median, spread.low, spread.high))
    return f"{median} ({low}–{high})"


def sentence(comparisons: dict[str, Comparison]) -> str:
    """What was measured, without a verdict."""
    wall, cpu, memory = (comparisons[quantity] for quantity, *_ in QUANTITIES)
    return (
        f"In {len(wall.ratios)} pairs on this machine lt-export, which verifies what it publishes, took "
        f"{_cell(wall.ratio, 1.0, '{:.2f}')} times the wall time of the flow by hand, which does not, "
        f"{cpu.ratio.median:.2f} times its CPU time and {memory.ratio.median:.2f} times its peak memory."
    )
