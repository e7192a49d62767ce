"""Which layer is to blame: the first that does not make of its inputs what the network makes of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from converter.checks.layers.expect import EARLY, GOOD, UNKNOWN, Expectation
from converter.checks.layers.kinds import LAYOUT, skip_cost

# A sound layer differs by no more than this from what the network makes of the same inputs, in any channel's
# range: fp32 sums in another order. Twice the largest seen in fourteen sound networks.
OWN = 3e-4
# Of what the tolerance allows, the part that a layer beyond it must have strayed by itself to be to blame.
OWN_SHARE = 0.5
_DULL = {"Split"}


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


def first_bad(sides: Expectation, failed: Mapping[str, str]) -> tuple[Finding | None, list[int]]:
    """Walk the layers in file order up to the first that is to blame.

    Args:
        sides: both graphs.
        failed: blobs that the runtime could not compute, with its words.

    Returns:
        the finding, and layers beyond the tolerance for which nothing but rounding can be blamed.
    """
    rounding: list[int] = []
    if all(sides.blob(index) is None for index in sides.converted.computing):
        return _by_structure(sides, next(iter(failed.values()), "no layer gives an output")), rounding
    for index in sides.converted.computing:
        blob = sides.layer(index).outputs[0]
        if blob in failed:
            return Finding(index, sides.own(index), f"gives no output: {failed[blob]}"), rounding
        if sides.blob(index) is None or sides.expected(index).state in (GOOD, UNKNOWN) or compensated(sides, index):
            continue
        if finding := _explained(sides, index, rounding):
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
        if index not in sides.alignment.pairs and any(skip_cost(one) for one in sides.layer(index).primitives):
            return Finding(index, None, f"has no counterpart in the network ({said})")
    place = computing[0] if computing else None
    by_operation = {operation: index for index, pairs in sides.alignment.pairs.items() for _, operation in pairs}
    for operation in sides.recording.order():
        place = by_operation.get(operation, place)
        if operation not in by_operation and skip_cost(sides.recording.operations[operation].primitive):
            return Finding(place, operation, f"{_names(sides, [operation])} behind it is missing ({said})")
    return None if place is None else Finding(computing[0], None, f"nothing can be computed: {said}")


def compensated(sides: Expectation, index: int) -> bool:
    """Whether the layers behind one make up for what it gives: another way of computing the same.

    They do when they give the right result, although they would not if they alone were other than the network's.
    """
    readers = {reader for reader, _ in sides.converted.readers.get(index, [])}
    wanted = sides.wanted(index)
    if not readers or any(reader is None for _, reader, _ in wanted):
        return False
    if any(sides.expected(reader).state != GOOD for reader in readers):
        return False
    if index not in sides.alignment.pairs:
        return True
    return all(
        sides.same(sides.blob(index), operation) or not _right_by_itself(sides, reader)
        for operation, reader, _ in wanted
    )


def _right_by_itself(sides, index):
    error = sides.own_error(index)
    return error is not None and error <= own_limit(sides)


def own_limit(sides: Expectation) -> float:
    """What a layer may differ by itself; models of half precision come with a larger tolerance."""
    return max(OWN, sides.tolerance.rtol)


def _explained(sides: Expectation, index: int, rounding: list[int]) -> Finding | None:
    expected = sides.expected(index)
    if expected.state == EARLY:
        return _missing(sides, index, expected)
    if extra := _extra(sides, index, expected):
        return extra
    error = sides.own_error(index)
    if error is not None and (error > own_limit(sides) or sides.own_share(index) > OWN_SHARE):
        return Finding(index, expected.reference, _difference(sides, index, error))
    if misread := _misread(sides, index, rounding):
        return misread
    if error is None:
        return Finding(index, expected.reference, _difference(sides, index, error))
    return _upstream(sides, index)


def _missing(sides, index, expected) -> Finding | None:
    """Operations between what a layer gives, which is right, and what is read from it."""
    for operation, reader, position in sides.wanted(index):
        if reader is not None and (different := _different_kind(sides, reader, windows=False)):
            return Finding(reader, sides.own(reader), different)
        if chain := sides.between(expected.agrees, operation):
            names = _names(sides, chain)
            stand_in = _stand_in(sides, reader, position) if reader is not None else _output_stand_in(sides, index)
            if stand_in is not None:
                return Finding(stand_in, chain[0], f"hands its input on where the network has {names}")
            return Finding(index, chain[0], f"{names} behind it is missing: it gives what the network has before")
    return None


def _stand_in(sides, reader, position):
    """A layer between two that only hands on and is no plain Split: what is left of a layer taken out."""
    handed = sides.converted.origin(sides.layer(reader).inputs[position])[1]
    return next((one for one in handed if sides.layer(one).type not in _DULL), None)


def _output_stand_in(sides, index):
    for blob in sides.outputs:
        origin, handed = sides.converted.origin(blob)
        if origin == index:
            return next((one for one in handed if sides.layer(one).type not in _DULL), None)
    return None


def _extra(sides, index, expected) -> Finding | None:
    """A layer without a counterpart where the network has none: what it reads is already what is wanted of it,
    or the layer before it is already what it is."""
    if sides.alignment.pairs.get(index) or expected.reference is None:
        return None
    layer = sides.layer(index)
    for position in range(len(layer.inputs)):
        if sides.same(sides.operand(index, position), expected.reference):
            reason = "is not in the network: its input is already what the network has there"
            return Finding(index, expected.reference, reason)
    for origin in sides.converted.operands[index]:
        if origin is not None and sides.layer(origin).type == layer.type and sides.own(origin) is not None:
            # the one with as many readers as the network's is the network's
            expected_readers = len(sides.recording.readers.get(sides.own(origin), []))
            readers = [len(sides.converted.readers.get(one, [])) for one in (origin, index)]
            extra, other = (origin, index) if readers[0] != expected_readers == readers[1] else (index, origin)
            reason = f"is one {layer.type} more than the network has there; it or {sides.layer(other).name} is too many"
            return Finding(extra, expected.reference, reason)
    return None


def _misread(sides, index, rounding) -> Finding | None:
    """A layer that is right about what it reads, and reads the wrong blob."""
    layer = sides.layer(index)
    for position, operation in enumerate(sides.reads(index)):
        origin = sides.converted.operands[index][position]
        if operation is None or origin in rounding or sides.same(sides.operand(index, position), operation):
            continue
        start = _given(sides, index, position)
        if start is not None and (chain := sides.between(start, operation)):
            # operands that are copies of one blob have no order of their own
            copies = [one for one, other in enumerate(sides.converted.operands[index]) if other == origin]
            stand_ins = [_stand_in(sides, index, one) for one in (position, *copies)]
            stand_in = next((one for one in stand_ins if one is not None), None)
            if stand_in is not None:
                return Finding(stand_in, chain[0], f"hands its input on where the network has {_names(sides, chain)}")
            reason = f"reads {layer.inputs[position]} without {_names(sides, chain)} in between"
            return Finding(index, chain[0], reason)
        if origin is not None and sides.expected(origin).state == GOOD:
            place = _place(sides, operation)
            reason = f"reads {layer.inputs[position]} where the network reads the result of {place}"
            return Finding(index, sides.expected(index).reference, reason)
    return None


def _given(sides, index, position) -> int | None:
    """The operation whose result an operand is, as far as is known."""
    origin = sides.converted.operands[index][position]
    if origin is None:
        return sides.inputs.get(sides.converted.source_blob(sides.layer(index).inputs[position]))
    agrees = sides.expected(origin).agrees
    return sides.own(origin) if agrees is None else agrees


def _upstream(sides, index) -> Finding | None:
    """The layer before that strays most by itself: it may be within the tolerance, and what follows amplifies it."""
    seen, waiting = set(), [index]
    while waiting:
        for origin in sides.converted.operands[waiting.pop()]:
            if origin is not None and origin not in seen:
                seen.add(origin)
                waiting.append(origin)
    errors = {one: error for one in seen if (error := sides.own_error(one)) is not None and error > own_limit(sides)}
    if not errors:
        return None
    worst = max(errors, key=errors.get)
    reason = (
        f"does not do with its input what the network does (off by {errors[worst]:.1e} of a channel's range), "
        f"which shows in {sides.layer(index).name}"
    )
    return Finding(worst, sides.expected(worst).reference, reason)


def _difference(sides, index, error) -> str:
    """In words what is different about a layer, as far as the file shows it."""
    if different := _different_kind(sides, index):
        return different
    problem = sides.figures(index, sides.expected(index).reference).problem
    if problem:
        return f"has {problem}" if problem.startswith("shape") else problem
    if error is None:
        return "differs from the network, and its inputs do not"
    return "its inputs are right, its output is not: other weights or another constant"


def _different_kind(sides, index, windows=True) -> str | None:
    """What the file shows to be different about a layer: its kind, or a convolution's sizes."""
    for position, operation in sides.alignment.pairs.get(index, ()):
        own, other = sides.layer(index).primitives[position], sides.recording.operations[operation].primitive
        if own.kind != other.kind:
            return f"is {own.kind}, the network has {other.kind}"
        if windows and own.window and other.window and (found := own.window.differences(other.window)):
            return ", ".join(f"has {name} {_size(one)}, the network {_size(two)}" for name, (one, two) in found.items())
    return None


def _names(sides, chain):
    operations = [sides.recording.operations[one] for one in chain]
    telling = [one for one in operations if one.kind not in LAYOUT] or operations
    return " and ".join(dict.fromkeys(one.name for one in telling))


def _place(sides, operation):
    one = sides.recording.operations[operation]
    return f"{one.module or 'the input'} {one.name}".strip()


def _size(value):
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
