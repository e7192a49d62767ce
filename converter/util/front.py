"""Of several things with several figures each, those that no other beats in everything at once."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def pareto(points: Mapping[Key, tuple[float, ...]]) -> set[Key]:
    """Keys of the points that no other one dominates; of equal points all.

    Args:
        points: key to figures, of which less is better.
    """
    return {
        key
        for key, point in points.items()
        if not any(
            other != point and all(a <= b for a, b in zip(other, point, strict=True)) for other in points.values()
        )
    }
