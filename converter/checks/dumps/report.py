"""What came of comparing a device's dumps with the golden vectors: the figures, and the section that shows them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from converter.checks.dumps.causes import Cause
from converter.folder.golden_index import GoldenTensor
from converter.proof.compare import OutputReport
from converter.report.blocks import BAD, NOTE, OK, Block, Folded, Points, Row, Section, Table, Text, columns
from converter.report.text import NOTHING, cosine, count, error, listed

_SHOWN = 8
_TITLES = ("Verdict", "Tensor", "Case", "Layout", ">max |Δ|", ">Of range", ">Allowed", ">Cosine", "File")


@dataclass(frozen=True)
class TensorReport:
    """One dumped tensor; true when it is right.

    Attributes:
        file: of the device.
        case, graph, name, meaning, role: the golden tensor; ``case`` is a folder's name.
        title: of the case.
        layout: the order of its numbers, or None when that is not known.
        figures: against the golden tensor, in the better of NCHW and NHWC.
        explanations: what is wrong, each a list of causes; several when they fit equally well, none when nothing fits.
        notes: what is worth saying though it is no fault.
    """

    file: str
    case: str
    title: str
    graph: str
    name: str
    meaning: str
    role: str
    layout: str | None
    figures: OutputReport
    explanations: tuple[tuple[Cause, ...], ...]
    notes: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.figures) and not any(self.explanations)

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The first explanation."""
        return self.explanations[0] if self.explanations else ()

    @property
    def place(self) -> str:
        return f"{self.graph} {self.name}"

    def place_as_dict(self) -> dict[str, str]:
        return {"case": self.case, "title": self.title, "graph": self.graph, "name": self.name}

    def as_dict(self) -> dict[str, Any]:
        return {
            "file": self.file,
            **self.place_as_dict(),
            "meaning": self.meaning,
            "role": self.role,
            "layout": self.layout,
            "passed": bool(self),
            "figures": self.figures.as_dict(),
            "causes": [asdict(cause) for cause in self.causes],
            "alternatives": [[asdict(cause) for cause in causes] for causes in self.explanations[1:]],
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class DumpsReport:
    """All dumps of a folder; true when an output was compared and every tensor is right.

    Attributes:
        folder: of the dumps.
        tensors: in the order in which a device computes them.
        missing: golden tensors without a dump.
        others: files that are named after no tensor.
        notes: on the whole.
        runs: how often the network was run to find causes.
    """

    folder: str
    tensors: tuple[TensorReport, ...]
    missing: tuple[GoldenTensor, ...]
    others: tuple[str, ...]
    notes: tuple[str, ...]
    runs: int

    def __bool__(self) -> bool:
        return any(tensor.role == "output" for tensor in self.tensors) and all(self.tensors)

    @property
    def off(self) -> list[TensorReport]:
        return [tensor for tensor in self.tensors if not tensor]

    @property
    def causes(self) -> dict[Cause, list[TensorReport]]:
        """Every cause once, with the tensors it is seen in, in the order of the run."""
        seen_in: dict[Cause, list[TensorReport]] = {}
        for tensor in self.tensors:
            for cause in tensor.causes:
                seen_in.setdefault(cause, []).append(tensor)
        return seen_in

    @property
    def first_off(self) -> list[TensorReport]:
        """For each case with a wrong tensor the first one that a device computes."""
        first: dict[str, TensorReport] = {}
        for tensor in self.off:
            first.setdefault(tensor.case, tensor)
        return list(first.values())

    def failure(self) -> str:
        """A short phrase for the one-line error; empty when everything is right."""
        if not self.off:
            return "" if self else "no output was dumped, so nothing says that the outputs are right"
        outputs = [tensor for tensor in self.off if tensor.role == "output"] or self.off
        names = list(dict.fromkeys(tensor.place for tensor in outputs))
        slugs = dict.fromkeys(cause.cause for cause in self.causes)
        shown = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
        return f"{len(self.off)} of {len(self.tensors)} dumped tensors are off ({shown}): {', '.join(slugs)}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "folder": self.folder,
            "passed": bool(self),
            "tensors": [tensor.as_dict() for tensor in self.tensors],
            "causes": [
                {**asdict(cause), "tensors": [tensor.place_as_dict() for tensor in tensors]}
                for cause, tensors in self.causes.items()
            ],
            "first_off": [tensor.place_as_dict() for tensor in self.first_off],
            "missing": [missing.model_dump(include={"case", "graph", "name", "role"}) for missing in self.missing],
            "other_files": list(self.others),
            "notes": list(self.notes),
            "runs": self.runs,
        }

    def section(self) -> Section:
        """Causes first, then every dumped tensor, and what is missing."""
        return Section("dumps", "Dumps of the device", OK if self else BAD, _summary(self), tuple(_blocks(self)))


def _summary(report: DumpsReport) -> str:
    tensors = count(len(report.tensors), "dumped tensor")
    if report.off:
        return f"{len(report.off)} of {tensors} are off."
    right = f"All {tensors} are right" if report.tensors else "Nothing was compared"
    return f"{right}." if report else f"{right}, and that is not enough: no output is among them."


def _blocks(report: DumpsReport) -> Iterator[Block]:
    yield Text(f"Dumps in {report.folder}.")
    if causes := _causes(report):
        yield Points(causes, BAD)
    for tensor in report.first_off:
        yield Text(f"First off in {tensor.title}, in the order of the run: {tensor.place}.")
    inner = [tensor for tensor in report.tensors if tensor and tensor.role == "intermediate"]
    if outer := [tensor for tensor in report.tensors if tensor not in inner]:
        yield Table(columns(*_TITLES), tuple(map(_row, outer)))
    if inner:
        table = Table(columns(*_TITLES), tuple(map(_row, inner)), long=True)
        yield Folded(f"Inner tensors that are right ({len(inner)})", (table,), brief=False)
    if report.notes:
        yield Points(report.notes, NOTE)
    missing = [f"{entry.case} {entry.graph} {entry.name}" for entry in report.missing if entry.role == "output"]
    yield from _named("Not dumped", missing)
    yield from _named("Named after no tensor", report.others)


def _named(title: str, names: Sequence[str]) -> Iterator[Block]:
    """The first few names in a line, all of them folded."""
    if not names:
        return
    if len(names) <= _SHOWN:
        yield Text(f"{title}: {listed(names)}.", NOTE)
        return
    yield Text(f"{title}: {', '.join(names[:_SHOWN])} and {len(names) - _SHOWN} more.", NOTE)
    yield Folded(f"{title}: all {len(names)}", (Points(tuple(names)),), brief=False)


def _causes(report: DumpsReport) -> tuple[str, ...]:
    lines = [f"{_places(tensors)}: {cause.text}" for cause, tensors in report.causes.items()]
    others = ("; ".join(cause.text for cause in causes) for tensor in report.off for causes in tensor.explanations[1:])
    lines += [f"Or, equally well: {text}" for text in dict.fromkeys(others)]
    if unexplained := [tensor for tensor in report.off if not tensor.causes]:
        lines.append(f"{_places(unexplained)}: off, and none of the usual causes explains it")
    return tuple(lines)


def _places(tensors: Sequence[TensorReport]) -> str:
    return listed(dict.fromkeys(tensor.place for tensor in tensors))


def _row(tensor: TensorReport) -> Row:
    figures = tensor.figures
    causes = listed(dict.fromkeys(cause.cause for cause in tensor.causes))
    cells = (
        "right" if tensor else f"OFF: {causes or figures.problem or 'no known cause'}",
        *(tensor.place, tensor.title, tensor.layout or NOTHING),
        *map(error, (figures.max_abs, figures.relative, figures.allowed)),
        cosine(figures.cosine),
        tensor.file,
    )
    return Row(cells, OK if tensor else BAD)
