"""A clip for people: overlap with the network's own track, speed, curves, and what the worst frames look like."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from converter.checks.clip.frame import FrameRow
from converter.checks.clip.free import NOTABLE, Floor
from converter.checks.clip.marks import AFTER, SETTLING
from converter.checks.clip.one_step import Step, Steps
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
from converter.report.text import NOTHING, box, count, error, milliseconds, overlap, per_second, percent
from converter.track.lost import LOW_SCORE, stretches

if TYPE_CHECKING:
    from converter.checks.clip.report import CandidateReport, ClipReport, Speed

SHOWN = 5  # cuts, jumps and low scores that are listed

WORST = 10
LEGEND = (
    (
        "IoU, overlap",
        "Intersection over union with the reference's box in the same frame. It is agreement with the reference, "
        "not with ground truth: where both lose the target, it is 1.",
    ),
    ("One step", "Both see the same crop, from where the reference is; boxes before smoothing. This decides."),
    (
        "Free running",
        "Each goes on from its own box, where a pixel of difference stays and grows; decides nothing. Floor: the "
        "reference against itself, with noise of the tolerance's size.",
    ),
    (
        "Lost",
        f"A cut, a jump of the reference's box or a score under {LOW_SCORE:g} of the first, and {SETTLING} frames "
        "after; counted apart, unless half of the clip is lost.",
    ),
    ("Score |Δ|", "Absolute difference of both scores of a frame."),
)
_STEP_TITLES = columns(
    "Verdict", "One step", ">Frames", ">Mean IoU", ">Smallest", ">In frame", ">Other cell", ">Score max |Δ|"
)
_FREE_TITLES = columns(
    *("Free running", ">Frames", ">Mean IoU", ">Until lost", ">Smallest", ">In frame", f">Below {NOTABLE:g} in"),
    *(">Score max |Δ|", ">Network", ">Frames/s"),
)


def clip_section(report: "ClipReport") -> Section:
    """Figures, curves and pictures of a clip."""
    summary = " ".join(_sentence(candidate, report.floor) for candidate in report.candidates)
    summary = summary or "No model was compared."
    return Section("clip", "On the clip", OK if report else BAD, summary, tuple(_blocks(report)), folded=False)


def _blocks(report: "ClipReport") -> Iterator[Block]:
    if report.problem:
        yield Text(f"The reference stopped: {report.problem}", BAD)
    if report.candidates:
        steps = tuple(row for candidate in report.candidates for row in _step_rows(candidate))
        yield Table(_STEP_TITLES, steps, _about(report))
        if report.lost:
            yield Text(_lost(report.lost), NOTE)
    yield Table(_FREE_TITLES, tuple(_free_rows(report)))
    if report.frames and report.candidates:
        yield Charts(_drawings(report))
    if report.thumbnails:
        pictures = tuple(_picture(report.frames[index], data) for index, data in report.thumbnails)
        yield Pictures(pictures, "The frames with the smallest overlaps, free running, the boxes drawn.")
    yield Terms((*LEGEND, ("Network, frames/s", _whose(report))))
    for candidate in report.candidates:
        if rows := _worst(candidate.name, report.frames):
            titles = (">Frame", ">IoU", ">Reference x, y, w, h", ">Score", f">{candidate.name} x, y, w, h", ">Score")
            table = Table(columns(*titles), rows, long=True)
            yield Folded(f"{candidate.name}: {count(len(rows), 'worst frame')}", (table,), brief=False)


def _sentence(candidate: "CandidateReport", floor: Floor) -> str:
    stopped = f"; stopped: {candidate.problem}" if candidate.problem else ""
    steps, free = candidate.judged, candidate.free
    if steps.iou_mean is None:
        return f"{candidate.name}: no frame was compared{stopped}."
    one = f"{overlap(steps.iou_mean)} over {count(steps.frames, 'frame')}"
    smallest = f"smallest {overlap(steps.iou_smallest)} in frame {steps.iou_smallest_frame}"
    running = f"free running {overlap(free.iou_mean)}, floor {overlap(floor.iou_mean)}"
    return f"{candidate.name}: mean overlap in one step {one}, {smallest}; {running}{stopped}."


def _about(report: "ClipReport") -> str:
    width, height = report.clip.size
    limits = report.limits
    cells = f"{percent(limits.other_cells)} of the frames" if limits.other_cells else "no frame"
    return (
        f"{report.clip.name}, {width}×{height}, from x, y, w, h = {box(report.box.values)}. One step passes "
        f"with a mean overlap of {limits.iou:g}, another cell in {cells}, scores off by {limits.score:g}."
    )


def _lost(rows: Sequence[FrameRow]) -> str:
    """Where, and why."""
    seen = [f"frame {row.index}: {', '.join(row.lost)}" for row in rows if row.lost != (AFTER,)]
    more = f"; and {count(len(seen) - SHOWN, 'more frame')}" if len(seen) > SHOWN else ""
    return (
        f"The reference has lost the target in {count(len(rows), 'frame')}: {stretches(row.index for row in rows)} "
        f"({'; '.join(seen[:SHOWN])}{more})."
    )


def _whose(report: "ClipReport") -> str:
    """Of which machine the milliseconds are."""
    return (
        f"Times of {report.machine}, which ran lt-verify, on one thread; they are not those of a device. Frames/s with "
        "cropping and the choice of the box, without reading the clip."
    )


def _step_rows(candidate: "CandidateReport") -> Iterator[Row]:
    """The frames that decide, and the others."""
    verdict, state = _verdict(candidate)
    yield Row((verdict, candidate.name, *_step_cells(candidate.judged)), state)
    if candidate.lost.frames and candidate.judged == candidate.held:
        yield Row(("not judged", f"{candidate.name}, lost", *_step_cells(candidate.lost)))


def _step_cells(steps: Steps) -> tuple[str, ...]:
    overlaps = overlap(steps.iou_mean), overlap(steps.iou_smallest)
    return (
        str(steps.frames),
        *overlaps,
        _frame(steps.iou_smallest_frame),
        str(steps.other_cells),
        error(steps.score_max),
    )


def _verdict(candidate: "CandidateReport") -> tuple[str, str]:
    """In words, and the row's state."""
    if candidate.problem:
        return "stopped", BAD
    if not candidate:
        return "beyond the limits" if candidate.judged.frames else "nothing compared", BAD
    return ("passed", OK) if candidate.judged == candidate.held else ("passed, mostly lost", NOTE)


def _free_rows(report: "ClipReport") -> Iterator[Row]:
    for candidate in report.candidates:
        free = candidate.free
        overlaps = overlap(free.iou_mean), overlap(free.iou_until_lost), overlap(free.iou_smallest)
        frame, first = (_frame(index) for index in (free.iou_smallest_frame, free.first_below))
        first = "none" if free.first_below is None and free.tracked else first
        figures = (*overlaps, frame, first, error(free.score_max))
        yield Row((candidate.name, str(free.tracked), *figures, *_speed(candidate.speed)))
    floor, nothing = report.floor, (NOTHING,) * 5
    overlaps = overlap(floor.iou_mean), overlap(floor.iou_until_lost), overlap(floor.iou_smallest)
    yield Row((f"floor, {count(floor.seeds, 'seed')}", NOTHING, *overlaps, *nothing))
    state = BAD if report.problem else ""
    yield Row(("reference", str(report.tracked), *nothing, NOTHING, *_speed(report.speed)), state)


def _frame(index: int | None) -> str:
    return NOTHING if index is None else str(index)


def _speed(speed: "Speed") -> tuple[str, str]:
    return milliseconds(speed.milliseconds), per_second(speed.fps)


def _drawings(report: "ClipReport") -> tuple[tuple[str, ...], ...]:
    """A pair of curves for each candidate: one step, free running."""
    steps = {each.name: [_iou(row.steps[each.name]) for row in report.frames] for each in report.candidates}
    free = {each.name: [row.overlaps[each.name] for row in report.frames] for each in report.candidates}
    numbers, drawings = [row.index for row in report.frames], []
    curves = (
        ("s", "one step", steps, ("mean has to reach", report.limits.iou)),
        ("f", "free running", free, ("notable below", NOTABLE)),
    )
    for index, candidate in enumerate(report.candidates):
        means = candidate.judged.iou_mean, candidate.free.iou_mean
        for (key, about, values, limit), mean in zip(curves, means, strict=True):
            low = lowest_tick([value for of in values.values() for value in of], [limit[1]])
            title = f"{candidate.name}: {about}, mean {overlap(mean)}"
            drawn = values[candidate.name]
            drawings.append(overlaps(f"c{index}{key}", title, numbers, drawn, [limit], candidate.problem, low))
    return tuple(drawings)


def _iou(step: Step | None) -> float | None:
    return step.iou if step else None


def _picture(row: FrameRow, data: bytes) -> Picture:
    figures = ", ".join(f"{name} {overlap(value)}" for name, value in row.overlaps.items())
    source = f"data:image/jpeg;base64,{b64encode(data).decode('ascii')}"
    return Picture(source, f"Frame {row.index}: overlap {figures}")


def _worst(name: str, frames: tuple[FrameRow, ...]) -> tuple[Row, ...]:
    """The frames with the smallest overlaps in their order; the first one's box is given and never among them."""
    compared = [(value, row) for row in frames[1:] if (value := row.overlaps[name]) is not None]
    worst = sorted(compared, key=lambda pair: pair[0])[:WORST]
    rows = []
    for value, row in sorted(worst, key=lambda pair: pair[1].index):
        sides = row.reference, row.candidates[name]
        cells = [cell for side in sides if side for cell in (box(side.box.values), f"{side.score:.4f}")]
        rows.append(Row((str(row.index), overlap(value), *cells)))
    return tuple(rows)
