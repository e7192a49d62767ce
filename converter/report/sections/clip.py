"""The clip: overlap with the network's own track, frame by frame, and what the worst frames look like."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

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
    Text,
    columns,
)
from converter.report.charts import lowest_tick, overlaps
from converter.report.text import (
    NOTHING,
    box,
    count,
    error,
    is_number,
    mapping,
    mappings,
    milliseconds,
    overlap,
    per_second,
    plain,
)

WORST = 10
_KINDS = ((b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"))

Thumbnails = Sequence[tuple[str, int, bytes]]


def clip_section(section: Mapping[str, Any], thumbnails: Thumbnails = ()) -> Section:
    """Figures, curves and pictures of a clip.

    Args:
        section: ``ClipReport.as_dict()``.
        thumbnails: (whose, frame index, JPEG or PNG) of the worst frames; "" for pictures of all models.
    """
    section = mapping(section)
    candidates = mappings(section.get("candidates"))
    reference = mapping(section.get("reference"))
    frames = mappings(section.get("frames"))
    passed = bool(section.get("passed"))
    tables = Table(
        columns(
            *("Model", ">Frames", ">Mean IoU", ">Smallest", ">In frame", ">First below", ">Score max |Δ|"),
            *(">Score mean |Δ|", ">Network", ">Frames/s", "Verdict"),
        ),
        (_reference_row(reference), *(_row(candidate) for candidate in candidates)),
        _about(section),
    )
    blocks: list[Block] = [tables]
    if reference.get("problem"):
        blocks.insert(0, Text(f"The reference stopped: {plain(reference['problem'])}", BAD))
    if frames and candidates:
        blocks.append(Charts(_drawings(section, frames, candidates)))
    if pictures := _pictures(frames, thumbnails):
        blocks.append(Pictures(pictures, "The frames with the smallest overlaps, the boxes drawn."))
    for candidate in candidates:
        if table := _worst(plain(candidate.get("name")), frames):
            blocks.append(
                Folded(f"{plain(candidate.get('name'))}: {len(table.rows)} worst frames", (table,), brief=False)
            )
    return Section("clip", "On the clip", OK if passed else BAD, _summary(section, candidates), tuple(blocks), False)


def _summary(section, candidates):
    parts = []
    for candidate in candidates:
        iou = mapping(candidate.get("iou"))
        end = f"; stopped: {candidate['problem']}" if candidate.get("problem") else ""
        parts.append(
            f"{plain(candidate.get('name'))}: mean overlap {overlap(iou.get('mean'))} over "
            f"{count(candidate.get('tracked') or 0, 'frame')}, smallest {overlap(iou.get('smallest'))} in frame "
            f"{plain(iou.get('smallest_frame'))}{end}"
        )
    return ". ".join(parts) + "." if parts else "No model was compared."


def _about(section):
    clip = mapping(section.get("clip"))
    size = f", {clip['width']}×{clip['height']}" if clip.get("width") and clip.get("height") else ""
    notable = f", first below {section['notable_iou']:g} is listed" if is_number(section.get("notable_iou")) else ""
    return (
        f"{plain(clip.get('name'))}{size}, from x, y, w, h = {box(section.get('box'))}. "
        f"A mean overlap of {plain(section.get('min_iou'))} passes{notable}."
    )


def _reference_row(reference):
    frames, nothing = plain(reference.get("tracked")), (NOTHING,) * 6
    return Row(("reference", frames, *nothing, *_speed(reference), plain(reference.get("problem") or "")))


def _row(candidate):
    iou, score = mapping(candidate.get("iou")), mapping(candidate.get("score_difference"))
    passed = bool(candidate.get("passed"))
    below = iou.get("first_below")
    verdict, state = "passed", OK
    if not passed:
        verdict, state = plain(candidate.get("problem") or "below the floor"), BAD
    elif below is not None:
        verdict, state = "passed, with dips", NOTE
    return Row(
        (
            plain(candidate.get("name")),
            plain(candidate.get("tracked")),
            overlap(iou.get("mean")),
            overlap(iou.get("smallest")),
            plain(iou.get("smallest_frame")),
            "none" if below is None and is_number(iou.get("mean")) else plain(below),
            error(score.get("max")),
            error(score.get("mean")),
            *_speed(candidate),
            verdict,
        ),
        state,
    )


def _speed(model):
    return milliseconds(model.get("milliseconds")), per_second(model.get("fps"))


def _overlap_in(row, name):
    value = mapping(mapping(row.get("candidates")).get(name)).get("iou")
    return value if is_number(value) else None


def _drawings(section, frames, candidates):
    limits = [("mean has to reach", section.get("min_iou"))]
    if section.get("notable_iou") != section.get("min_iou"):
        limits.append(("notable below", section.get("notable_iou")))
    limits = [limit for limit in limits if is_number(limit[1])]
    found = {plain(one.get("name")): [_overlap_in(row, one.get("name")) for row in frames] for one in candidates}
    low = lowest_tick([value for values in found.values() for value in values], [limit[1] for limit in limits])
    numbers = [row["frame"] if isinstance(row.get("frame"), int) else index for index, row in enumerate(frames)]
    drawings = []
    for index, candidate in enumerate(candidates):
        name = plain(candidate.get("name"))
        mean = overlap(mapping(candidate.get("iou")).get("mean"))
        stopped = plain(candidate["problem"]) if candidate.get("problem") else None
        title = f"{name}: overlap, mean {mean}"
        drawings.append(overlaps(f"c{index}", title, numbers, found[name], limits, stopped, low))
    return tuple(drawings)


def _pictures(frames, thumbnails):
    rows = {row.get("frame"): row for row in frames}
    pictures = []
    for name, index, data in thumbnails:
        kind = next((kind for start, kind in _KINDS if data.startswith(start)), None)
        if kind is None:
            continue
        row = mapping(rows.get(index))
        names = [name] if name in mapping(row.get("candidates")) else list(mapping(row.get("candidates")))
        found = [(one, _overlap_in(row, one)) for one in names]
        figures = ", ".join(f"{one} {overlap(value)}" for one, value in found)
        caption = f"Frame {index}" + (f": overlap {figures}" if figures else "")
        pictures.append(Picture(f"data:image/{kind};base64,{b64encode(data).decode('ascii')}", caption))
    return tuple(pictures)


def _worst(name, frames):
    found = [(value, row) for row in frames[1:] if (value := _overlap_in(row, name)) is not None]
    if not found:
        return None
    worst = sorted(sorted(found, key=lambda pair: pair[0])[:WORST], key=lambda pair: pair[1].get("frame") or 0)
    rows = []
    for value, row in worst:
        own, reference = mapping(mapping(row.get("candidates")).get(name)), mapping(row.get("reference"))
        sides = [cell for side in (reference, own) for cell in (box(side.get("box")), _score(side))]
        rows.append(Row((plain(row.get("frame")), overlap(value), *sides)))
    titles = (">Frame", ">IoU", ">Reference x, y, w, h", ">Score", f">{name} x, y, w, h", ">Score")
    return Table(columns(*titles), tuple(rows), long=True)


def _score(side):
    return f"{side['score']:.4f}" if is_number(side.get("score")) else NOTHING
