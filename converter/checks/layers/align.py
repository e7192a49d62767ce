"""Which converted primitive is which of the network's: one order for both sides, then the best alignment."""

from collections.abc import Callable, Iterable

import numpy as np

from converter.checks.layers.graphs import ConvertedGraph, Recording
from converter.checks.layers.kinds import likeness, skip_cost

SAME_VALUE = 5.0

# Layer index to (which of its primitives, operation index), in the primitives' order.
Pairs = dict[int, list[tuple[int, int]]]


def align(
    recording: Recording, converted: ConvertedGraph, outputs: Iterable[str], same: Callable[[int, int], bool]
) -> Pairs:
    """The counterparts of converted layers.

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
        results = (operation, *recording.tail(operation))
        for column, (layer, position) in enumerate(steps):
            last = position == len(converted.layers[layer].primitives) - 1
            if last and worth[row, column] and any(same(layer, result) for result in results):
                worth[row, column] += SAME_VALUE
    pairs: Pairs = {}
    for row, column in best_pairs(worth, list(map(skip_cost, left)), list(map(skip_cost, right))):
        layer, position = steps[column]
        pairs.setdefault(layer, []).append((position, operations[row]))
    return pairs


def best_pairs(worth: np.ndarray, left: list[float], right: list[float]) -> list[tuple[int, int]]:
    """Pairs of two sequences with the largest sum, both in order.

    Args:
        worth: of taking element i of the one for element j of the other; 0 forbids it.
        left, right: what it costs to leave an element out.
    """
    rows, columns = worth.shape
    gains = np.where(worth > 0, worth, -np.inf)
    best = np.zeros((rows + 1, columns + 1))
    best[0, 1:], best[1:, 0] = -np.cumsum(right), -np.cumsum(left)
    for row, column in np.ndindex(rows, columns):
        best[row + 1, column + 1] = max(
            best[row, column + 1] - left[row],
            best[row + 1, column] - right[column],
            best[row, column] + gains[row, column],
        )
    pairs = []
    row, column = rows, columns
    while row and column:
        # of equals the first is taken: what comes behind it twice is the extra one
        if best[row, column] == best[row, column - 1] - right[column - 1]:
            column -= 1
        elif best[row, column] == best[row - 1, column] - left[row - 1]:
            row -= 1
        else:
            row, column = row - 1, column - 1
            pairs.append((row, column))
    return pairs[::-1]
