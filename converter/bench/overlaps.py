"""What an export's bytes cost in boxes: a drawing of what the manifests say, for the page."""

from collections.abc import Iterator, Sequence

from converter.bench.exports import Export
from converter.report.blocks import OPEN, Block, Charts, Text
from converter.report.charts import Dot, scatter
from converter.report.charts.parts import NARROW, WIDE
from converter.report.text import listed, overlap
from converter.util.front import pareto

MEGABYTE = 1e6
SIZES = {"wide": WIDE, "narrow": NARROW}


def overlaps_over_bytes(exports: Sequence[Export]) -> list[Block]:
    """The drawing, and what its figures are; nothing where no manifest says anything of boxes."""
    dots = _dots(exports)
    if not dots:
        return []
    about = f"{len(dots)} of the exports' trackers; larger is none that another beats in bytes and in overlap"
    drawn = tuple(scatter(f"bytes-{key}", "MB", "mean IoU", dots, width, about) for key, width in SIZES.items())
    return [Charts((drawn,)), *(Text(line, OPEN) for line in _about(exports))]


def _dots(exports: Sequence[Export]) -> list[Dot]:
    known = {
        (export, format): (export.bytes[format] / MEGABYTE, found.mean)
        for export in exports
        for format in export.tracker.formats
        if (found := export.overlap(format))
    }
    front = pareto({key: (size, -mean) for key, (size, mean) in known.items()})
    return [
        Dot(
            size,
            mean,
            f"{export.name}, {format}: {size:.2f} MB, mean IoU {overlap(mean)}",
            (export, format) in front,
            f"{export.name} {format}",
        )
        for (export, format), (size, mean) in known.items()
    ]


def _about(exports: Sequence[Export]) -> Iterator[str]:
    yield (
        "IoU is what the manifest says: the mean overlap with the network's own boxes, one step on each of the "
        "package's pictures; how a clip is tracked says lt-verify --clip"
    )
    unknown = [export.name for export in exports if not any(map(export.overlap, export.tracker.formats))]
    if unknown:
        yield f"no overlap was measured of {listed(unknown)}"
