"""The emulated ARM cpu for people: what ncnn's real half kernels computed, mode by mode."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from converter.report.blocks import BAD, NOTE, OK, Block, Folded, Points, Row, Section, Table, Text, columns
from converter.report.text import NOTHING, cosine, count, error, listed, percent

if TYPE_CHECKING:
    from converter.checks.arm.section import ArmCheck, ArmSection, BlobCounts, ModeResult
    from converter.proof.compare import OutputReport

_OUTPUTS = (
    "Verdict",
    "Mode",
    "Graph",
    "Output",
    ">max |Δ|",
    ">Of range",
    ">Allowed",
    ">Cosine",
    ">Not finite",
    "Input",
)
_DECISIONS = (
    *("Verdict", "Mode", "Graph", "Best cell", ">Box moved, pixels", ">Allowed", ">Score", ">Of the network", "Input"),
)
_BLOBS = ("Layer", "Type", "Blob", ">Values", ">NaN or infinite", ">Largest finite")
_SHOWN = 20

Part = TypeVar("Part")
Compared = tuple["ModeResult", "ArmCheck", "OutputReport"]
Decided = tuple["ModeResult", "ArmCheck"]


def arm_section(section: "ArmSection") -> Section:
    """What was run, the decisions, the outputs' figures, and the layers where values stop being finite."""
    return Section("arm", "On an emulated ARM cpu", OK if section else BAD, _summary(section), tuple(_blocks(section)))


def _summary(section: "ArmSection") -> str:
    if not section:
        return f"{section.failure()}."
    moved = [check.best.moved for mode in section.modes for check in mode.checks if check.best]
    boxes = f", boxes move by {max(moved):.2g} pixels at most" if moved else ""
    names = listed(mode.mode.name for mode in section.modes)
    return f"emulated aarch64 agrees with the network in {names} on {count(len(section.feeds), 'input')}{boxes}."


def _blocks(section: "ArmSection") -> Iterator[Block]:
    yield Text(f"{section.about}. No phone was asked.", "" if section else BAD)
    if section.masks:
        yield Points(tuple(map(str, section.masks)), BAD)
    if failures := tuple(mode.failure() for mode in section.modes if not mode):
        yield Points(failures, BAD)
    if section.modes:
        yield Points(tuple(map(_about, section.modes)), NOTE)
    checks = [(mode, check) for mode in section.modes for check in mode.checks]
    decided = [(mode, check) for mode, check in checks if check.decision is not None]
    outputs = [(mode, check, output) for mode, check in checks for output in check.outputs]
    worst_of = f"The worst of {listed(section.feeds)}."
    yield from _tables(
        _DECISIONS, decided, _decision_place, _moved, _decision, f"Best cells and their boxes. {worst_of}"
    )
    yield from _tables(_OUTPUTS, outputs, _output_place, _excess, _output, f"Outputs. {worst_of}")
    for mode in section.modes:
        for blobs in mode.blobs:
            yield from _blobs(mode, blobs)


def _about(mode: "ModeResult") -> str:
    """What the mode means, what was seen of it, and the figures that matter on a device."""
    proof = mode.proof
    parts = [f"{mode.mode.name}: {mode.mode.about}"]
    parts += [f"seen to store {proof.storage} and to add in {proof.arithmetic}"] if proof else []
    if boxes := [check.best for check in mode.checks if check.best is not None]:
        moved, score = max(box.moved for box in boxes), max(box.score_off for box in boxes)
        parts.append(f"box of the best cell within {moved:.2f} pixels (allowed {boxes[0].allowed_pixels:g})")
        parts.append(f"its score within {score:.4f} (allowed {boxes[0].allowed_score:g})")
    if counts := [counts for check in mode.checks for counts in check.counts.values()]:
        nan, infinite = (sum(each[key] for each in counts) for key in ("nan", "inf"))
        parts.append(f"{nan} NaN, {infinite} infinite" if nan or infinite else "all finite")
    return "; ".join(parts)


def _tables(
    titles: tuple[str, ...],
    parts: list[Part],
    place: Callable[[Part], tuple[str, ...]],
    badness: Callable[[Part], float],
    row: Callable[[Part], Row],
    about: str,
) -> Iterator[Block]:
    """The worst input of every place, and all of them folded where there are more."""
    worst: dict[tuple[str, ...], Part] = {}
    for part in parts:
        key = place(part)
        if key not in worst or badness(part) > badness(worst[key]):
            worst[key] = part
    if worst:
        yield Table(columns(*titles), tuple(map(row, worst.values())), about)
    if len(parts) > len(worst):
        table = Table(columns(*titles), tuple(map(row, parts)), long=True)
        yield Folded(f"{about.partition('.')[0]}: all {len(parts)} rows", (table,), brief=False)


def _place(mode: "ModeResult", check: "ArmCheck") -> tuple[str, ...]:
    return mode.mode.name, f"{check.graph} {check.how}"


def _decision_place(part: Decided) -> tuple[str, ...]:
    return _place(*part)


def _output_place(part: Compared) -> tuple[str, ...]:
    return (*_place(*part[:2]), part[2].name)


def _agrees(check: "ArmCheck") -> bool:
    return bool(check.decision) and (check.best is None or bool(check.best))


def _moved(part: Decided) -> float:
    """Failures first, then by the box."""
    check = part[1]
    return (0.0 if _agrees(check) else 1e9) + (check.best.moved if check.best is not None else 0.0)


def _excess(part: Compared) -> float:
    return part[1].excess(part[2])


def _decision(part: Decided) -> Row:
    mode, check = part
    decision, best = check.decision, check.best
    passed = _agrees(check)
    figures = (NOTHING,) * 4
    if best is not None:
        reference, candidate = best.scores
        figures = (f"{best.moved:.2f}", f"{best.allowed_pixels:g}", f"{candidate:.4f}", f"{reference:.4f}")
    cell = "same" if decision.same else "a tie" if decision.tie else "another"
    cells = ("ok" if passed else "FAILED", *_place(mode, check), cell, *figures, check.feed)
    return Row(cells, "" if passed else BAD)


def _output(part: Compared) -> Row:
    mode, check, output = part
    counts = check.counts[output.name]
    cells = (
        *("ok" if output else "FAILED", *_place(mode, check), output.name),
        *(error(output.max_abs), percent(output.relative), error(output.allowed), cosine(output.cosine)),
        *(str(counts["nan"] + counts["inf"]), f"{check.feed}: {output.problem}" if output.problem else check.feed),
    )
    return Row(cells, "" if output else BAD)


def _blobs(mode: "ModeResult", blobs: "BlobCounts") -> Iterable[Block]:
    title = f"{mode.mode.name} {blobs.graph}, {blobs.feed}"
    if not blobs.bad:
        yield Text(f"{title}: all {count(len(blobs.rows), 'blob')} finite.")
        return
    yield Text(f"{title}: {len(blobs.bad)} of {count(len(blobs.rows), 'blob')} are not finite.", BAD)
    rows = tuple(
        Row(
            (
                *(blob["layer"], blob["type"], blob["blob"], str(blob["size"]), str(blob["nan"] + blob["inf"])),
                NOTHING if blob["largest"] is None else f"{blob['largest']:.4g}",
            ),
            BAD,
        )
        for blob in blobs.bad[:_SHOWN]
    )
    table = Table(columns(*_BLOBS), rows, "In the order of the layers; it begins in the first.", long=True)
    yield Folded(f"{title}: the first {count(len(rows), 'blob')} that are not finite", (table,), brief=False)
