"""Several ways to store the weights of one model: which layers pay for more bytes, and what to call the whole."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Protocol, TypeVar


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


def precision_of(counts: Mapping[str, int], in_bytes: str) -> str | None:
    """What to call a model whose weights are stored so or so; "mixed" where nothing else fits, None without any.

    Args:
        counts: precision to how many numbers are stored in it.
        in_bytes: the precision with a byte a weight, which leaves some in float: the model's where the most numbers
            have it.
    """
    found = {name for name, count in counts.items() if count}
    if 2 * counts.get(in_bytes, 0) > sum(counts.values()) and found <= {in_bytes, "half", "fp32"}:
        return in_bytes
    return "mixed" if len(found) > 1 else next(iter(found), None)
