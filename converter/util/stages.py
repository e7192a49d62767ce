"""The stages of a long run, told to whoever shows them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

StageCallback = Callable[[str, float | None, str], None]


class Stages:
    """Tells a callback when a stage begins (seconds None) and ends (seconds, a note).

    Args:
        callback: (name, seconds, note).
    """

    def __init__(self, callback: StageCallback | None = None) -> None:
        self._callback = callback or (lambda name, seconds, note: None)

    @contextmanager
    def __call__(self, name: str) -> Iterator[list[str]]:
        """The block is the stage; what it appends to the list becomes the note."""
        start = time.perf_counter()
        notes: list[str] = []
        self._callback(name, None, "")
        yield notes
        self._callback(name, time.perf_counter() - start, ", ".join(notes))
