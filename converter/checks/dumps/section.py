"""A device's dumps for people: what is off and why, then every dumped tensor."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from converter.report.blocks import BAD, NOTE, OK, Block, Folded, Points, Row, Section, Table, Text, columns
from converter.report.text import NOTHING, cosine, count, error, listed

if TYPE_CHECKING:
    from converter.checks.dumps.report import DumpsReport, TensorReport

SHOWN = 8
_TITLES = ("Verdict", "Tensor", "Case", "Layout", ">max |Δ|", ">Of range", ">Allowed", ">Cosine", "File")


def dumps_section(report: "DumpsReport") -> Section:
    """Causes first, then every dumped tensor, and what is missing."""
    return Section("dumps", "Dumps of the device", OK if report else BAD, _summary(report), tuple(_blocks(report)))


def _summary(report: "DumpsReport") -> str:
    tensors = count(len(report.tensors), "dumped tensor")
    if off := sum(not tensor for tensor in report.tensors):
        return f"{off} of {tensors} are off."
    right = f"All {tensors} are right" if report.tensors else "Nothing was compared"
    return f"{right}." if report else f"{right}, and that is not enough: no output is among them."


def _blocks(report: "DumpsReport") -> Iterator[Block]:
    yield Text(f"Dumps in {report.folder}.")
    if causes := _causes(report):
        yield Points(causes, BAD)
    for tensor in report.first_off:
        yield Text(f"First off in {tensor.title}, in the order of the run: {_place(tensor)}.")
    inner = [tensor for tensor in report.tensors if tensor and tensor.role == "intermediate"]
    if outer := [tensor for tensor in report.tensors if tensor not in inner]:
        yield Table(columns(*_TITLES), tuple(map(_row, outer)))
    if inner:
        table = Table(columns(*_TITLES), tuple(map(_row, inner)), long=True)
        yield Folded(f"Inner tensors that are right ({len(inner)})", (table,), brief=False)
    if report.notes:
        yield Points(report.notes, NOTE)
    missing = [f"{case} {graph} {name}" for case, graph, name, role in report.missing if role == "output"]
    yield from _named("Not dumped", missing)
    yield from _named("Named after no tensor", report.others)


def _named(title: str, names: Sequence[str]) -> Iterator[Block]:
    """The first few names in a line, all of them folded."""
    if not names:
        return
    if len(names) <= SHOWN:
        yield Text(f"{title}: {listed(names)}.", NOTE)
        return
    yield Text(f"{title}: {', '.join(names[:SHOWN])} and {len(names) - SHOWN} more.", NOTE)
    yield Folded(f"{title}: all {len(names)}", (Points(tuple(names)),), brief=False)


def _causes(report: "DumpsReport") -> tuple[str, ...]:
    off = [tensor for tensor in report.tensors if not tensor]
    lines = [f"{_places(tensors)}: {cause.text}" for cause, tensors in report.causes.items()]
    others = ("; ".join(cause.text for cause in causes) for tensor in off for causes in tensor.explanations[1:])
    lines += [f"Or, equally well: {text}" for text in dict.fromkeys(others)]
    if unexplained := [tensor for tensor in off if not tensor.causes]:
        lines.append(f"{_places(unexplained)}: off, and none of the usual causes explains it")
    return tuple(lines)


def _place(tensor: "TensorReport") -> str:
    return f"{tensor.graph} {tensor.name}"


def _places(tensors: Sequence["TensorReport"]) -> str:
    return listed(dict.fromkeys(map(_place, tensors)))


def _row(tensor: "TensorReport") -> Row:
    figures = tensor.figures
    causes = listed(dict.fromkeys(cause.cause for cause in tensor.causes))
    cells = (
        "right" if tensor else f"OFF: {causes or figures.problem or 'no known cause'}",
        *(_place(tensor), tensor.title, tensor.layout or NOTHING),
        *map(error, (figures.max_abs, figures.relative, figures.allowed)),
        cosine(figures.cosine),
        tensor.file,
    )
    return Row(cells, OK if tensor else BAD)
