"""Who runs when: rounds in which every candidate has one turn, in an order of its own.

A machine that becomes slower or faster on the way so does it to all, and nobody always runs after the same one.
"""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

PARTS = ("init", "update")
# between two turns: the threads of a runtime go on spinning for a while after its work (in ncnn's OpenMP 20 ms)
PAUSE = 0.03


@dataclass(frozen=True)
class Turn:
    """Some runs of one part, one after the other; all in seconds.

    Attributes:
        whole: each from input arrays to output arrays.
        graphs: graph name -> the same of one graph, where the part has graphs.
    """

    whole: tuple[float, ...]
    graphs: Mapping[str, tuple[float, ...]]


class Turns(Protocol):
    """How many rounds, how many runs in a turn, and the seed of the order in a round."""

    @property
    def rounds(self) -> int: ...
    @property
    def runs(self) -> int: ...
    @property
    def seed(self) -> int: ...


# of a loaded candidate: so many timed runs of every part, by the part's name; after so many seconds fewer, but one
TakeTurn = Callable[[int, float], Mapping[str, Turn]]


class Clock:
    """The time that a run may take, from its beginning to its end.

    Args:
        seconds: None for no limit.
        spent: of these before the clock was made.
    """

    def __init__(self, seconds: float | None, spent: float = 0.0) -> None:
        self._end = math.inf if seconds is None else time.monotonic() + seconds - spent

    @property
    def left(self) -> float:
        """Seconds, 0 where they are over."""
        return max(0.0, self._end - time.monotonic())


def rounds_of(candidates: Sequence[TakeTurn], options: Turns, clock: Clock) -> Iterator[list[Mapping[str, Turn]]]:
    """Let the candidates take turns; a round that would probably end too late is not begun.

    The first round is, and its turns share what time is left.

    Yields:
        of every round, when it is finished, a turn of every candidate in their order.
    """
    shuffling = random.Random(options.seed)
    start = time.monotonic()
    for done in range(options.rounds):
        elapsed = time.monotonic() - start
        if done and elapsed / done > clock.left:
            return
        order = list(range(len(candidates)))
        shuffling.shuffle(order)
        turns = {}
        for before, place in enumerate(order):
            time.sleep(PAUSE)
            share = math.inf if done else clock.left / (len(order) - before)
            turns[place] = candidates[place](options.runs, share)
        yield [turns[place] for place in range(len(candidates))]
