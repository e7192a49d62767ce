"""What a C++ tracker saw in a clip, beside another one that took every step from where the first one was."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converter.checks.clip.one_step import Step, Steps, steps_of
from converter.checks.cpp.program import Program
from converter.checks.cpp.stages import Cells, chosen_cells
from converter.checks.cpp.trace import read_trace
from converter.families.family import Estimate
from converter.proof.boxes import Box, overlap
from converter.spec.tensors import StepLimits


@dataclass(frozen=True)
class Seen:
    """A frame.

    Attributes:
        cells: the best one of each map.
        ranks: of all cells; empty where the family does not rank them.
    """

    estimate: Estimate
    cells: Cells
    ranks: np.ndarray

    def alike(self, cells: Cells, tie: float) -> bool:
        """Whether other cells are the same decision."""
        if cells == self.cells or not self.ranks.size:
            return cells == self.cells
        return float(self.ranks.max() - self.ranks[cells[0]]) <= tie * float(np.ptp(self.ranks))


Track = tuple[Seen, ...]  # of every frame but the first


def tracked(program: Program, frames: Iterable[np.ndarray], box: str, work: Path, *words: str) -> Track:
    """Run a program.

    Args:
        frames: (H, W, 3) uint8 RGB.
        box: x,y,w,h in the first one.
        work: a folder for what it writes.
        words: more of its options.
    """
    table, trace = work / "track.csv", work / "trace"
    program.run(frames, ("--box", box, "--csv", str(table), "--trace", str(trace), *words))
    steps = dict(read_trace(trace))
    with table.open(newline="") as reader:
        rows = [[float(cell) for cell in row[1:]] for row in list(csv.reader(reader))[2:]]
    return tuple(
        Seen(Estimate(Box(x, y, w, h), score), chosen_cells(of_frame), of_frame.get(("window", "ranks"), np.empty(0)))
        for (x, y, w, h, score), of_frame in zip(rows, (steps[index + 1] for index in range(len(rows))), strict=True)
    )


def guide(track: Track, box: str, path: Path) -> Path:
    """A file for ``--boxes``: where the track was before every step."""
    lines = [box, *(",".join(repr(float(value)) for value in seen.estimate.box.values) for seen in track[:-1])]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def beside(track: Track, own: Track, limits: StepLimits, tie: float) -> Steps:
    """How near a track is that took its steps from where the own one was.

    A frame in which both chose cells that rank alike, but not the same, is left out: their boxes are of two places.
    """
    assert len(track) == len(own)
    steps = {
        index: Step(
            overlap(theirs.estimate.box, ours.estimate.box),
            theirs.cells == ours.cells,
            abs(theirs.estimate.score - ours.estimate.score),
        )
        for index, (theirs, ours) in enumerate(zip(track, own, strict=True), 1)
        if theirs.cells == ours.cells or not ours.alike(theirs.cells, tie)
    }
    return steps_of(steps, limits)
