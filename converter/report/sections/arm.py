"""The emulated ARM cpu: what ncnn's real half kernels computed, mode by mode."""

from collections.abc import Mapping
from typing import Any

from converter.report.blocks import BAD, NOTE, OK, Block, Folded, Points, Row, Section, Table, Text, columns
from converter.report.text import NOTHING, cosine, count, error, is_number, listed, mapping, mappings, percent, plain

_TITLES = ("Mode", "Graph", "Input", "Output", ">max |Δ|", ">Of range", ">Allowed", ">Cosine", ">Not finite", "")
_DECISIONS = ("Mode", "Graph", "Input", "Best cell", ">Box moved, pixels", ">Allowed", ">Score", ">Of the network", "")
_BLOBS = ("Layer", "Type", "Blob", ">Values", ">NaN or infinite", ">Largest finite")
_SHOWN = 20


def arm_section(section: Mapping[str, Any]) -> Section:
    """What was run, the decisions, every output's figures, and the layers where values stop being finite.

    Args:
        section: ``ArmSection.as_dict()``.
    """
    section = mapping(section)
    modes = mappings(section.get("modes"))
    passed = bool(section.get("passed"))
    blocks: list[Block] = [Text(f"{plain(section.get('about'))}. No phone was asked.", "" if passed else BAD)]
    if masks := [plain(mask.get("about")) for mask in mappings(section.get("masks"))]:
        blocks.append(Points(tuple(masks), BAD))
    blocks.append(Points(tuple(map(_about, modes)), NOTE))
    if failures := [plain(mode["failure"]) for mode in modes if mode.get("failure")]:
        blocks.append(Points(tuple(failures), BAD))
    if rows := [row for mode in modes for row in _decisions(mode)]:
        blocks.append(Table(columns(*_DECISIONS), tuple(rows)))
    if rows := [row for mode in modes for row in _outputs(mode)]:
        blocks.append(Table(columns(*_TITLES), tuple(rows)))
    blocks += [block for mode in modes for block in _blobs(mode)]
    return Section(
        "arm", "On an emulated ARM cpu", OK if passed else BAD, _summary(section, modes, passed), tuple(blocks)
    )


def _summary(section, modes, passed):
    if not passed:
        return f"{plain(section.get('failure') or 'emulated aarch64: nothing was run')}."
    names = listed([plain(mode.get("name")) for mode in modes])
    moved = [box["moved"] for mode in modes for box in _boxes(mode) if is_number(box.get("moved"))]
    boxes = f", boxes move by {max(moved):.2g} pixels at most" if moved else ""
    inputs = count(len(section.get("feeds") or ()), "input")
    return f"emulated aarch64 agrees with the network in {names} on {inputs}{boxes}."


def _boxes(mode):
    return [mapping(check.get("best_box")) for check in mappings(mode.get("checks"))]


def _about(mode):
    proof = mapping(mode.get("proof"))
    seen = (
        f"; seen to store {plain(proof.get('storage'))} and to add in {plain(proof.get('arithmetic'))}" if proof else ""
    )
    return f"{plain(mode.get('name'))}: {plain(mode.get('about'))}{seen}"


def _place(mode, check):
    return plain(mode.get("name")), f"{plain(check.get('graph'))} {plain(check.get('how'))}", plain(check.get("feed"))


def _decisions(mode):
    for check in mappings(mode.get("checks")):
        cell, box = mapping(check.get("best_cell")), mapping(check.get("best_box"))
        if not cell:
            continue
        passed = bool(cell.get("passed")) and (not box or bool(box.get("passed")))
        scores = box.get("scores") or (None, None)
        yield Row(
            (
                *_place(mode, check),
                "same" if cell.get("same") else "a tie" if cell.get("tie") else "another",
                f"{box['moved']:.2f}" if is_number(box.get("moved")) else NOTHING,
                plain(box.get("allowed_pixels")),
                *(f"{score:.4f}" if is_number(score) else NOTHING for score in (scores[1], scores[0])),
                "" if passed else "FAILED",
            ),
            "" if passed else BAD,
        )


def _outputs(mode):
    for check in mappings(mode.get("checks")):
        counts = mapping(check.get("counts"))
        for output in mappings(check.get("outputs")):
            found = mapping(counts.get(output.get("name")))
            passed = bool(output.get("passed"))
            bad = _not_finite(found)
            figures = (
                error(output.get("max_abs")),
                percent(output["relative"]) if is_number(output.get("relative")) else NOTHING,
            )
            yield Row(
                (
                    *(*_place(mode, check), plain(output.get("name")), *figures),
                    *(error(output.get("allowed")), cosine(output.get("cosine")), bad),
                    "" if passed else f"FAILED {plain(output['problem']) if output.get('problem') else ''}".rstrip(),
                ),
                "" if passed else BAD,
            )


def _blobs(mode):
    for blobs in mappings(mode.get("blobs")):
        bad = [blob for blob in mappings(blobs.get("blobs")) if blob.get("nan") or blob.get("inf")]
        title = f"{plain(mode.get('name'))} {plain(blobs.get('graph'))}, {plain(blobs.get('feed'))}"
        if not bad:
            yield Text(f"{title}: all {count(len(blobs.get('blobs') or ()), 'blob')} finite.")
            continue
        rows = tuple(
            Row((*_plain(blob, "layer", "type", "blob", "size"), _not_finite(blob), *_plain(blob, "largest")), BAD)
            for blob in bad[:_SHOWN]
        )
        table = Table(columns(*_BLOBS), rows, "In the order of the layers; it begins in the first.", long=True)
        yield Folded(f"{title}: {count(len(bad), 'blob')} not finite", (table,), brief=False)


def _not_finite(counts):
    return plain((counts.get("nan") or 0) + (counts.get("inf") or 0))


def _plain(blob, *keys):
    return (plain(blob.get(key)) for key in keys)
