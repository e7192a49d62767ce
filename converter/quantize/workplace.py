"""The folder beside the output in which a search keeps what it has measured."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from converter.errors import UsageError
from converter.quantize.journal import Journal
from converter.quantize.options import QuantizeOptions
from converter.util.atomic import make_folder, missing_parents, obstacle, remove_empty
from converter.util.paths import why_no_folder

JOURNAL, PAGE = "measured.jsonl", "front.html"


def check_workplace(folder: Path) -> None:
    """Refuse a folder that could not be used, before any work is done.

    Raises:
        UsageError: for one with files that are not lt-quantize's, or a place where none can be.
    """
    if os.path.lexists(folder):
        if reason := why_no_folder(folder):
            raise UsageError(f"{folder}, where the search keeps what it measures: {reason}, expected a folder")
        if foreign := [name for name in sorted(os.listdir(folder)) if not _own(folder, name)]:
            raise UsageError(
                f"{folder}, where the search keeps what it measures, holds {foreign[0]!r}, which lt-quantize did not "
                "write; move it away or pass another -o DIR"
            )
    if reason := obstacle(folder, parents=True):
        raise UsageError(f"{folder}, where the search keeps what it measures: {reason}")


def _own(folder: Path, name: str) -> bool:
    """A page without a journal is none of ours; a draft of one is of a run that ended there."""
    path = folder / name
    begun = (folder / JOURNAL).is_file()
    ours = name == JOURNAL or (begun and (name == PAGE or name.startswith(f".{Path(PAGE).stem}.")))
    return ours and path.is_file() and not path.is_symlink()


@contextmanager
def workplace(options: QuantizeOptions) -> Iterator[Callable[[str], Journal]]:
    """The folder, while the block runs; gone behind it where nothing was measured.

    Yields:
        what opens the journal of a search in it.
    """
    folder = options.workplace
    made = [folder, *missing_parents(folder)] if not folder.exists() else []

    def journal(key: str) -> Journal:
        make_folder(folder)
        return Journal(folder / JOURNAL, key)

    try:
        yield journal
    finally:
        remove_empty(made)
