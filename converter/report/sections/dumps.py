"""What a device wrote beside the golden vectors: which tensors are off, and why."""

from collections.abc import Mapping
from typing import Any

from converter.report.blocks import BAD, NOTE, OK, Block, Folded, Points, Row, Section, Table, Text, columns
from converter.report.text import cosine, count, error, listed, mapping, mappings, plain

_TITLES = ("Tensor", "Case", "File", "Layout", ">max |Δ|", ">Allowed", ">Of range", ">Cosine", "Verdict")


def dumps_section(section: Mapping[str, Any]) -> Section:
    """Causes first, then every dumped tensor.

    Args:
        section: ``DumpsReport.as_dict()``.
    """
    section = mapping(section)
    tensors = mappings(section.get("tensors"))
    off = [tensor for tensor in tensors if not tensor.get("passed")]
    passed = bool(section.get("passed"))
    if off:
        summary = f"{len(off)} of {count(len(tensors), 'dumped tensor')} are off."
    else:
        right = f"All {count(len(tensors), 'dumped tensor')} are right" if tensors else "Nothing was compared"
        summary = f"{right}." if passed else f"{right}, and that is not enough: no output is among them."
    blocks: list[Block] = [Text(f"Dumps in {plain(section.get('folder'))}.")]
    if causes := _causes(section, off):
        blocks.append(Points(causes, BAD))
    first = [f"First off in {plain(one.get('title'))}: {_place(one)}." for one in mappings(section.get("first_off"))]
    blocks += [Text(text) for text in first]
    outer = [tensor for tensor in tensors if tensor.get("role") != "intermediate" or not tensor.get("passed")]
    inner = [tensor for tensor in tensors if tensor not in outer]
    if outer:
        blocks.append(Table(columns(*_TITLES), tuple(map(_row, outer))))
    if inner:
        table = Table(columns(*_TITLES), tuple(map(_row, inner)), long=True)
        blocks.append(Folded(f"Inner tensors that are right ({len(inner)})", (table,), brief=False))
    if notes := _notes(section):
        blocks.append(Points(notes, NOTE))
    return Section("dumps", "Dumps of the device", OK if passed else BAD, summary, tuple(blocks))


def _causes(section, off):
    lines = []
    for cause in mappings(section.get("causes")):
        where = listed(dict.fromkeys(_place(one) for one in mappings(cause.get("tensors"))))
        lines.append(f"{where}: {plain(cause.get('text') or cause.get('cause'))}")
    others = dict.fromkeys(
        "; ".join(plain(cause.get("text")) for cause in mappings(causes))
        for tensor in off
        for causes in tensor.get("alternatives") or ()
    )
    lines += [f"Or, equally well: {text}" for text in others if text]
    unexplained = [_place(tensor) for tensor in off if not mappings(tensor.get("causes"))]
    if unexplained:
        lines.append(f"{listed(dict.fromkeys(unexplained))}: off, and none of the usual causes explains it")
    return tuple(lines)


def _place(tensor):
    return f"{plain(tensor.get('graph'))} {plain(tensor.get('name'))}"


def _row(tensor):
    figures = mapping(tensor.get("figures"))
    passed = bool(tensor.get("passed"))
    causes = listed(dict.fromkeys(plain(cause.get("cause")) for cause in mappings(tensor.get("causes"))))
    return Row(
        (
            _place(tensor),
            plain(tensor.get("title") or tensor.get("case")),
            plain(tensor.get("file")),
            plain(tensor.get("layout")),
            *(error(figures.get(key)) for key in ("max_abs", "allowed", "relative")),
            cosine(figures.get("cosine")),
            "right" if passed else causes or plain(figures.get("problem") or "off"),
        ),
        OK if passed else BAD,
    )


def _notes(section):
    lines = [plain(note) for note in section.get("notes") or ()]
    missing = [one for one in mappings(section.get("missing")) if one.get("role") == "output"]
    if missing:
        lines.append("Not dumped: " + listed(f"{plain(one.get('case'))} {_place(one)}" for one in missing))
    if others := section.get("other_files"):
        lines.append(f"Named after no tensor: {listed(others)}")
    return tuple(lines)
