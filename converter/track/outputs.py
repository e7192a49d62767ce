"""What a tracking leaves: a table, a video, pictures, and what a window shows."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from converter.errors import UsageError
from converter.families.family import Estimate
from converter.track.annotate import CODECS, Write, annotation, check_annotate
from converter.track.draw import Drawn, painted
from converter.track.frames import Clip
from converter.track.options import FEWEST, TrackOptions
from converter.track.table import COLUMNS, cells_of, check_table, line_of, write_table
from converter.track.window import Window

CSV, VIDEO, PICTURES = "--csv", "--video", "--pictures"
TITLES = ("frame", *COLUMNS, "lost")
LOST = "score"  # what stands in the last column, as in the tables of lt-verify


@dataclass(frozen=True, slots=True)
class FrameTrack:
    """One frame.

    Attributes:
        index: of the frame in the clip, from 0.
        estimate: box and score.
        lost: whether the score says that the target is lost.
    """

    index: int
    estimate: Estimate
    lost: bool


class Outputs:
    """Everything that is written and shown while frames go by.

    Args:
        name: of the tracker, for the pictures.
        window: that shows the frames; None for none.

    Raises:
        UsageError: for a place that cannot be written to.
    """

    def __init__(self, options: TrackOptions, clip: Clip, name: str, window: Window | None) -> None:
        self._csv, self._clip, self._name, self._window = options.csv, clip, name, window
        self._drawn = {VIDEO: options.video, PICTURES: options.pictures}
        self._waiting: list[np.ndarray] = []
        self._writes = ExitStack()
        self._into: list[Write] = []
        self._opened = False
        self._check()

    def _check(self) -> None:
        if self._csv:
            check_table(self._csv, line_of(TITLES), CSV)
        for option, target in self._drawn.items():
            if target:
                if (target.suffix.lower() in CODECS) != (option == VIDEO):
                    expected = f"a name ending in {' or '.join(CODECS)}" if option == VIDEO else "a folder"
                    raise UsageError(f"{option} {target}: expected {expected}")
                check_annotate(target, self._clip, option)
        places = [(option, os.path.realpath(path)) for option, path in self._named() if path]
        for (option, place), (other, same) in combinations(places, 2):
            if place == same:
                raise UsageError(f"{option} and {other} name the same place, {place}")

    def _named(self) -> list[tuple[str, Path | None]]:
        return [(CSV, self._csv), *self._drawn.items()]

    @property
    def targets(self) -> tuple[Path, ...]:
        """What is written in the end."""
        return tuple(path for _, path in self._named() if path)

    def add(self, frame: np.ndarray, row: FrameTrack) -> bool:
        """One more frame.

        Args:
            frame: (H, W, 3) uint8 RGB.

        Returns:
            false when who looks at the window wants no more.

        Raises:
            ConversionError, DependencyError: when a drawn frame cannot be written.
        """
        wanted = any(self._drawn.values())
        if not (wanted or self._window):
            return True
        picture = painted(frame, row.index, [Drawn(self._name, row.estimate, lost=row.lost)])
        if wanted:
            self._write(picture)
        return self._window.show(picture) if self._window else True

    def _write(self, picture: np.ndarray) -> None:
        """Nothing is begun for the first frame alone, whose box was given."""
        self._waiting.append(picture)
        if len(self._waiting) < FEWEST and not self._opened:
            return
        if not self._opened:
            self._opened = True
            for option, target in self._drawn.items():
                if target:
                    self._into.append(self._writes.enter_context(annotation(target, self._clip, option)))
        for waiting in self._waiting:
            for write in self._into:
                write(waiting)
        self._waiting.clear()

    def write_table(self, rows: Sequence[FrameTrack]) -> tuple[Path, ...]:
        """The table of some frames; none where only the first is there, whose box was given.

        Returns:
            the file, where it was written.

        Raises:
            UsageError: when it cannot be written.
        """
        if self._csv is None or len(rows) < FEWEST:
            return ()
        lines = ([str(row.index), *cells_of(row.estimate), LOST if row.lost else ""] for row in rows)
        write_table(self._csv, [TITLES, *lines], CSV)
        return (self._csv,)

    def close(self, rows: Sequence[FrameTrack]) -> None:
        """Put everything in its place."""
        if self._window:
            self._window.close()
        try:
            self.write_table(rows)
        finally:
            self._writes.close()
