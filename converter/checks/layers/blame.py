"""Which layer is to blame: the first that does not make of its inputs what the network makes of them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from converter.checks.layers.expect import Expectation, Expected
from converter.checks.layers.kinds import LAYOUT, sizes, skip_cost
from converter.util.stages import Step, no_step

# A sound layer differs by no more than this from what the network makes of the same inputs, in any channel's
# range: fp32 sums in another order. Twice the largest seen in fourteen sound networks.
OWN = 3e-4
# Of what the tolerance allows, the part that a layer beyond it must have strayed by itself to be to blame.
OWN_SHARE = 0.5


@dataclass(frozen=True)
class Finding:
    """The layer to blame.

    Attributes:
        layer: index of it in the converted graph; may be one that only hands its input on.
        operation: of the network, the one it should have been or the first that is missing.
        reason: in words.
    """

    layer: int
    operation: int | None
    reason: str


def first_bad(sides: Expectation, failed: Mapping[str, str], step: Step = no_step) -> tuple[Finding | None, list[int]]:
    """Walk the layers in file order up to the first that is to blame.

    Args:
        sides: both graphs.
        failed: blobs that the runtime could not compute, with its words.
        step: told of every layer.

    Returns:
        the finding, and layers beyond the tolerance for which nothing but rounding can be blamed.
    """
    rounding: list[int] = []
    computing = sides.converted.computing
    if all(sides.blob(index) is None for index in computing):
        return _by_structure(sides, next(iter(failed.values()), "no layer gives an output")), rounding
    for place, index in enumerate(computing):
        step(place, len(computing))
        blob = sides.layer(index).outputs[0]
        if blob in failed:
            return Finding(index, sides.own(index), f"gives no output: {failed[blob]}"), rounding
        expected = sides.expected(index)
        if sides.blob(index) is None or expected is None or sides.is_good(index) or compensated(sides, index):
            continue
        if finding := _explained(sides, index, expected, rounding):
            return finding, rounding
        rounding.append(index)
    return None, rounding


def _by_structure(sides: Expectation, said: str) -> Finding | None:
    """Nothing could be run: the first layer that the file shows to be another than the network's."""
    computing = sides.converted.computing
    for index in computing:
        if different := _different_kind(sides, index):
            return Finding(index, sides.own(index), f"{different} ({said})")
    for index in computing:
        if index not in sides.pairs and any(map(skip_cost, sides.layer(index).primitives)):
            return Finding(index, None, f"has no counterpart in the network ({said})")
    if not computing:
        return None
    place = computing[0]
    by_operation = {operation: index for index, pairs in sides.pairs.items() for _, operation in pairs}
    for operation in sides.recording.order():
        place = by_operation.get(operation, place)
        if operation not in by_operation and skip_cost(sides.operation(operation).primitive):
            return Finding(place, operation, f"{_names(sides, [operation])} behind it is missing ({said})")
    return Finding(computing[0], None, f"nothing can be computed: {said}")


def compensated(sides: Expectation, index: int) -> bool:
    """Whether the layers behind one make up for what it gives: another way of computing the same.

    They do when they give the right result, although they would not if they alone were other than the network's.
    """
    wanted = sides.wanted(index)
    readers = {reader for reader, _ in sides.converted.readers.get(index, [])}
    if not readers or not all(map(sides.is_good, readers)) or any(reader is None for _, _, reader in wanted):
        return False
    if index not in sides.pairs:
        return True
    errors = [(operation, sides.own_error(reader)) for operation, _, reader in wanted if reader is not None]
    return all(
        error is None or error.channel > _own_limit(sides) or sides.same_blob(index, operation)
        for operation, error in errors
    )


def _own_limit(sides: Expectation) -> float:
    """What a layer may differ by itself; models of half precision come with a larger tolerance."""
    return max(OWN, sides.tolerance.rtol)


def _explained(sides: Expectation, index: int, expected: Expected, rounding: Collection[int]) -> Finding | None:
    if expected.agrees is not None:
        return _missing(sides, index, expected.agrees)
    if extra := _extra(sides, index, expected):
        return extra
    error = sides.own_error(index)
    if error and (error.channel > _own_limit(sides) or error.share > OWN_SHARE):
        reason = "its inputs are right, its output is not: other weights or another constant"
        return Finding(index, expected.reference, _difference(sides, index, expected) or reason)
    if misread := _misread(sides, index, expected, rounding):
        return misread
    if error is None:
        reason = "differs from the network, and its inputs do not"
        return Finding(index, expected.reference, _difference(sides, index, expected) or reason)
    return _upstream(sides, index)


def _missing(sides: Expectation, index: int, agrees: int) -> Finding | None:
    """Operations between what a layer gives, which is right, and what is read from it."""
    for operation, blob, reader in sides.wanted(index):
        if reader is not None and (different := _different_kind(sides, reader, windows=False)):
            return Finding(reader, sides.own(reader), different)
        if chain := sides.between(agrees, operation):
            reason = f"{_names(sides, chain)} behind it is missing: it gives what the network has before"
            return _replaced(sides, [blob], chain) or Finding(index, chain[0], reason)
    return None


def _replaced(sides: Expectation, blobs: Iterable[str], chain: list[int]) -> Finding | None:
    """A layer before some blobs that only hands on and is no plain Split: what is left of a layer taken out."""
    handed = [layer for blob in blobs for layer in sides.converted.handed_on(blob)]
    stand_in = next((layer for layer in handed if sides.layer(layer).type != "Split"), None)
    if stand_in is None:
        return None
    return Finding(stand_in, chain[0], f"hands its input on where the network has {_names(sides, chain)}")


def _extra(sides: Expectation, index: int, expected: Expected) -> Finding | None:
    """A layer without a counterpart where the network has none: what it reads is already what is wanted of it,
    or the layer before it is already what it is."""
    if index in sides.pairs:
        return None
    layer = sides.layer(index)
    if any(sides.same_operand(index, position, expected.reference) for position in range(len(layer.inputs))):
        reason = "is not in the network: its input is already what the network has there"
        return Finding(index, expected.reference, reason)
    for origin in sides.converted.operands[index]:
        if origin is None or sides.layer(origin).type != layer.type or (own := sides.own(origin)) is None:
            continue
        # the one with as many readers as the network's is the network's
        readers = len(sides.recording.readers.get(own, []))
        before, here = (len(sides.converted.readers.get(place, [])) for place in (origin, index))
        extra, other = (origin, index) if before != readers == here else (index, origin)
        reason = f"is one {layer.type} more than the network has there; it or {sides.layer(other).name} is too many"
        return Finding(extra, expected.reference, reason)
    return None


def _misread(sides: Expectation, index: int, expected: Expected, rounding: Collection[int]) -> Finding | None:
    """A layer that is right about what it reads, and reads the wrong blob."""
    layer, origins = sides.layer(index), sides.converted.operands[index]
    for blob, origin, (position, operation) in zip(layer.inputs, origins, enumerate(sides.reads(index)), strict=True):
        if operation is None or origin in rounding or sides.same_operand(index, position, operation):
            continue
        start = _given(sides, index, position)
        if start is not None and (chain := sides.between(start, operation)):
            # operands that are copies of one blob have no order of their own
            copies = [copy for copy, other in zip(layer.inputs, origins, strict=True) if other == origin]
            reason = f"reads {blob} without {_names(sides, chain)} in between"
            return _replaced(sides, (blob, *copies), chain) or Finding(index, chain[0], reason)
        if origin is not None and sides.is_good(origin):
            read = sides.operation(operation)
            reason = f"reads {blob} where the network reads the result of {read.module or 'the input'} {read.name}"
            return Finding(index, expected.reference, reason)
    return None


def _given(sides: Expectation, index: int, position: int) -> int | None:
    """The operation whose result an operand is, as far as is known."""
    origin = sides.converted.operands[index][position]
    if origin is None:
        return sides.inputs.get(sides.operand_blob(index, position))
    expected = sides.expected(origin)
    return sides.own(origin) if expected is None or expected.agrees is None else expected.agrees


def _upstream(sides: Expectation, index: int) -> Finding | None:
    """The layer before that strays most by itself: it may be within the tolerance, and what follows amplifies it."""
    before = sides.converted.before([index])
    errors = {origin: error.channel for origin in before if (error := sides.own_error(origin))}
    worst = max(errors, key=lambda origin: errors[origin], default=index)
    expected = sides.expected(worst)
    if expected is None or errors.get(worst, 0.0) <= _own_limit(sides):
        return None
    reason = (
        f"does not do with its input what the network does (off by {errors[worst]:.1e} of a channel's range), "
        f"which shows in {sides.layer(index).name}"
    )
    return Finding(worst, expected.reference, reason)


def _difference(sides: Expectation, index: int, expected: Expected) -> str | None:
    """In words what is different about a layer, as far as the file and the shape of what it gives show it."""
    if different := _different_kind(sides, index):
        return different
    problem = sides.figures(index, expected.reference).problem
    return f"has {problem}" if problem and problem.startswith("shape") else problem


def _different_kind(sides: Expectation, index: int, windows: bool = True) -> str | None:
    """What the file shows to be different about a layer: its kind, or a convolution's sizes."""
    for position, operation in sides.pairs.get(index, []):
        own, other = sides.layer(index).primitives[position], sides.operation(operation).primitive
        if own.kind != other.kind:
            return f"is {own.kind}, the network has {other.kind}"
        if windows and own.window and other.window and (differences := own.window.differences(other.window)):
            return ", ".join(
                f"has {name} {sizes(here)}, the network {sizes(there)}" for name, (here, there) in differences.items()
            )
    return None


def _names(sides: Expectation, chain: Iterable[int]) -> str:
    operations = [sides.operation(index) for index in chain]
    telling = [operation for operation in operations if operation.kind not in LAYOUT] or operations
    return " and ".join(dict.fromkeys(operation.name for operation in telling))
