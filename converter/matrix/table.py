"""The table of a matrix: cells by rank, and those that no other beats in everything at once."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Self

from converter.matrix.cells import Cell
from converter.util import front

Sort = Literal["latency", "bytes", "error", "ao"]
SORTS: Final[tuple[Sort, ...]] = ("latency", "bytes", "error", "ao")
ACCURACY = (
    "Without batch norms measured anew for it (the official search does so on 200 batches), a subnet's accuracy is not "
    "known; latency, bytes and errors do not depend on that."
)
WITH_AO = "AO is what the search wrote beside the path names; nothing here measured it again."
_CELL = ("checkpoint", "path_name", "format", "sizes", "preset", "precision")
_FIGURES = ("latency", "init_latency", "bytes", "error", "ao", "parameters", "multiply_adds", "seconds")


@dataclass(frozen=True)
class Row:
    """A cell and what is known of it; None for what nobody measured.

    Attributes:
        outcome: "verified", "failed" (another tracker), "unfinished" (no proof came about) or "missing" (not done yet).
        latency, init_latency: milliseconds of a frame and of a template, as ``lt-bench`` measures them.
        bytes: of all model files.
        error: the largest difference as a share of an output's range.
        ao: as the search measured it.
        kept: whether the models are on the disk.
        front: whether no other cell is as good in all of latency, bytes and AO, and better in one.
    """

    key: str
    cell: Cell
    outcome: str = "missing"
    exit_code: int = 0
    message: str = ""
    latency: float | None = None
    init_latency: float | None = None
    bytes: int | None = None
    error: float | None = None
    ao: float | None = None
    parameters: int | None = None
    multiply_adds: int | None = None
    seconds: float | None = None
    kept: bool = False
    front: bool = False

    @classmethod
    def of(cls, key: str, cell: Cell, record: Mapping[str, Any], ao: float | None, kept: bool) -> Self:
        """Args:
        record: of the journal; keys that a newer release writes are left out.
        """
        known = ("outcome", "exit_code", "message", *_FIGURES)
        return cls(
            key, cell, **{name: record[name] for name in known if name in record and name != "ao"}, ao=ao, kept=kept
        )

    @property
    def verified(self) -> bool:
        return self.outcome == "verified"

    def rank(self, sort: Sort) -> tuple[bool, bool, float]:
        """Verified ones first, those without the figure behind those with it."""
        value = getattr(self, sort)
        return not self.verified, value is None, 0.0 if value is None else -value if sort == "ao" else value

    def as_dict(self) -> dict[str, Any]:
        figures = {name: getattr(self, name) for name in _FIGURES}
        manifest = f"models/{self.key}/manifest.json" if self.kept else None
        more = {"exit_code": self.exit_code, "message": self.message, "pareto": self.front, "manifest": manifest}
        return {"cell": self.key, **self.cell.about(), "outcome": self.outcome, **figures, **more}


def ranked(rows: Sequence[Row], sort: Sort) -> list[Row]:
    """By rank, with the Pareto front marked."""
    best = pareto(rows)
    return sorted((replace(row, front=row.key in best) for row in rows), key=lambda row: (*row.rank(sort), row.key))


def pareto(rows: Sequence[Row]) -> set[str]:
    """Keys of verified cells that no other dominates in latency, bytes and AO, as far as these are known.

    A figure that no cell has is left out; a cell without one that others have is not compared.
    """
    verified = [row for row in rows if row.verified]
    axes = [name for name in ("latency", "bytes", "ao") if any(getattr(row, name) is not None for row in verified)]
    points: dict[str, tuple[float, ...]] = {}
    for row in verified:
        values = [getattr(row, name) for name in axes]
        if axes and None not in values:
            points[row.key] = tuple(-value if name == "ao" else value for name, value in zip(axes, values, strict=True))
    return front.pareto(points)


def csv_of(rows: Sequence[Row]) -> str:
    """A line a cell under a line of titles; nothing where there is no figure."""
    titles = ("cell", *_CELL, "outcome", *_FIGURES, "exit_code", "message", "pareto", "manifest")
    text = io.StringIO()
    writer = csv.DictWriter(text, titles, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _harmless(value) for name, value in row.as_dict().items()})
    return text.getvalue()


def _harmless(value: object) -> object:
    """A spreadsheet takes text that begins so for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
