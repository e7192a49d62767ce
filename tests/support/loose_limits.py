"""Limits of int8 models that networks with seeded weights can keep, and some that nothing keeps, as configs."""

from pathlib import Path

LOOSE = "{iou: 0.0, smallest: 0.0, score: 1.0, other_cells: 1.0, below_floor: 1.0}"
STRICT = "{iou: 1.0, smallest: 1.0, score: 0.0, other_cells: 0.0, below_floor: 0.0}"


def save_limits(path: Path, int8: str = LOOSE) -> Path:
    path.write_text(f"one_step:\n  w8: {LOOSE}\n  int8: {int8}\n")
    return path
