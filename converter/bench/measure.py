"""Who runs when: rounds in which every candidate has one turn, in an order of its own.

A machine that becomes slower or faster on the way so does it to all, and nobody always runs after the same one.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
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


class Entrant(Protocol):
    """A loaded candidate."""

    def turn(self, runs: int) -> Mapping[str, Turn]:
        """``runs`` timed runs of every part, by the part's name."""


def measure(
    entrants: Sequence[Entrant],
    rounds: int,
    runs: int,
    seconds: float | None = None,
    seed: int = 0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    on_round: Callable[[int], None] = lambda number: None,
) -> list[list[Mapping[str, Turn]]]:
    """Let the entrants take turns.

    Args:
        seconds: a round that would probably end later is not begun; the first one is.
        on_round: told the number of every finished round.

    Returns:
        for every entrant, in their order, a turn of every round.
    """
    shuffling = random.Random(seed)
    turns: list[list[Mapping[str, Turn]]] = [[] for _ in entrants]
    start = clock()
    for done in range(rounds):
        elapsed = clock() - start
        if done and seconds is not None and elapsed + elapsed / done > seconds:
            break
        order = list(range(len(entrants)))
        shuffling.shuffle(order)
        for place in order:
            sleep(PAUSE)
            turns[place].append(entrants[place].turn(runs))
        on_round(done + 1)
    return turns
