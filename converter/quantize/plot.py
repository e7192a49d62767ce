"""The front as a picture: bytes and overlap of everything that was judged or looked at."""

from pathlib import Path

from converter.bench.picture import own_settings, save
from converter.quantize.page import BYTES, OVERLAP, dots_of
from converter.quantize.result import QuantizeResult

MARK = "lighttrack-export lt-quantize"  # tells an earlier picture of ours
LOOKED_AT, JUDGED = "#9a9a9a", "#2a6fa8"


def draw(path: Path, result: QuantizeResult) -> None:
    """A point for every model that was judged whole, with its name, and a small one for what the search looked at.

    Raises:
        ConversionError: when the file cannot be written.
    """
    with own_settings():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 5.5), layout="constrained")
        axes = figure.subplots()
        for dot in dots_of(result):
            named = bool(dot.name)
            colour, size = (JUDGED, 70 if dot.front else 40) if named else (LOOKED_AT, 16)
            axes.scatter([dot.across], [dot.up], s=size, color=colour, zorder=3 if named else 2)
            if named:
                axes.annotate(dot.name, (dot.across, dot.up), (6, 6), textcoords="offset points", fontsize=9)
        axes.set_xlabel(BYTES)
        axes.set_ylabel(OVERLAP)
        axes.grid(color="#dddddd", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.set_title(f"{result.arch} in {result.format}: bytes and boxes", fontsize=11, loc="left")
        save(figure, path, MARK)
