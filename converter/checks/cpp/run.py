"""check_cpp: a C++ tracker beside the procedure in Python, with the same models, on a clip."""

import csv
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from converter.checks.cpp.program import Program, built
from converter.checks.cpp.report import CppReport, Frame
from converter.checks.cpp.stages import Cells, Difference, best_cells, chosen_cells, first_difference
from converter.checks.cpp.trace import Steps, read_trace
from converter.errors import UsageError, VerificationError
from converter.families.family import Estimate, Stepwise, family_of
from converter.formats.ncnn import FORMAT
from converter.proof.boxes import Box, check_box
from converter.proof.chain import TrackedModel
from converter.track.cpp.description import read_outputs
from converter.track.export import TrackingExport
from converter.track.frames import Clip
from converter.util.stages import Stages

TRACED = 20  # frames whose steps are compared
LAST_STAGE = "compare"


def check_cpp(folder: Path, export: TrackingExport, clip: Clip, box: Box, stages: Stages) -> CppReport:
    """Build the program, track the clip with it, and compare.

    Args:
        folder: that lt-cpp wrote and somebody may have changed.
        export: with ncnn models.
        box: in the first frame.

    Raises:
        UsageError: for a folder, a family or a box that cannot be used.
        DependencyError: when a compiler or ncnn is missing.
        VerificationError: when the program does not build.
    """
    check_box(box, clip.size)
    network = export.subject.tracker.network
    if not family_of(network.family).cpp:
        raise UsageError(f"--cpp {folder}: {network.family} has no procedure in C++")
    with ExitStack() as running:
        with stages("build"):
            program = running.enter_context(built(folder, export.subject.folder))
        work = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="lt-cpp-")))
        procedure, model = export.procedure(running)
        comparison = _Comparison(program, work, clip, box, export, cast(Stepwise, procedure), model)
        with stages("track") as notes:
            own = comparison.tracked(stages)
            notes.append(f"{len(own)} frames in Python")
        with stages(LAST_STAGE):
            return comparison.report(folder, own)


@dataclass(frozen=True)
class Own:
    """What the procedure in Python saw in a frame, and its best cells; none in the first frame."""

    estimate: Estimate
    cells: Cells


@dataclass(frozen=True)
class _Comparison:
    """The two trackers, and a folder for what the one in C++ writes."""

    program: Program
    work: Path
    clip: Clip
    box: Box
    export: TrackingExport
    procedure: Stepwise
    model: TrackedModel

    def tracked(self, stages: Stages) -> list[Own]:
        """What the procedure in Python sees, frame by frame."""
        found: list[Own] = []
        with closing(self.clip.frames()) as frames:
            for frame in frames:
                found.append(self._step(frame) if found else Own(self.procedure.start(frame, self.box), ()))
                stages.progress.step(len(found), self.clip.length)
        if len(found) < 2:
            raise UsageError(f"--clip {self.clip.path}: {len(found)} frames in it, expected 2 or more")
        return found

    def _step(self, frame: np.ndarray) -> Own:
        answer = self.model.track(*self.procedure.look(frame))
        cells = best_cells(self.procedure.read(answer).ranks)
        return Own(self.procedure.follow(answer, frame), cells)

    def report(self, folder: Path, own: Sequence[Own]) -> CppReport:
        """Both ways of tracking, and the steps of some frames; what fails on the way is a result."""
        free, steps, cells, difference, problem = list[Estimate](), list[Estimate](), dict[int, Cells](), None, None
        guide = self._guide(own)
        every = max(1, len(own) // TRACED)
        path = self.work / "trace"
        try:
            free = self._run()
            steps = self._run("--boxes", str(guide), "--trace", str(path), "--trace-every", str(every))
            traced = dict(read_trace(path))
            cells = {index: chosen_cells(of_frame) for index, of_frame in traced.items()}
            difference = self._first_difference(own, traced)
        except VerificationError as error:
            problem = str(error)
        rows = [
            Frame(index, own[index].estimate, free[index], steps[index], cells.get(index) == own[index].cells)
            for index in range(1, min(map(len, (own, free, steps))))
        ]
        return CppReport(folder, self.clip.name, self.box, tuple(rows), difference, problem)

    def _guide(self, own: Sequence[Own]) -> Path:
        """A file with the boxes that the C++ tracker goes on from: those that Python's had before every frame."""
        path = self.work / "guide.csv"
        path.write_text("".join(f"{_numbers(seen.estimate.box)}\n" for seen in own[:-1]))
        return path

    def _run(self, *words: str) -> list[Estimate]:
        table = self.work / "track.csv"
        with closing(self.clip.frames()) as frames:
            self.program.run(frames, ["--box", _numbers(self.box), "--csv", str(table), *words])
        with table.open(newline="") as reader:
            rows = list(csv.reader(reader))[1:]
        try:
            values = [[float(cell) for cell in row[1:]] for row in rows]
            return [Estimate(Box(x, y, w, h), score) for x, y, w, h, score in values]
        except ValueError:
            raise VerificationError("the C++ tracker's table has not frame,x,y,w,h,score in every line") from None

    def _first_difference(self, own: Sequence[Own], traced: Mapping[int, Steps]) -> Difference | None:
        """Of the frames whose steps were all written; of the others only the best cell is."""
        tracker = self.export.subject.tracker
        shapes = read_outputs(tracker.of(FORMAT.name))
        with closing(self.clip.frames()) as frames:
            for index, picture in enumerate(frames):
                steps = traced.get(index, Steps())
                if index == 0:
                    self.procedure.start(picture, self.box)
                elif len(steps) <= 1:
                    continue
                elif index > 1:  # before, the procedure is where the first frame left it
                    self.procedure.resume(own[index - 1].estimate.box)
                about = (self.procedure, self.model, tracker.network, shapes)
                if found := first_difference(index, steps, picture, *about):
                    return found
        return None


def _numbers(box: Box) -> str:
    return ",".join(repr(float(value)) for value in box.values)
