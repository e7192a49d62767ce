"""From the files of a folder to dumps: numbers that are known to be as many as their golden tensor's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from converter.checks.dumps.causes import Cause
from converter.checks.dumps.layouts import padded_orders
from converter.checks.dumps.names import NamedFile, find_dumps
from converter.checks.dumps.reading import DumpError, multiple, read_numbers
from converter.checks.dumps.reference import Reference
from converter.errors import UsageError, VerificationError
from converter.folder.golden_index import GoldenTensor


@dataclass(frozen=True, eq=False)
class Dump:
    """One file of a device.

    Attributes:
        file: its name, from the folder on.
        case: which it is of; None when its name does not say and there are several.
        tensor: the golden tensor it is named after, of that case or of any.
        values: flat float32; empty when it could not be read.
        shape: what the file says of its shape; None when nothing.
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


@dataclass(frozen=True, eq=False)
class Reading:
    """What a count of numbers may mean: a tensor whose numbers are at ``positions`` (None: all of them)."""

    tensor: GoldenTensor
    positions: np.ndarray | None = None
    cause: Cause | None = None


def load_dumps(folder: Path, reference: Reference, names: Mapping[str, str]) -> tuple[list[Dump], list[str]]:
    """The dumps in a folder, and the files that are none.

    Raises:
        UsageError: when there is no dump, or two files are the same tensor.
        VerificationError: for golden vectors that lack a tensor in one case only.
    """
    files, others = find_dumps(folder, reference.golden.index, reference.network.file_prefix, names)
    dumps = [_load(file, reference) for file in files]
    check_no_two_alike(dumps)
    return dumps, others


def check_no_two_alike(dumps: Sequence[Dump]) -> None:
    """Raises:
    UsageError: naming both of two files that are the same tensor.
    """
    seen: dict[tuple[str | None, str, str], Dump] = {}
    for dump in dumps:
        first = seen.setdefault((dump.case, *dump.key), dump)
        if first is not dump:
            case = f" of case {dump.case}" if dump.case else ""
            raise UsageError(
                f"--dumps: {first.file} and {dump.file} are both {dump.tensor.name!r} of graph {dump.tensor.graph!r}"
                f"{case}; leave one of them there"
            )


def _load(file: NamedFile, reference: Reference) -> Dump:
    case = file.case or (reference.first if len(reference.titles) == 1 else None)
    entries = [entry for target in file.targets if (entry := reference.entries.get((case or reference.first, *target)))]
    if not entries:
        raise VerificationError(
            f"golden vectors in {reference.golden.folder}: case {case or reference.first!r} lacks what {file.file} is "
            "named after; write them anew with --write-golden"
        )
    readings = _readings(entries, reference)
    pixels = any(entry.meaning in reference.images for entry in entries)
    try:
        numbers = read_numbers(file.path, list(readings), pixels)
        count, expected = numbers.values.size, prod(entries[0].shape)
        if count not in readings:
            shape = "x".join(map(str, entries[0].shape))
            raise DumpError(f"holds {count} numbers, expected {expected} ({shape}){multiple(count, expected)}")
    except DumpError as error:
        return Dump(file.file, case, entries[0], np.empty(0, np.float32), problem=str(error))
    reading = _likeliest(readings[count], numbers.values)
    return Dump(
        file=file.file,
        case=case,
        tensor=reading.tensor,
        values=numbers.values if reading.positions is None else numbers.values[reading.positions],
        shape=numbers.shape if reading.positions is None else None,
        causes=(reading.cause,) if reading.cause else (),
        notes=(f"stored as {numbers.stored}",) if numbers.stored not in ("float32", "text") else (),
    )


def _readings(entries: Sequence[GoldenTensor], reference: Reference) -> dict[int, list[Reading]]:
    """Counts of numbers that make sense to what they may mean, both the likeliest first."""
    readings: dict[int, list[Reading]] = {}
    for entry in entries:
        readings.setdefault(prod(entry.shape), []).append(Reading(entry))
    if entries[0].role == "output":
        for size in reference.output_sizes:
            readings.setdefault(size, []).append(Reading(entries[0]))  # another's; the search says which
    for entry in entries:
        for count, (positions, cause) in padded_orders(entry.shape).items():
            readings.setdefault(count, []).append(Reading(entry, positions, cause))
    return readings


def _likeliest(readings: Sequence[Reading], values: np.ndarray) -> Reading:
    """The first; a padded one where the count is another output's too and all of the padding is zero."""
    for reading in readings:
        if reading.positions is not None:
            return readings[0] if np.delete(values, reading.positions).any() else reading
    return readings[0]
