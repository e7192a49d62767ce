"""The figures in words, for a terminal."""

from collections.abc import Mapping

from benchmarks.figures import Comparison
from benchmarks.flows import COMPARED, FLOWS
from benchmarks.measure import MEGABYTE, MEMORY, Run
from converter.bench.statistics import Figures
from converter.report.blocks import Row, Table, columns

QUANTITIES = {
    "seconds": ("wall time, s", 1.0, 1),
    "cpu_seconds": ("CPU time, s", 1.0, 1),
    "peak_bytes": (f"peak memory, MB {MEMORY}", MEGABYTE, 0),
}
SENTENCES = {
    "comparisons": ("lt-export, which verifies what it publishes,", "of the flow by hand, which does not"),
    "both_formats": ("lt-export for both formats", "of ncnn alone"),
}


def pair_line(name: str, runs: Mapping[str, Run]) -> str:
    """A finished round on one line."""
    times = ", ".join(f"{FLOWS[key].name} {run.seconds:.1f} s" for key, run in runs.items())
    ratios = ", ".join(
        f"{second}/{first} {runs[second].seconds / runs[first].seconds:.2f}"
        for first, second in COMPARED.values()
        if second in runs
    )
    return f"{name:<10} {times}; {ratios}"


def table(comparisons: Mapping[str, Comparison], about: str) -> Table:
    """Median and (min–max) of two flows and of the ratio, a row for every quantity; ``about`` is a key of COMPARED."""
    first, second = COMPARED[about]
    flows = (f">{key} {FLOWS[key].name}" for key in (first, second))
    rows = []
    for quantity, (title, unit, digits) in QUANTITIES.items():
        each = comparisons[quantity]
        cells = _spread(each.a, unit, digits), _spread(each.b, unit, digits), _spread(each.ratio)
        rows.append(Row((title, *cells)))
    return Table(columns("median (min–max)", *flows, f">{second}/{first}, pair by pair"), tuple(rows))


def _spread(figures: Figures, unit: float = 1.0, digits: int = 2) -> str:
    median, low, high = (f"{value / unit:.{digits}f}" for value in (figures.median, figures.low, figures.high))
    return f"{median} ({low}–{high})"


def sentence(comparisons: Mapping[str, Comparison], about: str) -> str:
    """What was measured, without a verdict; ``about`` is a key of COMPARED."""
    wall, cpu, memory = (comparisons[quantity].ratio for quantity in QUANTITIES)
    who, whose = SENTENCES[about]
    return (
        f"In {wall.count} pairs on this machine {who} took {_spread(wall)} times the wall time {whose}, "
        f"{cpu.median:.2f} times its CPU time and {memory.median:.2f} times its peak memory."
    )
