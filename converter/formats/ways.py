"""Several ways to store the weights of one model: which layers pay for more bytes, and what to call the whole."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Protocol, TypeVar

from converter.spec.choices import BYTES, FULL, INT8

MIXED = "mixed"


class Way(Protocol):
    """One way to store a layer's weights."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def error(self) -> float:
        """The share of what the layer computes that is off."""


Key = TypeVar("Key", bound=Hashable)
AWay = TypeVar("AWay", bound=Way)


def chosen(ways: Mapping[Key, Sequence[AWay]], spent: float) -> dict[Key, AWay]:
    """For every layer the way with the fewest bytes, and for some a better one, where that gains most for a byte.

    Args:
        ways: of every layer, at least one.
        spent: how many bytes more, as a share of the fewest of all layers.
    """
    taken = {key: min(each, key=lambda way: (way.size, way.error)) for key, each in ways.items()}
    left = int(spent * sum(way.size for way in taken.values()))
    gains = [
        ((taken[key].error - way.error) / (way.size - taken[key].size), number, key, way)
        for number, (key, each) in enumerate(ways.items())
        for way in each
        if way.size > taken[key].size and way.error < taken[key].error
    ]
    for _, _, key, way in sorted(gains, key=lambda gain: (-gain[0], gain[1])):
        if 0 < (more := way.size - taken[key].size) <= left:
            taken[key], left = way, left - more
    return taken


def precision_of(found: Collection[str]) -> str | None:
    """What to call models whose weights are stored so and so; :data:`MIXED` where nothing else fits, None without any.

    Those with int8 arithmetic, or else with a byte for each weight, leave some layers in half or float, and the smaller
    a network, the more of them; whoever is called so is judged by boxes, whatever its share of bytes is.

    Args:
        found: precisions of their weights.
    """
    if len(found) > 1:
        coarsest = next((name for name in (INT8, BYTES) if name in found), MIXED)
        return coarsest if {*found} <= {coarsest, BYTES, "half", FULL} else MIXED
    return next(iter(found), None)
