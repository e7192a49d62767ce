"""Tracks as CSV."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from converter.checks.clip.frame import REFERENCE, FrameRow
from converter.checks.clip.report import ClipReport
from converter.errors import UsageError
from converter.families.family import Estimate
from converter.util.atomic import obstacle_to_file, replacing

COLUMNS = ("x", "y", "w", "h", "score")
COMPARED = ("iou", "one_step_iou")


def check_tracks(path: Path) -> None:
    """Refuse a file that could not be written, before any work is done.

    Raises:
        UsageError: naming what stands in the way.
    """
    if reason := obstacle_to_file(path, _titles([]).rstrip().encode()):
        raise UsageError(f"--tracks {path}: {reason}")


def write_tracks(path: Path, report: ClipReport) -> None:
    """Write a line for every frame; boxes in pixels with four decimals, nothing where a model had stopped.

    Columns are ``frame``, then ``reference_x`` to ``reference_score``, then the same, ``_iou`` and ``_one_step_iou``
    for every candidate, then ``lost``: why the reference may have lost the target.

    Raises:
        UsageError: when the file cannot be written.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(_line(row) for row in report.frames)
    titles = _titles([candidate.name for candidate in report.candidates])
    try:
        with replacing(path) as draft:
            draft.write_text(titles + text.getvalue(), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--tracks {path}: {error.strerror}") from None


def _titles(candidates: Sequence[str]) -> str:
    """The first line; it begins the same whatever the candidates are, and so tells an earlier track."""
    text = io.StringIO()
    titles = [f"{REFERENCE}_{column}" for column in COLUMNS]
    titles += [f"{candidate}_{column}" for candidate in candidates for column in (*COLUMNS, *COMPARED)]
    csv.writer(text, lineterminator="\n").writerow(["frame", *titles, *(["lost"] if candidates else [])])
    return text.getvalue()


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
