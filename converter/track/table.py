"""Boxes and scores as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from converter.errors import UsageError
from converter.families.family import Estimate
from converter.util.atomic import obstacle_to_file, replacing

COLUMNS = ("x", "y", "w", "h", "score")


def check_table(path: Path, titles: str, option: str) -> None:
    """Refuse a file that could not be written, before any work is done.

    Args:
        titles: how the first line of such a file begins; an earlier one is told by it.
        option: that names the file.

    Raises:
        UsageError: naming what stands in the way.
    """
    if reason := obstacle_to_file(path, titles.rstrip().encode()):
        raise UsageError(f"{option} {path}: {reason}")


def write_table(path: Path, lines: Iterable[Sequence[str]], option: str) -> None:
    """Write a file, whole or not at all.

    Args:
        lines: the titles first.
        option: that names the file.

    Raises:
        UsageError: when it cannot be written.
    """
    try:
        with replacing(path) as draft:
            draft.write_text("".join(map(line_of, lines)), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror}") from None


def line_of(cells: Sequence[str]) -> str:
    """One line, with its end."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def cells_of(estimate: Estimate | None) -> list[str]:
    """Box in pixels and score, with four decimals; empty where there is none."""
    if estimate is None:
        return [""] * len(COLUMNS)
    return [f"{value:.4f}" for value in (*estimate.box.values, estimate.score)]
