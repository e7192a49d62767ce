"""Tracks as CSV."""

import csv
import io
from pathlib import Path

from converter.checks.clip.frame import REFERENCE, FrameRow
from converter.checks.clip.report import ClipReport
from converter.errors import UsageError
from converter.families.family import Estimate
from converter.util.atomic import obstacle, replacing

COLUMNS = ("x", "y", "w", "h", "score")
COMPARED = ("iou", "one_step_iou")


def check_tracks(path: Path) -> None:
    """Refuse a file that could not be written, before any work is done.

    Raises:
        UsageError: naming what stands in the way.
    """
    if path.is_dir():
        raise UsageError(f"--tracks {path}: is a folder, expected a CSV file to write")
    if reason := obstacle(path):
        raise UsageError(f"--tracks {path}: {reason}")


def write_tracks(path: Path, report: ClipReport) -> None:
    """Write a line for every frame; boxes in pixels with four decimals, nothing where a model had stopped.

    Columns are ``frame``, then ``reference_x`` to ``reference_score``, then the same, ``_iou`` and ``_one_step_iou``
    for every candidate, then ``lost``: why the reference may have lost the target.

    Raises:
        UsageError: when the file cannot be written.
    """
    titles = [f"{REFERENCE}_{column}" for column in COLUMNS]
    titles += [f"{candidate.name}_{column}" for candidate in report.candidates for column in (*COLUMNS, *COMPARED)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["frame", *titles, "lost"])
    writer.writerows(_line(row) for row in report.frames)
    try:
        with replacing(path) as draft:
            draft.write_text(text.getvalue(), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--tracks {path}: {error.strerror}") from None


def _line(row: FrameRow) -> list[str]:
    cells = [str(row.index), *_cells(row.reference)]
    for name, estimate in row.candidates.items():
        step = row.steps[name]
        cells += [*_cells(estimate), _iou(row.overlaps[name]), _iou(step.iou if step else None)]
    return [*cells, " ".join(row.lost)]


def _iou(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _cells(estimate: Estimate | None) -> list[str]:
    if estimate is None:
        return [""] * len(COLUMNS)
    return [f"{value:.4f}" for value in (*estimate.box.values, estimate.score)]
