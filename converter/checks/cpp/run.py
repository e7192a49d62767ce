"""check_cpp: a C++ tracker beside the procedure in Python, with the same models, on a clip."""

import csv
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from converter.checks.cpp.program import Program, built
from converter.checks.cpp.report import CppReport, Frame
from converter.checks.cpp.stages import Difference, first_difference
from converter.checks.cpp.trace import read_trace
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
class _Comparison:
    """The two trackers, and a folder for what the one in C++ writes."""

    program: Program
    work: Path
    clip: Clip
    box: Box
    export: TrackingExport
    procedure: Stepwise
    model: TrackedModel

    def tracked(self, stages: Stages) -> list[Estimate]:
        """What the procedure in Python sees, frame by frame."""
        found: list[Estimate] = []
        with closing(self.clip.frames()) as frames:
            for frame in frames:
                found.append(self.procedure.step(frame) if found else self.procedure.start(frame, self.box))
                stages.progress.step(len(found), self.clip.length)
        if len(found) < 2:
            raise UsageError(f"--clip {self.clip.path}: {len(found)} frames in it, expected 2 or more")
        return found

    def report(self, folder: Path, own: Sequence[Estimate]) -> CppReport:
        """Both ways of tracking, and the steps of some frames; what fails on the way is a result."""
        free, steps, difference, problem = list[Estimate](), list[Estimate](), None, None
        guide = self._guide(own)
        every = max(1, len(own) // TRACED)
        traced = ["--trace", str(self.work / "trace"), "--trace-every", str(every)]
        try:
            free = self._run()
            steps = self._run("--boxes", str(guide), *traced)
            difference = self._first_difference(own)
        except VerificationError as error:
            problem = str(error)
        rows = [
            Frame(index, own[index], free[index], steps[index]) for index in range(1, min(map(len, (own, free, steps))))
        ]
        return CppReport(folder, self.clip.name, self.box, tuple(rows), difference, problem)

    def _guide(self, own: Sequence[Estimate]) -> Path:
        """A file with the boxes that the C++ tracker goes on from: those that Python's had before every frame."""
        path = self.work / "guide.csv"
        path.write_text("".join(f"{_numbers(estimate.box)}\n" for estimate in own[:-1]))
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

    def _first_difference(self, own: Sequence[Estimate]) -> Difference | None:
        tracker = self.export.subject.tracker
        shapes = read_outputs(tracker.of(FORMAT.name))
        steps = dict(read_trace(self.work / "trace"))
        with closing(self.clip.frames()) as frames:
            for index, picture in enumerate(frames):
                if index == 0:
                    self.procedure.start(picture, self.box)
                if index > 0 and index in steps:
                    self.procedure.resume(own[index - 1].box)
                if index not in steps:
                    continue
                about = (self.procedure, self.model, tracker.network, shapes)
                if found := first_difference(index, steps[index], picture, *about):
                    return found
        return None


def _numbers(box: Box) -> str:
    return ",".join(repr(float(value)) for value in box.values)
