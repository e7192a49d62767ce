"""A device for people: what ncnn's kernels computed there, mode by mode."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from converter.checks.device.section import BlobCounts, ModeCheck, ModeResult
from converter.checks.half.masks import DangerousMask
from converter.proof.section import badness
from converter.report.blocks import BAD, NOTE, Block, Column, Folded, Points, Row, Table, Text, columns
from converter.report.text import NOTHING, cosine, count, error, listed, percent, plain

_DECISIONS = columns(
    "Verdict", "Mode", "Graph", "Best cell", ">Box moved, pixels", ">Allowed", ">Score", ">Of the network", "Input"
)
_OUTPUTS = columns(
    "Verdict", "Mode", "Graph", "Output", ">max |Δ|", ">Of range", ">Allowed", ">Cosine", ">Not finite", "Input"
)
_BLOBS = columns("Layer", "Type", "Blob", ">Values", ">NaN or infinite", ">Largest finite")
_SHOWN = 20

# what one row is about, how bad it is, and the row
Ranked = tuple[tuple[str, ...], float, Row]


class Modes(Protocol):
    """The section of a device."""

    @property
    def feeds(self) -> tuple[str, ...]: ...

    @property
    def modes(self) -> tuple[ModeResult, ...]: ...

    @property
    def masks(self) -> tuple[DangerousMask, ...]: ...

    def __bool__(self) -> bool: ...

    def failure(self) -> str: ...


def section_summary(section: Modes, where: str) -> str:
    """In a line: what failed, or what agrees."""
    if not section:
        return f"{section.failure()}."
    moved = [check.best.moved for mode in section.modes for check in mode.checks if check.best]
    boxes = f", boxes move by {max(moved):.2g} pixels at most" if moved else ""
    names = listed(mode.mode.name for mode in section.modes)
    return f"{where} agrees with the network in {names} on {count(len(section.feeds), 'input')}{boxes}."


def section_blocks(section: Modes, about: str) -> tuple[Block, ...]:
    """What was run, the decisions, the outputs' figures, and the layers where values stop being finite.

    Args:
        about: what was run, in words.
    """
    return tuple(_blocks(section, about))


def _blocks(section: Modes, about: str) -> Iterator[Block]:
    yield Text(about, "" if section else BAD)
    if section.masks:
        yield Points(tuple(map(str, section.masks)), BAD)
    if failures := tuple(mode.failure() for mode in section.modes if not mode):
        yield Points(failures, BAD)
    if section.modes:
        yield Points(tuple(map(_about, section.modes)), NOTE)
    checks = [check for mode in section.modes for check in mode.checks]
    worst_of = f"The worst of {listed(section.feeds)}."
    yield from _tables(_DECISIONS, list(_decisions(checks)), "Best cells and their boxes", worst_of)
    yield from _tables(_OUTPUTS, list(_outputs(checks)), "Outputs", worst_of)
    for mode in section.modes:
        for blobs in mode.blobs:
            yield from _blobs(f"{mode.mode.name} {blobs.graph}, {blobs.feed}", blobs)


def _about(mode: ModeResult) -> str:
    """What the mode means, what was seen of it, and the figures that matter on a device."""
    proof = mode.proof
    parts = [f"{mode.mode.name}: {mode.mode.about}"]
    parts += [f"seen to store {proof.storage} and to add in {proof.arithmetic}"] if proof else []
    if boxes := [check.best for check in mode.checks if check.best is not None]:
        moved, score = max(box.moved for box in boxes), max(box.score_off for box in boxes)
        parts.append(f"box of the best cell within {moved:.2f} pixels (allowed {boxes[0].allowed_pixels:g})")
        parts.append(f"its score within {score:.4f} (allowed {boxes[0].allowed_score:g})")
    if counts := [counts for check in mode.checks for counts in check.counts.values()]:
        nan, infinite = sum(each.nan for each in counts), sum(each.inf for each in counts)
        parts.append(f"{nan} NaN, {infinite} infinite" if nan or infinite else "all finite")
    return "; ".join(parts)


def _tables(titles: tuple[Column, ...], ranked: Sequence[Ranked], name: str, about: str) -> Iterator[Block]:
    """The worst input of every place, and all of them folded where there are more."""
    worst: dict[tuple[str, ...], tuple[float, Row]] = {}
    for place, rank, row in ranked:
        if place not in worst or rank > worst[place][0]:
            worst[place] = rank, row
    if worst:
        yield Table(titles, tuple(row for _, row in worst.values()), f"{name}. {about}")
    if len(ranked) > len(worst):
        table = Table(titles, tuple(row for *_, row in ranked), long=True)
        yield Folded(f"{name}: all {len(ranked)} rows", (table,), brief=False)


def _decisions(checks: Sequence[ModeCheck]) -> Iterator[Ranked]:
    """Failures first, then by the box."""
    for each in checks:
        decision, best = each.check.decision, each.best
        if decision is None:
            continue
        passed, rank, figures = bool(decision), 0.0, (NOTHING,) * 4
        if best is not None:
            passed, rank, (reference, candidate) = passed and bool(best), best.moved, best.scores
            figures = (f"{best.moved:.2f}", f"{best.allowed_pixels:g}", f"{candidate:.4f}", f"{reference:.4f}")
        cell = "same" if decision.same else "a tie" if decision.tie else "another"
        cells = ("ok" if passed else "FAILED", *_place(each), cell, *figures, each.check.feed)
        yield _place(each), rank if passed else rank + 1e9, Row(cells, "" if passed else BAD)


def _outputs(checks: Sequence[ModeCheck]) -> Iterator[Ranked]:
    for each in checks:
        feed = each.check.feed
        for output in each.check.outputs:
            place, counts = (*_place(each), output.name), each.counts[output.name]
            cells = (
                *("ok" if output else "FAILED", *place),
                *(error(output.max_abs), percent(output.relative), error(output.allowed), cosine(output.cosine)),
                *(str(counts.nan + counts.inf), f"{feed}: {output.problem}" if output.problem else feed),
            )
            yield place, badness(output), Row(cells, "" if output else BAD)


def _place(each: ModeCheck) -> tuple[str, ...]:
    return each.mode, f"{each.check.graph} {each.check.how}"


def _blobs(title: str, blobs: BlobCounts) -> Iterator[Block]:
    if not blobs.bad:
        yield Text(f"{title}: all {count(len(blobs.rows), 'blob')} finite.")
        return
    yield Text(f"{title}: {len(blobs.bad)} of {count(len(blobs.rows), 'blob')} are not finite.", BAD)
    rows = tuple(
        Row((row.layer, row.type, row.blob, str(row.size), str(row.nan + row.inf), plain(row.largest)), BAD)
        for row in blobs.bad[:_SHOWN]
    )
    table = Table(_BLOBS, rows, "In the order of the layers; it begins in the first.", long=True)
    yield Folded(f"{title}: the first {count(len(rows), 'blob')} that are not finite", (table,), brief=False)
