"""What came of comparing a device's dumps with the golden vectors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from converter.checks.dumps.causes import Cause
from converter.checks.dumps.section import dumps_section
from converter.proof.compare import OutputReport
from converter.report.blocks import Section


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

    def __bool__(self):
        return bool(self.figures) and not any(self.explanations)

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The first explanation."""
        return self.explanations[0] if self.explanations else ()

    def as_dict(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "case": self.case,
            "title": self.title,
            "graph": self.graph,
            "name": self.name,
            "meaning": self.meaning,
            "role": self.role,
            "layout": self.layout,
            "passed": bool(self),
            "figures": self.figures.as_dict(),
            "causes": [cause.as_dict() for cause in self.causes],
            "alternatives": [[cause.as_dict() for cause in causes] for causes in self.explanations[1:]],
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class DumpsReport:
    """All dumps of a folder; true when an output was compared and every tensor is right.

    Attributes:
        folder: of the dumps.
        tensors: in the order in which a device computes them.
        missing: golden tensors without a dump, as (case, graph, name, role).
        others: files that are named after no tensor.
        notes: on the whole.
        runs: how often the network was run to find causes.
    """

    folder: str
    tensors: tuple[TensorReport, ...]
    missing: tuple[tuple[str, str, str, str], ...]
    others: tuple[str, ...]
    notes: tuple[str, ...]
    runs: int

    def __bool__(self):
        return any(tensor.role == "output" for tensor in self.tensors) and all(self.tensors)

    @property
    def causes(self) -> dict[Cause, list[TensorReport]]:
        """Every cause once, with the tensors it is seen in, in the order of the run."""
        found: dict[Cause, list[TensorReport]] = {}
        for tensor in self.tensors:
            for cause in tensor.causes:
                found.setdefault(cause, []).append(tensor)
        return found

    @property
    def first_off(self) -> list[TensorReport]:
        """For each case with a wrong tensor the first one that a device computes."""
        first: dict[str, TensorReport] = {}
        for tensor in self.tensors:
            if not tensor:
                first.setdefault(tensor.case, tensor)
        return list(first.values())

    def failure(self) -> str:
        """A short phrase for the one-line error; empty when everything is right."""
        off = [tensor for tensor in self.tensors if not tensor]
        if not off:
            return "" if self else "no output was dumped, so nothing says that the outputs are right"
        outputs = [tensor for tensor in off if tensor.role == "output"] or off
        names = list(dict.fromkeys(f"{tensor.graph} {tensor.name}" for tensor in outputs))
        slugs = list(dict.fromkeys(cause.cause for cause in self.causes))
        shown = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
        return f"{len(off)} of {len(self.tensors)} dumped tensors are off ({shown}): {', '.join(slugs)}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "folder": self.folder,
            "passed": bool(self),
            "tensors": [tensor.as_dict() for tensor in self.tensors],
            "causes": [
                {**cause.as_dict(), "tensors": [_place(tensor) for tensor in tensors]}
                for cause, tensors in self.causes.items()
            ],
            "first_off": [_place(tensor) for tensor in self.first_off],
            "missing": [dict(zip(("case", "graph", "name", "role"), missing, strict=True)) for missing in self.missing],
            "other_files": list(self.others),
            "notes": list(self.notes),
            "runs": self.runs,
        }

    def section(self) -> Section:
        return dumps_section(self)


def _place(tensor: TensorReport) -> Mapping[str, str]:
    return {"case": tensor.case, "title": tensor.title, "graph": tensor.graph, "name": tensor.name}
