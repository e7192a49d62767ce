"""The stages of a long run, told to whoever shows them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

BYTES = "bytes"
Step = Callable[[int, int], None]  # told how many parts are done, of how many; 0 where nobody knows


def no_step(done: int, total: int) -> None:
    """A Step that nobody looks at."""


class Progress(Protocol):
    """Who is told how far a run is."""

    def begin(self, stage: str) -> None:
        """A stage begins."""

    def step(self, done: int, total: int, unit: str = "") -> None:
        """So many of the parts of the stage under way are done; 0 where nobody knows; unit: BYTES, or words."""

    def end(self, stage: str, seconds: float, note: str) -> None:
        """A stage is done."""


class Silent:
    """Progress that nobody looks at."""

    def begin(self, stage: str) -> None:
        pass

    def step(self, done: int, total: int, unit: str = "") -> None:
        pass

    def end(self, stage: str, seconds: float, note: str) -> None:
        pass


class Lines(Silent):
    """Progress as lines of text, one for each finished stage, given to a function such as ``print``."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self.write = write

    def end(self, stage: str, seconds: float, note: str) -> None:
        self.write(stage_line(stage, seconds, note))


def stage_line(stage: str, seconds: float, note: str, digits: int = 1) -> str:
    """A finished stage in a line."""
    return f"{stage:<10} {seconds:5.{digits}f} s  {note}".rstrip()


Listener = Progress | Callable[[str], object]


class Stages:
    """Measures stages, and tells a Progress of them, or a function that takes lines of text."""

    def __init__(self, progress: Listener | None = None) -> None:
        self.progress: Progress = Lines(progress) if callable(progress) else progress or Silent()

    @contextmanager
    def __call__(self, name: str) -> Iterator[list[str]]:
        """The block is the stage; what it appends to the list becomes the note."""
        start = time.perf_counter()
        notes: list[str] = []
        self.progress.begin(name)
        yield notes
        self.progress.end(name, time.perf_counter() - start, ", ".join(notes))
