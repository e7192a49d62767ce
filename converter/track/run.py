"""A tracker on its way through a clip, frame by frame."""

import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from converter.errors import ConversionError, UsageError, VerificationError
from converter.families.family import Estimate, Procedure
from converter.proof.boxes import Box, check_box
from converter.report.text import count, per_second
from converter.track.export import TimedModel, TrackingExport, open_export
from converter.track.frames import Clip, open_source
from converter.track.groundtruth import agreement
from converter.track.lost import LowScore
from converter.track.options import TrackOptions
from converter.track.outputs import FrameTrack, Outputs
from converter.track.result import Speed, TrackResult
from converter.track.window import Window, check_window
from converter.util.opencv import opencv
from converter.util.stages import Listener, Stages

COMMAND = "lt-track"
LAST_STAGE = "track"


class Tracked(NamedTuple):
    """Where the target is in one frame.

    Attributes:
        frame: its number in the clip, from 0.
        box: in pixels of the frame.
        score: 0 to 1.
    """

    frame: int
    box: Box
    score: float


class Tracking(Iterator[Tracked]):
    """Frame by frame what a tracker sees; the first is the given box.

    What was asked to be written is in its place once the last frame was taken, or this is closed, or an error has ended
    it: all that was tracked until then.

    Attributes:
        export: that tracks.
        clip: that is tracked.
        picture: the frame that was given last, (H, W, 3) uint8 RGB.
        lost: whether its score says that the target is lost.

    Raises:
        ConverterError: one of its kinds when it cannot begin; from each frame, when it cannot go on.
    """

    export: TrackingExport
    clip: Clip
    picture: np.ndarray
    lost: bool = False

    def __init__(self, options: TrackOptions, progress: Listener | None = None) -> None:
        self._options, self._stages = options, Stages(progress)
        self._running, self._rows, self._steps = ExitStack(), list[FrameTrack](), list[float]()
        self._low = LowScore(options.lost)
        self._closed = self._complete = False
        self._began = self._whole = 0.0
        self._written: tuple[Path, ...] = ()
        try:
            with self._stages("models") as notes:
                self._open()
                notes.append(f"{', '.join(map(str, self.export.subject.tracker.of(self.export.format)))}")
                notes.append(self.export.status)
        except BaseException:
            self._running.close()
            raise
        self._followed: Generator[Tracked, None, None] = self._follow()

    def _open(self) -> None:
        """Refuse what cannot be used, cheapest first; then load the models."""
        options = self._options
        opencv(COMMAND)
        if options.window:
            check_window(options.window)
        self.clip = open_source(options.source, "video")
        if options.box:
            check_box(options.box, self.clip.size)
        self._window = Window(options.window) if options.window else None
        self.export = open_export(options.subject)
        shown = self._window if options.show else None
        self._outputs = Outputs(options, self.clip, self.export.format, shown)
        self._procedure: Procedure
        self._model: TimedModel
        self._procedure, self._model = self.export.procedure(self._running)

    @property
    def total(self) -> int:
        """How many frames there are to be, as far as the clip says; 0 where nobody knows."""
        there = max(0, self.clip.length - self._options.start) if self.clip.length else 0
        asked = self._options.frames
        return min(there, asked) if there and asked else there or asked or 0

    @property
    def result(self) -> TrackResult:
        """What was tracked so far; everything, once this has ended."""
        truth, rows = self._options.truth, tuple(self._rows)
        behind_first = {row.index: row.estimate.box for row in rows[1:]}
        return TrackResult(
            export=self.export,
            clip=self.clip,
            box=rows[0].estimate.box if rows else self._options.box or Box(0, 0, 0, 0),
            rows=rows,
            total=self.total,
            complete=self._complete,
            speed=Speed(tuple(self._steps), tuple(self._model.seconds), self._whole),
            agreement=agreement(truth, behind_first, self.clip.size) if truth else None,
            written=self._written,
        )

    def __next__(self) -> Tracked:
        try:
            return next(self._followed)
        except StopIteration:
            raise
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> "Tracking":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it here; what was tracked is written."""
        self._followed.close()
        self._end()

    def rescue(self) -> str:
        """For a process that has to end although a frame is being waited for: write the table; says what is there."""
        if not self._closed:
            self._written = self._outputs.write_table(self._rows)
        return self.result.kept()

    def _end(self) -> None:
        if not self._closed:
            self._closed = True
            self._running.close()
            self._outputs.close(self._rows)
            self._written = self._outputs.targets if len(self._rows) > 1 else ()

    def _follow(self) -> Generator[Tracked, None, None]:
        options, end = self._options, None
        if options.frames is not None:
            end = options.start + options.frames
        with self._stages(LAST_STAGE) as notes:
            with closing(self.clip.frames()) as frames:
                for index, frame in enumerate(islice(frames, options.start, end), options.start):
                    row = self._track(index, frame)
                    self._rows.append(row)
                    self.picture, self.lost = frame, row.lost
                    more = self._outputs.add(frame, row)
                    self._told()
                    yield Tracked(index, row.estimate.box, row.estimate.score)
                    if not more:
                        break
            if len(self._rows) < 2:
                self._too_short()
            self._complete = True
            self._end()
            result = self.result
            notes += [result.counted, f"{per_second(result.speed.whole_fps)} frames/s"]
            notes += [f"lost in {len(result.lost)}"] if result.lost else []
            notes += map(str, result.written)

    def _track(self, index: int, frame: np.ndarray) -> FrameTrack:
        """The box in a frame: where it is given, in the first; else where the procedure finds it."""
        begin = time.perf_counter()
        if not self._rows:
            estimate, lost = self._procedure.start(frame, self._first_box(frame)), False
            self._began = time.perf_counter()
            return FrameTrack(index, estimate, lost)
        estimate = self._step(index, frame)
        self._steps.append(time.perf_counter() - begin)
        return FrameTrack(index, estimate, self._low(estimate.score))

    def _step(self, index: int, frame: np.ndarray) -> Estimate:
        try:
            estimate = self._procedure.step(frame)
        except (ConversionError, VerificationError) as error:
            raise type(error)(f"frame {index}: {error}") from None
        if not (estimate.box.finite and np.isfinite(estimate.score)):
            raise VerificationError(
                f"frame {index}: box {estimate.box.values} with score {estimate.score} is not finite"
            )
        return estimate

    def _first_box(self, frame: np.ndarray) -> Box:
        if self._options.box:
            return self._options.box
        assert self._window is not None  # where no box is given
        box = self._window.draw_box(frame)
        check_box(box, self.clip.size)
        return box

    def _told(self) -> None:
        self._whole = time.perf_counter() - self._began
        rate = f"frames, {len(self._steps) / self._whole:.1f}/s" if self._steps and self._whole else "frames"
        self._stages.progress.step(len(self._rows), self.total, f"{rate}, lost" if self.lost else rate)

    def _too_short(self) -> None:
        found = self._options.start + len(self._rows)
        if self._options.start and not self._rows:
            raise UsageError(f"--start {self._options.start}: the clip has fewer frames than that")
        raise UsageError(f"video {self.clip.path}: {count(found, 'frame')} in it, and frame {found} was to be tracked")
