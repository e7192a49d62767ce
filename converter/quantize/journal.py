"""What settings of a search have measured, in a journal, so that a search that was killed goes on where it was."""

import hashlib
import json
from collections.abc import Iterable
from math import isfinite
from pathlib import Path

from converter.folder import journal
from converter.folder.journal import Kind, Record
from converter.quantize.search import Measured

KEY = 32  # characters of a setting's name
MOST_CLIPS, MOST_BYTES = 1000, 1 << 40


class Journal:
    """The measurements of one search. Those of others in the same file are left alone, and not used.

    Args:
        path: of the file; made where it is not there.
        search: what everything that is measured depends on, as a text.

    Raises:
        UsageError: when another search writes it, or it is no file of ours.
        ConversionError: when it cannot be written.
    """

    def __init__(self, path: Path, search: str) -> None:
        self._search = search
        self._journal = journal.Journal(path, KIND)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *raised: object) -> None:
        self._journal.__exit__(*raised)

    def get(self, layers: Iterable[str], corrected: bool, clips: int) -> Measured | None:
        """What was measured with these layers in int8; None where nothing was, of so many clips."""
        record = self._journal.records.get(self._key(layers, corrected))
        if record is None or len(record["means"]) != clips:
            return None
        return Measured(tuple(record["means"]), tuple(record["smallests"]), record["bytes"])

    def add(self, layers: Iterable[str], corrected: bool, measured: Measured) -> None:
        """Raises:
        ConversionError: when the disk is full.
        """
        figures = {"means": list(measured.means), "smallests": list(measured.smallests), "bytes": measured.bytes}
        self._journal.add(self._key(layers, corrected), figures)

    def _key(self, layers: Iterable[str], corrected: bool) -> str:
        text = json.dumps([self._search, sorted(layers), corrected])
        return hashlib.sha256(text.encode()).hexdigest()[:KEY]


def _is_result(entry: Record) -> bool:
    """Whether a line can be one of ours: overlaps of as many clips, and a number of bytes."""
    means, smallests, number = (entry.get(name) for name in ("means", "smallests", "bytes"))
    if not (isinstance(means, list) and isinstance(smallests, list) and 0 < len(means) <= MOST_CLIPS):
        return False
    whole = isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= MOST_BYTES
    return whole and len(means) == len(smallests) and all(map(_is_overlap, [*means, *smallests]))


def _is_overlap(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and isfinite(value) and 0 <= value <= 1


KIND = Kind("lt-quantize", "setting", _is_result, "wait for it, or pass another -o DIR")
