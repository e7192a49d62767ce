"""What every converted layer should give: the tensor that the layers behind it read in the network.

A layer's own counterpart is not enough for that. A convolution with a batch norm folded into it gives the
norm's result, one with a fused activation the activation's; and where an activation was dropped, the
layer before it gives what the network has there, which is still not what the next layer should read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import permutations, takewhile

import numpy as np

from converter.checks.layers.align import Pairs
from converter.checks.layers.figures import Figures, channel_error, figures, same_numbers, squeezed
from converter.checks.layers.graphs import ConvertedGraph, ConvertedLayer, Operation, Recording
from converter.checks.layers.kinds import COMMUTATIVE, MATMUL
from converter.spec.tensors import Tolerance

_MOST_OPERANDS = 4


@dataclass(frozen=True)
class Expected:
    """What a layer should give.

    Attributes:
        reference: the operation whose result it should give.
        agrees: the operation whose result it does give, or None.
        good: whether that is as it should be; otherwise the next layer takes an operation behind it for done.
    """

    reference: int
    agrees: int | None
    good: bool


@dataclass(frozen=True)
class OwnError:
    """How far a layer's output is from what the network makes of the layer's own inputs.

    Attributes:
        channel: as :func:`figures.channel_error`; infinity for another shape.
        share: the largest difference in units of what the tolerance allows; 0 when it cannot be told.
    """

    channel: float
    share: float


@dataclass(eq=False)
class Expectation:
    """Both sides, aligned, with their values.

    Attributes:
        recording, converted, pairs: the two sides and which is which.
        inputs, outputs: blob of the file to operation.
        values: blob to array; blobs that could not be computed are missing.
        tolerance: of one layer.
    """

    recording: Recording
    converted: ConvertedGraph
    pairs: Pairs
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    values: Mapping[str, np.ndarray]
    tolerance: Tolerance

    def __post_init__(self) -> None:
        self.taken = {operation for pairs in self.pairs.values() for _, operation in pairs}
        self.figures = cache(self._figures)
        self.reads = cache(self._reads)
        self.expected = cache(self._expected)
        self.own_error = cache(self._own_error)

    def layer(self, index: int) -> ConvertedLayer:
        return self.converted.layers[index]

    def operation(self, index: int) -> Operation:
        return self.recording.operations[index]

    def blob(self, layer: int) -> np.ndarray | None:
        """What a layer gives (its first output), or None."""
        return self.values.get(self.layer(layer).outputs[0])

    def operand_blob(self, layer: int, position: int) -> str:
        """The blob that a layer reads, before all layers that only hand it on."""
        return self.converted.source(self.layer(layer).inputs[position])

    def own(self, layer: int) -> int | None:
        """The operation that the layer's last primitive is."""
        pairs = self.pairs.get(layer)
        return pairs[-1][1] if pairs else None

    def is_good(self, layer: int) -> bool:
        expected = self.expected(layer)
        return expected is not None and expected.good

    def _figures(self, layer: int, operation: int) -> Figures:
        return figures(self.blob(layer), self.operation(operation).value, self.tolerance)

    def same_blob(self, layer: int, operation: int) -> bool:
        """Whether a layer gives an operation's numbers."""
        return same_numbers(self.blob(layer), self.operation(operation).value, self.tolerance)

    def same_operand(self, layer: int, position: int, operation: int) -> bool:
        """Whether a layer reads an operation's numbers."""
        blob = self.values.get(self.operand_blob(layer, position))
        return same_numbers(blob, self.operation(operation).value, self.tolerance)

    def _reads(self, layer: int) -> tuple[int | None, ...]:
        """For every operand of a layer the operation whose result the network reads there."""
        operands = len(self.layer(layer).inputs)
        pairs = self.pairs.get(layer)
        if not pairs:
            return (None,) * operands
        first = self.operation(pairs[0][1])
        if operands == 1 or len(first.inputs) == 1:
            return (min(first.inputs),) * operands
        if operands != len(first.inputs) or operands > _MOST_OPERANDS:
            return (None,) * operands
        if first.kind not in COMMUTATIVE | {MATMUL}:
            return first.inputs
        return max(
            permutations(first.inputs),
            key=lambda order: sum(self._is_read(layer, *operand) for operand in enumerate(order)),
        )

    def _is_read(self, layer: int, position: int, operation: int) -> int:
        """How surely an operand is what the network reads: by value, by counterpart, not at all."""
        if self.same_operand(layer, position, operation):
            return 2
        origin = self.converted.operands[layer][position]
        own = self.inputs.get(self.operand_blob(layer, position)) if origin is None else self.own(origin)
        if own is None or origin is None:
            return int(own == operation)
        return int(self.between(own, operation) is not None)

    def between(self, start: int, end: int) -> list[int] | None:
        """Operations without a counterpart that lead from one operation to another, the last included.

        Returns:
            [] when they are the same; None when there is no such way.
        """
        way: set[int] = set()
        reached, waiting = False, [end]
        while waiting:
            index = waiting.pop()
            if index == start:
                reached = True
            elif index not in way and index not in self.taken and index > start:
                way.add(index)
                waiting.extend(self.operation(index).inputs)
        return sorted(way) if reached else None

    def wanted(self, layer: int) -> list[tuple[int, str, int | None]]:
        """What is read from a layer: (operation, blob, the layer that reads it or None for a declared output)."""
        wanted: list[tuple[int, str, int | None]] = [
            (operation, blob, None) for blob, operation in self.outputs.items() if self.converted.origin(blob) == layer
        ]
        for reader, position in self.converted.readers.get(layer, []):
            operation = self.reads(reader)[position]
            if operation is not None:
                wanted.append((operation, self.layer(reader).inputs[position], reader))
        return wanted

    def _expected(self, layer: int) -> Expected | None:
        """None for a layer without a counterpart, from which nothing is read that has one."""
        wanted = [operation for operation, _, _ in self.wanted(layer)]
        own = self.own(layer)
        # if only its counterpart is known: that, and what may be folded into it
        alone = [] if own is None else [own, *takewhile(lambda end: end not in self.taken, self.recording.tail(own))]
        agrees = next((operation for operation in (*wanted, *alone) if self.figures(layer, operation)), None)
        if agrees is not None and (agrees in wanted or not wanted):
            return Expected(agrees, agrees, True)
        candidates = [end for end in wanted if own is None or self.between(own, end) is not None]
        candidates += alone[-1:] if agrees is None else [agrees]
        return Expected(candidates[0], agrees, False) if candidates else None

    def _own_error(self, layer: int) -> OwnError | None:
        """None when it cannot be told."""
        blob, expected = self.blob(layer), self.expected(layer)
        if blob is None or expected is None:
            return None
        leaves = {}
        for position, operation in enumerate(self.reads(layer)):
            value = self.values.get(self.operand_blob(layer, position))
            if value is None or operation is None or not np.isfinite(value).all():
                return None
            leaves[operation] = value
        mine = {expected.reference, *(operation for _, operation in self.pairs.get(layer, []))}
        others = self.taken - mine
        answer = self.recording.replay(expected.reference, leaves, lambda operation: operation not in others)
        if answer is None:
            return None
        if squeezed(answer.shape) != squeezed(blob.shape):
            return OwnError(np.inf, 0.0)
        allowed = self.figures(layer, expected.reference).allowed
        largest = float(np.abs(blob.astype(np.float64).ravel() - answer.ravel()).max())
        return OwnError(channel_error(blob, answer), largest / allowed if allowed else 0.0)
