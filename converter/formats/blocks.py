"""The blocks of a network: groups of layers between tensors through which everything flows, whatever the format."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["dense", "depthwise", "other"]
State = Literal["empty", "begun", "open", "closed"]


@dataclass(frozen=True)
class Step:
    """A layer.

    Attributes:
        name: that no other layer of the graph has.
        inputs, outputs: its tensors; those that the layer holds itself, weights, are left out.
        kind: dense where each output takes all channels, depthwise where each takes those of one group, other where
            the layer has no weights to be quantised.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    kind: Kind


@dataclass
class _Block:
    """One that grows.

    Attributes:
        steps: in it.
        state: empty before its first weights, begun by one dense layer, open until a dense layer follows a depthwise
            one, or closed.
        ends: tensors behind which it may go on.
    """

    steps: list[Step] = field(default_factory=list)
    state: State = "empty"
    ends: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return next((step.name for step in self.steps if step.kind != "other"), self.steps[0].name)


def blocks(steps: Sequence[Step], inputs: Collection[str]) -> dict[str, str]:
    """Layer to the name of its block, that of the first layer with weights in it; the same arguments, the same answer.

    Layers between two tensors without which the graph falls into parts are a piece: a residual block, a squeeze and
    excitation, or one layer of a chain. Layers without weights belong to the piece before them. A depthwise layer, the
    one dense layer before it and all up to the dense layer behind it are one block: an inverted residual, with or
    without its sum, or a separable convolution.

    Args:
        steps: layers, each behind those whose tensors it takes.
        inputs: of the graph; layers that depend on none are blocks of their own.
    """
    depending = set(inputs)
    for step in steps:
        if depending.intersection(step.inputs):
            depending.update(step.outputs)
    flowing = [step for step in steps if depending.intersection(step.outputs)]
    grown: list[_Block] = []
    givers: dict[str, int] = {}
    for piece in _pieces(flowing, depending):
        given = {blob for step in piece for blob in step.outputs}
        taken = {blob for step in piece for blob in step.inputs} - given
        before = max((givers[blob] for blob in taken & givers.keys()), default=None)
        if before is None or not _joined(grown[before], piece, taken):
            before = len(grown)
            grown.append(_Block())
            _joined(grown[before], piece, taken)
        givers.update(dict.fromkeys(given, before))
    names = {step.name: block.name for block in grown for step in block.steps}
    return {step.name: names.get(step.name, step.name) for step in steps}


def _joined(block: _Block, piece: Sequence[Step], taken: Collection[str]) -> bool:
    """Add a piece to a block if it belongs there; the first belongs there always."""
    kinds = [step.kind for step in piece if step.kind != "other"]
    given = {blob for step in piece for blob in step.outputs}
    if not kinds:
        block.ends |= given
    else:
        state = _behind(block.state, kinds)
        if state is None or (block.state != "empty" and block.ends.isdisjoint(taken)):
            return False
        block.state, block.ends = state, given
    block.steps += piece
    return True


def _behind(state: State, kinds: Sequence[Kind]) -> State | None:
    """What a block is with another piece at its end, of layers of these kinds; None where it cannot have that."""
    if state == "empty":
        if len(kinds) > 1:
            return "closed"
        return "begun" if kinds[0] == "dense" else "open"
    if state in ("begun", "open") and list(kinds) == ["depthwise"]:
        return "open"
    if state == "open" and "depthwise" not in kinds:
        return "closed" if len(kinds) == 1 else "open"
    return None


def _pieces(steps: Sequence[Step], flowing: Collection[str]) -> list[list[Step]]:
    """Layers that stay connected whichever tensor is taken away, in the order of the last of each.

    Args:
        steps: layers.
        flowing: the tensors that count.
    """
    edges: list[tuple[str, str]] = []
    of_step: list[int] = []  # an edge of each layer
    for step in steps:
        ring = [blob for blob in dict.fromkeys((*step.inputs, *step.outputs)) if blob in flowing]
        of_step.append(len(edges))
        edges += list(zip(ring, [*ring[1:], ring[0]], strict=True))[: len(ring) if len(ring) > 2 else 1]
    numbers = _biconnected(edges)
    pieces: dict[int, list[Step]] = {}
    for step, edge in zip(steps, of_step, strict=True):
        number = numbers[edge]
        pieces[number] = [*pieces.pop(number, []), step]
    return list(pieces.values())


def _biconnected(edges: Sequence[tuple[str, str]]) -> Mapping[int, int]:
    """Edge to the number of its biconnected component (Hopcroft and Tarjan 1973); an edge to itself has its own."""
    around = defaultdict[str, list[tuple[int, str]]](list)
    for edge, (first, second) in enumerate(edges):
        around[first].append((edge, second))
        around[second].append((edge, first))
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    numbers = {edge: -1 - edge for edge, (first, second) in enumerate(edges) if first == second}
    for root in list(around):
        if root in order:
            continue
        order[root] = lowest[root] = len(order)
        path = [(root, -1, iter(around[root]))]
        open_edges: list[int] = []
        while path:
            blob, came_by, rest = path[-1]
            for edge, other in rest:
                if edge == came_by or edge in numbers:
                    continue
                if other not in order:
                    open_edges.append(edge)
                    order[other] = lowest[other] = len(order)
                    path.append((other, edge, iter(around[other])))
                    break
                if order[other] < order[blob]:
                    open_edges.append(edge)
                    lowest[blob] = min(lowest[blob], order[other])
            else:
                path.pop()
                if not path:
                    continue
                parent = path[-1][0]
                lowest[parent] = min(lowest[parent], lowest[blob])
                if lowest[blob] >= order[parent]:
                    component = len(numbers)
                    while open_edges and came_by not in numbers:
                        numbers[open_edges.pop()] = component
    return numbers
