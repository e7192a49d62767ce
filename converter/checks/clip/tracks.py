"""Tracks as CSV."""

from collections.abc import Sequence
from pathlib import Path

from converter.checks.clip.frame import REFERENCE, FrameRow
from converter.checks.clip.report import ClipReport
from converter.track.table import COLUMNS, cells_of, check_table, line_of, write_table

OPTION = "--tracks"
COMPARED = ("iou", "one_step_iou")


def check_tracks(path: Path) -> None:
    """Refuse a file that could not be written, before any work is done.

    Raises:
        UsageError: naming what stands in the way.
    """
    check_table(path, line_of(_titles([])), OPTION)


def write_tracks(path: Path, report: ClipReport) -> None:
    """Write a line for every frame; boxes in pixels with four decimals, nothing where a model had stopped.

    Columns are ``frame``, then ``reference_x`` to ``reference_score``, then the same, ``_iou`` and ``_one_step_iou``
    for every candidate, then ``lost``: why the reference may have lost the target.

    Raises:
        UsageError: when the file cannot be written.
    """
    titles = _titles([candidate.name for candidate in report.candidates])
    write_table(path, [titles, *map(_line, report.frames)], OPTION)


def _titles(candidates: Sequence[str]) -> list[str]:
    """The first line; it begins the same whatever the candidates are, and so tells an earlier track."""
    titles = [f"{REFERENCE}_{column}" for column in COLUMNS]
    titles += [f"{candidate}_{column}" for candidate in candidates for column in (*COLUMNS, *COMPARED)]
    return ["frame", *titles, *(["lost"] if candidates else [])]


def _line(row: FrameRow) -> list[str]:
    cells = [str(row.index), *cells_of(row.reference)]
    for name, estimate in row.candidates.items():
        step = row.steps[name]
        cells += [*cells_of(estimate), _iou(row.overlaps[name]), _iou(step.iou if step else None)]
    return [*cells, " ".join(row.lost)]


def _iou(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"
