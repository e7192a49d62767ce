"""What every converted layer should give: the tensor that the layers behind it read in the network.

A layer's own counterpart is not enough for that. A convolution with a batch norm folded into it gives the
norm's result, one with a fused activation the activation's; and where an activation was dropped, the
layer before it gives what the network has there, which is still not what the next layer should read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import permutations

import numpy as np

from converter.checks.layers.align import Alignment, folded_tail
from converter.checks.layers.figures import Figures, channel_error, figures, same_numbers, squeezed
from converter.checks.layers.graphs import ConvertedGraph, ConvertedLayer, Recording
from converter.checks.layers.kinds import COMMUTATIVE, MATMUL
from converter.spec.network import Tolerance

GOOD, EARLY, BAD, UNKNOWN = "good", "early", "bad", "unknown"
_MOST_OPERANDS = 4


@dataclass(frozen=True)
class Expected:
    """A layer's state.

    Attributes:
        state: GOOD, BAD, EARLY (it gives what the network has before an operation that the next layer already
            takes for done), or UNKNOWN (no counterpart).
        reference: the operation whose result it should give, or None.
        agrees: the operation whose result it does give, where that is known.
    """

    state: str
    reference: int | None
    agrees: int | None


class Expectation:
    """Both sides, aligned, with their values.

    Args:
        recording, converted, alignment: the two sides and which is which.
        inputs, outputs: blob of the file to operation.
        values: blob to array; blobs that could not be computed are missing.
        tolerance: of one layer.
    """

    def __init__(
        self,
        recording: Recording,
        converted: ConvertedGraph,
        alignment: Alignment,
        inputs: Mapping[str, int],
        outputs: Mapping[str, int],
        values: Mapping[str, np.ndarray],
        tolerance: Tolerance,
    ):
        self.recording, self.converted, self.alignment = recording, converted, alignment
        self.inputs, self.outputs, self.values, self.tolerance = inputs, outputs, values, tolerance
        self.figures = cache(self._figures)
        self.reads = cache(self._reads)
        self.expected = cache(self._expected)
        self.own_answer = cache(self._own_answer)
        self.own_error = cache(self._own_error)

    def layer(self, index: int) -> ConvertedLayer:
        return self.converted.layers[index]

    def blob(self, index: int) -> np.ndarray | None:
        """What a layer gives (its first output), or None."""
        return self.values.get(self.layer(index).outputs[0])

    def operand(self, index: int, position: int) -> np.ndarray | None:
        """What a layer reads, or None."""
        return self.values.get(self.converted.source_blob(self.layer(index).inputs[position]))

    def own(self, index: int) -> int | None:
        """The operation that the layer's last primitive is."""
        pairs = self.alignment.pairs.get(index, ())
        return pairs[-1][1] if pairs else None

    def _figures(self, index: int, operation: int) -> Figures:
        return figures(self.blob(index), self.recording.operations[operation].value, self.tolerance)

    def same(self, blob: np.ndarray | None, operation: int) -> bool:
        return same_numbers(blob, self.recording.operations[operation].value, self.tolerance)

    def _reads(self, index: int) -> tuple[int | None, ...]:
        """For every operand of a layer the operation whose result the network reads there."""
        operands = range(len(self.layer(index).inputs))
        pairs = self.alignment.pairs.get(index)
        if not pairs:
            return (None,) * len(operands)
        first = self.recording.operations[pairs[0][1]]
        if len(operands) == 1 or len(first.inputs) == 1:
            return (min(first.inputs),) * len(operands)
        if len(operands) != len(first.inputs) or len(operands) > _MOST_OPERANDS:
            return (None,) * len(operands)
        if first.kind not in COMMUTATIVE | {MATMUL}:
            return first.inputs
        scores = [
            (sum(self._is_read(index, position, one) for position, one in enumerate(order)), -number, order)
            for number, order in enumerate(permutations(first.inputs))
        ]
        return max(scores)[2]

    def _is_read(self, index, position, operation):
        """How surely an operand is what the network reads: by value, by counterpart, not at all."""
        if self.same(self.operand(index, position), operation):
            return 2.0
        origin = self.converted.operands[index][position]
        if origin is None:
            return (
                1.0
                if self.inputs.get(self.converted.source_blob(self.layer(index).inputs[position])) == operation
                else 0.0
            )
        own = self.own(origin)
        if own is None:
            return 0.0
        return 1.0 if own == operation or self.between(own, operation) is not None else 0.0

    def between(self, start: int, end: int) -> tuple[int, ...] | None:
        """Operations without a counterpart that lead from one operation to another, the last included.

        Returns:
            () when they are the same; None when there is no such way.
        """
        if start == end:
            return ()
        found: dict[int, None] = {}
        reached, waiting = False, [end]
        while waiting:
            index = waiting.pop()
            if index == start:
                reached = True
            elif index not in found and index not in self.alignment.taken and index > start:
                found[index] = None
                waiting.extend(self.recording.operations[index].inputs)
            elif index == end:
                return None
        return tuple(sorted(found)) if reached else None

    @cached_property
    def _output_of(self) -> dict[int, list[int]]:
        given: dict[int, list[int]] = {}
        for blob, operation in self.outputs.items():
            origin = self.converted.origin(blob)[0] if blob in self.converted.producers else None
            if origin is not None:
                given.setdefault(origin, []).append(operation)
        return given

    def wanted(self, index: int) -> list[tuple[int, int | None, int | None]]:
        """What is read from a layer: (operation, reading layer, as which operand); both None for an output."""
        wanted = [(operation, None, None) for operation in self._output_of.get(index, [])]
        for reader, position in self.converted.readers.get(index, []):
            operation = self.reads(reader)[position]
            if operation is not None:
                wanted.append((operation, reader, position))
        return wanted

    def _expected(self, index: int) -> Expected:
        wanted = list(dict.fromkeys(operation for operation, _, _ in self.wanted(index)))
        own = self.own(index)
        alone = self._alone(own)
        agreeing = next((one for one in wanted if self.figures(index, one)), None)
        if agreeing is not None:
            return Expected(GOOD, agreeing, agreeing)
        agreeing = next((one for one in alone if self.figures(index, one)), None)
        if not wanted:
            if agreeing is not None:
                return Expected(GOOD, agreeing, agreeing)
            return Expected(BAD, alone[-1], None) if alone else Expected(UNKNOWN, None, None)
        reachable = next((one for one in wanted if own is None or self.between(own, one) is not None), None)
        if agreeing is not None:
            return Expected(EARLY, agreeing if reachable is None else reachable, agreeing)
        return Expected(BAD, alone[-1] if reachable is None else reachable, None)

    def _alone(self, own):
        """What a layer may give if only its own counterpart is known: that, and what may be folded into it."""
        if own is None:
            return []
        alone = [own]
        for one in folded_tail(self.recording, own):
            if one in self.alignment.taken:
                break
            alone.append(one)
        return alone

    def _own_answer(self, index: int) -> np.ndarray | None:
        """What the network makes of a layer's own inputs, in float64; None when it cannot be told."""
        from converter.checks.layers.torch_side import replay

        reference = self.expected(index).reference
        if self.blob(index) is None or reference is None:
            return None
        leaves = {}
        for position, operation in enumerate(self.reads(index)):
            value = self.operand(index, position)
            if value is None or operation is None or not np.isfinite(value).all():
                return None
            leaves[operation] = value
        mine = {operation for _, operation in self.alignment.pairs.get(index, ())}
        return replay(
            self.recording,
            reference,
            leaves,
            lambda one: one in mine or one == reference or one not in self.alignment.taken,
        )

    def _own_error(self, index: int) -> float | None:
        """How far a layer's output is from what the network makes of the layer's own inputs.

        Returns:
            :func:`figures.channel_error`; infinity for another shape; None when it cannot be told.
        """
        answer, blob = self.own_answer(index), self.blob(index)
        if answer is None:
            return None
        return channel_error(blob, answer) if squeezed(answer.shape) == squeezed(blob.shape) else float("inf")

    def own_share(self, index: int) -> float:
        """The layer's own part in its difference, in units of what the tolerance allows; 0 when it cannot be told."""
        answer, found = self.own_answer(index), self.figures(index, self.expected(index).reference)
        if answer is None or found.problem or not found.allowed:
            return 0.0
        return float(np.abs(self.blob(index).astype(np.float64).ravel() - answer.ravel()).max() / found.allowed)
