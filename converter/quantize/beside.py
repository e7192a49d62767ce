"""Pieces of work beside each other, on two cores."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from converter.util.stages import Stages, Step

Result = TypeVar("Result")

AT_ONCE = 2  # runtimes, torch and OpenCV let others work meanwhile
SECONDS = 0.2  # between two looks at how far they are


def beside(works: Sequence[Callable[[Step], Result]], stages: Stages, unit: str = "") -> list[Result]:
    """What several pieces of work give, in their order.

    Args:
        works: each takes a Step, to say how far it is.
        unit: of what they count together.

    Raises:
        Exception: the first that one of them raises, by their order; those that have not begun are left out.
    """
    done, totals = [0] * len(works), [0] * len(works)

    def counted(place: int) -> Result:
        def step(now: int, total: int) -> None:
            done[place], totals[place] = now, total

        return works[place](step)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = [pool.submit(counted, place) for place in range(len(works))]
        try:
            while wait(waiting, SECONDS).not_done:
                known = sum(totals) if all(totals) else 0
                stages.progress.step(sum(done), known, unit)
            return [each.result() for each in waiting]
        finally:
            for each in waiting:
                each.cancel()
