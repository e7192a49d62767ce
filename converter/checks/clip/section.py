"""A clip for people: overlap with the network's own track, speed, curves, and what the worst frames look like."""

from base64 import b64encode
from collections.abc import Iterator
from typing import TYPE_CHECKING

from converter.report.blocks import (
    BAD,
    NOTE,
    OK,
    Block,
    Charts,
    Folded,
    Picture,
    Pictures,
    Row,
    Section,
    Table,
    Terms,
    Text,
    columns,
)
from converter.report.charts import lowest_tick, overlaps
from converter.report.text import NOTHING, box, count, error, milliseconds, overlap, per_second

if TYPE_CHECKING:
    from converter.checks.clip.report import CandidateReport, ClipReport, FrameRow, Speed

# An overlap below this is worth looking at, whatever the floor for the mean.
NOTABLE = 0.9
WORST = 10
LEGEND = Terms(
    (
        (
            "IoU, overlap",
            "Intersection over union of the model's box and the reference's in the same frame. It is agreement with "
            "the reference, not with ground truth: where the network loses the target and the model with it, it is 1.",
        ),
        ("First below", f"The first frame with an overlap of less than {NOTABLE:g}."),
        ("Score |Δ|", "Absolute difference of both scores of a frame."),
        ("Network", "Median time that the graphs take for one search crop."),
        ("Frames/s", "With cropping and the choice of the box, without reading the clip."),
    )
)
_TITLES = columns(
    "Verdict", "Model", ">Mean IoU", ">Smallest", ">In frame", ">First below", ">Score max |Δ|", ">Score mean |Δ|"
)


def clip_section(report: "ClipReport") -> Section:
    """Figures, curves and pictures of a clip."""
    summary = " ".join(map(_sentence, report.candidates)) or "No model was compared."
    return Section("clip", "On the clip", OK if report else BAD, summary, tuple(_blocks(report)), folded=False)


def _blocks(report: "ClipReport") -> Iterator[Block]:
    if report.problem:
        yield Text(f"The reference stopped: {report.problem}", BAD)
    if report.candidates:
        yield Table(_TITLES, tuple(map(_row, report.candidates)), _about(report))
    yield Table(columns("Model", ">Frames", ">Network", ">Frames/s"), tuple(_speeds(report)), _whose(report))
    if report.frames and report.candidates:
        yield Charts(_drawings(report))
    if report.thumbnails:
        pictures = tuple(_picture(report.frames[index], data) for index, data in report.thumbnails)
        yield Pictures(pictures, "The frames with the smallest overlaps, the boxes drawn.")
    yield LEGEND
    for candidate in report.candidates:
        if rows := _worst(candidate.name, report.frames):
            titles = (">Frame", ">IoU", ">Reference x, y, w, h", ">Score", f">{candidate.name} x, y, w, h", ">Score")
            table = Table(columns(*titles), rows, long=True)
            yield Folded(f"{candidate.name}: {count(len(rows), 'worst frame')}", (table,), brief=False)


def _sentence(candidate: "CandidateReport") -> str:
    smallest = f", smallest {overlap(candidate.iou_smallest)} in frame {candidate.iou_smallest_frame}"
    stopped = f"; stopped: {candidate.problem}" if candidate.problem else ""
    if candidate.iou_mean is None:
        return f"{candidate.name}: no frame was compared{stopped}."
    frames = count(candidate.tracked, "frame")
    return f"{candidate.name}: mean overlap {overlap(candidate.iou_mean)} over {frames}{smallest}{stopped}."


def _about(report: "ClipReport") -> str:
    width, height = report.clip.size
    return (
        f"{report.clip.name}, {width}×{height}, from x, y, w, h = {box(report.box.values)}. "
        f"A mean overlap of {report.min_iou:g} passes, the first below {NOTABLE:g} is listed."
    )


def _whose(report: "ClipReport") -> str:
    """Of which machine the milliseconds are."""
    return f"Times of {report.machine}, which ran lt-verify, on one thread; they are not those of a device."


def _row(candidate: "CandidateReport") -> Row:
    verdict, state = _verdict(candidate)
    figures = (NOTHING,) * 4
    if candidate.iou_mean is not None:
        figures = (
            *(overlap(candidate.iou_mean), overlap(candidate.iou_smallest), str(candidate.iou_smallest_frame)),
            "none" if candidate.first_below is None else str(candidate.first_below),
        )
    scores = error(candidate.score_max), error(candidate.score_mean)
    return Row((verdict, candidate.name, *figures, *scores), state)


def _verdict(candidate: "CandidateReport") -> tuple[str, str]:
    """In words, and the row's state."""
    if candidate.problem:
        return "stopped", BAD
    if not candidate:
        return "nothing compared" if candidate.iou_mean is None else "below the floor", BAD
    return ("passed", OK) if candidate.first_below is None else ("passed, with dips", NOTE)


def _speeds(report: "ClipReport") -> Iterator[Row]:
    yield Row(("reference", str(report.tracked), *_speed(report.speed)), BAD if report.problem else "")
    for candidate in report.candidates:
        yield Row((candidate.name, str(candidate.tracked), *_speed(candidate.speed)))


def _speed(speed: "Speed") -> tuple[str, str]:
    return milliseconds(speed.milliseconds), per_second(speed.fps)


def _drawings(report: "ClipReport") -> tuple[tuple[str, ...], ...]:
    limits = [("mean has to reach", report.min_iou)]
    if report.min_iou != NOTABLE:
        limits.append(("notable below", NOTABLE))
    curves = [[row.overlaps[candidate.name] for row in report.frames] for candidate in report.candidates]
    low = lowest_tick([value for values in curves for value in values], [limit for _, limit in limits])
    numbers = [row.index for row in report.frames]
    drawings = []
    for index, (candidate, values) in enumerate(zip(report.candidates, curves, strict=True)):
        title = f"{candidate.name}: overlap, mean {overlap(candidate.iou_mean)}"
        drawings.append(overlaps(f"c{index}", title, numbers, values, limits, candidate.problem, low))
    return tuple(drawings)


def _picture(row: "FrameRow", data: bytes) -> Picture:
    figures = ", ".join(f"{name} {overlap(value)}" for name, value in row.overlaps.items())
    source = f"data:image/jpeg;base64,{b64encode(data).decode('ascii')}"
    return Picture(source, f"Frame {row.index}: overlap {figures}")


def _worst(name: str, frames: "tuple[FrameRow, ...]") -> tuple[Row, ...]:
    """The frames with the smallest overlaps in their order; the first one's box is given and never among them."""
    compared = [(value, row) for row in frames[1:] if (value := row.overlaps[name]) is not None]
    worst = sorted(compared, key=lambda pair: pair[0])[:WORST]
    rows = []
    for value, row in sorted(worst, key=lambda pair: pair[1].index):
        sides = row.reference, row.candidates[name]
        cells = [cell for side in sides if side for cell in (box(side.box.values), f"{side.score:.4f}")]
        rows.append(Row((str(row.index), overlap(value), *cells)))
    return tuple(rows)
