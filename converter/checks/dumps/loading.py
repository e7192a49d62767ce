"""From the files of a folder to dumps: numbers that are known to be as many as their golden tensor's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from converter.checks.dumps.causes import Cause
from converter.checks.dumps.layouts import padded_orders
from converter.checks.dumps.names import Found, find_dumps
from converter.checks.dumps.reading import DumpError, multiple, read_numbers
from converter.checks.dumps.reference import Reference
from converter.errors import UsageError
from converter.folder.golden_index import GoldenTensor


@dataclass(frozen=True, eq=False)
class Dump:
    """One file of a device.

    Attributes:
        file: its name, from the folder on.
        case: which it is of; None when its name does not say and there are several.
        tensor: the golden tensor it is named after, of that case or of any.
        values: flat float32; empty when it could not be read.
        shape: what the file says of its shape, in itself or in its name; None when nothing.
        causes: what is wrong with the file as such.
        problem: why it cannot be compared, or None.
        notes: what is worth saying though it is no fault.
    """

    file: str
    case: str | None
    tensor: GoldenTensor
    values: np.ndarray
    shape: tuple[int, ...] | None = None
    causes: tuple[Cause, ...] = ()
    problem: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        return self.tensor.graph, self.tensor.name

    def of(self, case: str) -> "Dump":
        return replace(self, case=case)


def load_dumps(folder: Path, reference: Reference, names: Mapping[str, str]) -> tuple[list[Dump], list[str]]:
    """The dumps in a folder, and the files that are none.

    Raises:
        UsageError: when there is no dump, or two files are the same tensor.
    """
    found, others = find_dumps(folder, reference.golden.index, names)
    dumps = [_load(file, reference) for file in found]
    check_one_each(dumps)
    return dumps, others


def check_one_each(dumps: Sequence[Dump]) -> None:
    """Raises:
    UsageError: naming both of two files that are the same tensor.
    """
    seen: dict[tuple, Dump] = {}
    for dump in dumps:
        first = seen.setdefault((dump.case, *dump.key), dump)
        if first is not dump:
            case = f" of case {dump.case}" if dump.case else ""
            raise UsageError(
                f"--dumps: {first.file} and {dump.file} are both {dump.tensor.name!r} of graph {dump.tensor.graph!r}"
                f"{case}; leave one of them there"
            )


def _load(found: Found, reference: Reference) -> Dump:
    case = found.case or (reference.cases[0] if len(reference.cases) == 1 else None)
    entries = [reference.entries[case or reference.cases[0], *target] for target in found.targets]
    readings, doubtful = _readings(entries, reference)
    pixels = any(entry.meaning in reference.images for entry in entries)
    try:
        numbers = read_numbers(found.path, list(readings), pixels)
    except DumpError as error:
        return Dump(found.file, case, entries[0], np.empty(0, np.float32), problem=str(error))
    values, count = numbers.values, numbers.values.size
    if count not in readings:
        size = int(np.prod(entries[0].shape))
        shape = "x".join(map(str, entries[0].shape))
        problem = f"holds {count} numbers, expected {size} ({shape}){multiple(count, size)}"
        return Dump(found.file, case, entries[0], np.empty(0, np.float32), problem=problem)
    entry, positions, cause = readings[count]
    if count in doubtful and not np.delete(values, doubtful[count][1]).any():
        entry, positions, cause = doubtful[count]
    return Dump(
        file=found.file,
        case=case,
        tensor=entry,
        values=values if positions is None else values[positions],
        shape=numbers.shape if positions is None else None,
        causes=(cause,) if cause else (),
        notes=(f"stored as {numbers.stored}",) if numbers.stored not in ("float32", "text") else (),
    )


def _readings(entries, reference):
    """Counts of numbers that make sense, the likeliest first: to the tensor, where its numbers are, what is wrong.

    Returns:
        (readings, the same for counts that are another output's and count as padded only when the padding is zero)
    """
    found: dict[int, tuple[GoldenTensor, np.ndarray | None, Cause | None]] = {}
    for entry in entries:
        found.setdefault(int(np.prod(entry.shape)), (entry, None, None))
    if entries[0].role == "output":
        for answer in reference.answers[reference.cases[0]].values():
            found.setdefault(answer.size, (entries[0], None, None))  # another output's; the search says which
    doubtful = {}
    for entry in entries:
        for count, (positions, cause) in padded_orders(entry.shape).items():
            if found.setdefault(count, (entry, positions, cause))[1] is None:
                doubtful.setdefault(count, (entry, positions, cause))
    return found, doubtful
