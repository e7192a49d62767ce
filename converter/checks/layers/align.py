"""Which converted primitive is which of the network's: one order for both sides, then the best alignment."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from converter.checks.layers.graphs import ConvertedGraph, Recording
from converter.checks.layers.kinds import LINEAR, likeness, skip_cost

SAME_VALUE = 5.0


@dataclass(frozen=True)
class Alignment:
    """Counterparts: layer index to (which of its primitives, operation index), in the primitives' order."""

    pairs: dict[int, list[tuple[int, int]]]

    @cached_property
    def taken(self) -> frozenset[int]:
        """Operations that have a counterpart."""
        return frozenset(operation for pairs in self.pairs.values() for _, operation in pairs)


def align(
    recording: Recording, converted: ConvertedGraph, outputs: Iterable[str], same: Callable[[int, int], bool]
) -> Alignment:
    """Align both sides.

    Args:
        recording: the network's side.
        converted: the file's side.
        outputs: blobs of the file that are the recording's outputs, in its order.
        same: (layer index, operation index) -> whether the layer gives that operation's numbers. It is
            evidence, not proof: a damaged layer gives other numbers and still has a counterpart.
    """
    operations = recording.order()
    steps = [
        (layer, position)
        for layer in converted.order(outputs)
        for position in range(len(converted.layers[layer].primitives))
    ]
    left = [recording.operations[operation].primitive for operation in operations]
    right = [converted.layers[layer].primitives[position] for layer, position in steps]
    worth = np.array([[likeness(own, other) for other in right] for own in left]).reshape(len(left), len(right))
    for row, operation in enumerate(operations):
        results = (operation, *folded_tail(recording, operation))
        for column, (layer, position) in enumerate(steps):
            last = position == len(converted.layers[layer].primitives) - 1
            if last and worth[row, column] and any(same(layer, result) for result in results):
                worth[row, column] += SAME_VALUE
    pairs: dict[int, list[tuple[int, int]]] = {}
    for row, column in best_pairs(worth, list(map(skip_cost, left)), list(map(skip_cost, right))):
        layer, position = steps[column]
        pairs.setdefault(layer, []).append((position, operations[row]))
    return Alignment(pairs)


def folded_tail(recording: Recording, index: int) -> tuple[int, ...]:
    """The linear operations directly behind one, which a converter may have folded into it."""
    tail = []
    while len(readers := recording.readers.get(index, [])) == 1:
        index = readers[0]
        if recording.operations[index].kind not in LINEAR:
            break
        tail.append(index)
    return tuple(tail)


def best_pairs(worth: np.ndarray, left: list[float], right: list[float]) -> list[tuple[int, int]]:
    """Pairs of two sequences with the largest sum, both in order.

    Args:
        worth: of taking element i of the one for element j of the other; 0 forbids it.
        left, right: what it costs to leave an element out.
    """
    rows, columns = worth.shape
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    gains = worth.tolist()
    for column in range(columns):
        best[0][column + 1] = best[0][column] - right[column]
    for row in range(rows):
        above, here = best[row], best[row + 1]
        here[0] = above[0] - left[row]
        for column in range(columns):
            value = max(above[column + 1] - left[row], here[column] - right[column])
            gain = gains[row][column]
            here[column + 1] = max(value, above[column] + gain) if gain > 0 else value
    pairs = []
    row, column = rows, columns
    while row and column:
        # of equals the first is taken: what comes behind it twice is the extra one
        if best[row][column] == best[row][column - 1] - right[column - 1]:
            column -= 1
        elif best[row][column] == best[row - 1][column] - left[row - 1]:
            row -= 1
        else:
            row, column = row - 1, column - 1
            pairs.append((row, column))
    return pairs[::-1]
