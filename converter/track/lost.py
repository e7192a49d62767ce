"""When a tracker has lost its target, as its own score says."""

from collections.abc import Iterable

LOW_SCORE = 0.5  # as a share of the score in the first frame that was tracked


class LowScore:
    """Says of score after score whether the target is lost.

    Args:
        limit: of the score; None for :data:`LOW_SCORE` of the first score that is asked about.
    """

    def __init__(self, limit: float | None = None) -> None:
        self.limit = limit

    def __call__(self, score: float) -> bool:
        if self.limit is None:
            self.limit = LOW_SCORE * score
        return score < self.limit


def stretches(indices: Iterable[int]) -> str:
    """Frames in a line, those in a row as a stretch: ``3, 17 to 40``."""
    parts: list[list[int]] = []
    for index in indices:
        if parts and index == parts[-1][-1] + 1:
            parts[-1].append(index)
        else:
            parts.append([index])
    return ", ".join(f"{part[0]} to {part[-1]}" if len(part) > 1 else f"{part[0]}" for part in parts)
