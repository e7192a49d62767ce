"""How near a C++ tracker comes to the procedure in Python."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from converter.checks.cpp.stages import Difference
from converter.families.family import Estimate
from converter.proof.boxes import Box, overlap
from converter.report.blocks import BAD, OK, Points, Section
from converter.report.text import count, upper
from converter.report.text import overlap as overlap_text

LEAST_STEP, MOST_SCORE = 0.9999, 1e-4  # overlap and difference of the scores, in every frame, in one step


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        own: what the procedure in Python sees.
        free: what C++ sees on its own way.
        step: what it sees where it goes on from Python's last box.
        same_cell: whether that step chose the best cell that Python chose, of every map.
    """

    index: int
    own: Estimate
    free: Estimate
    step: Estimate
    same_cell: bool


@dataclass(frozen=True)
class CppReport:
    """True when every step in C++ is Python's.

    On its own way a tracker that is right may leave the other's: where the target is lost, a difference in the last
    digit decides. That is told and not judged.

    Attributes:
        folder: with the C++ tracker.
        box: that both began with.
        frames: without the first.
        difference: the first stage that differs, of the frames that were looked at step by step.
        problem: why the comparison could not be finished, or None.
    """

    folder: Path
    clip: str
    box: Box
    frames: tuple[Frame, ...]
    difference: Difference | None
    problem: str | None

    def __bool__(self) -> bool:
        return self.failure() == ""

    @cached_property
    def steps(self) -> list[float]:
        """Overlaps in one step."""
        return [overlap(frame.step.box, frame.own.box) for frame in self.frames]

    @cached_property
    def free(self) -> list[float]:
        """Overlaps of both on their own ways."""
        return [overlap(frame.free.box, frame.own.box) for frame in self.frames]

    @property
    def score(self) -> float:
        """The largest difference in one step."""
        return max((abs(frame.step.score - frame.own.score) for frame in self.frames), default=0.0)

    @cached_property
    def other_cells(self) -> list[int]:
        """Frames in which one step chose another best cell."""
        return [frame.index for frame in self.frames if not frame.same_cell]

    def failure(self) -> str:
        """Why it does not pass; empty where it does."""
        if self.difference:
            return f"C++ {self.folder}: {self.difference}"
        if self.problem:
            return f"C++ {self.folder}: {self.problem}"
        if not self.frames:
            return f"C++ {self.folder}: no frame was compared"
        least = min(self.steps)
        if least < LEAST_STEP:
            index = self.frames[self.steps.index(least)].index
            return f"C++ {self.folder}: frame {index}: one step overlaps by {least:.6f}, expected {LEAST_STEP} or more"
        if self.other_cells:
            return f"C++ {self.folder}: frame {self.other_cells[0]}: one step chose another best cell than Python"
        if self.score > MOST_SCORE:
            return f"C++ {self.folder}: scores differ by {self.score:.2g} in one step, expected {MOST_SCORE:g} at most"
        return ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "clip": self.clip,
            "box": list(self.box.values),
            "passed": bool(self),
            "problem": self.problem,
            "first_difference": str(self.difference) if self.difference else None,
            "stage": self.difference.stage if self.difference else None,
            "frames": len(self.frames),
            "one_step": {
                "iou": _least_and_mean(self.steps),
                "score_max": self.score,
                "other_cells": len(self.other_cells),
            },
            "free": {"iou": _least_and_mean(self.free)},
        }

    def section(self) -> Section:
        failure = self.failure()
        lines = [
            f"one step: least overlap {overlap_text(min(self.steps, default=None))}, scores differ by "
            f"{upper(self.score)}, {count(len(self.other_cells), 'frame')} with another best cell",
            f"on its own way: least overlap {overlap_text(min(self.free, default=None))}",
        ]
        summary = failure or f"{count(len(self.frames), 'frame')}, every step as in Python"
        return Section("cpp", f"C++ on {self.clip}", BAD if failure else OK, summary, (Points(tuple(lines)),))


def _least_and_mean(values: Sequence[float]) -> dict[str, float | None]:
    return {"least": min(values, default=None), "mean": sum(values) / len(values) if values else None}
