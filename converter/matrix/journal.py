"""What is known of every cell, in a journal."""

from pathlib import Path

from converter.folder import journal
from converter.folder.journal import Kind, Record

LARGEST_NUMBER, LONGEST_MESSAGE = 2.0**62, 1000  # characters
OUTCOMES = ("verified", "failed", "unfinished")
FIGURES = ("latency", "init_latency", "bytes", "error", "parameters", "multiply_adds", "seconds", "exit_code")


class Journal(journal.Journal):
    """The results of one run's cells, by key.

    Args:
        path: of the file; made where it is not there.

    Raises:
        UsageError, ConversionError: as that of any run.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, KIND)


def read_records(path: Path) -> tuple[dict[str, Record], int]:
    """What a file of results says of every cell, and how many bytes of it are whole lines.

    Raises:
        UsageError: for a file that lt-matrix did not write; naming the first line that is not one of its.
    """
    return journal.read_records(path, KIND)


def _is_result(entry: Record) -> bool:
    """Whether what a line says of a cell can be one of ours: its words and figures are, as far as it has them."""
    return (
        entry.get("outcome", OUTCOMES[0]) in OUTCOMES
        and isinstance(message := entry.get("message", ""), str)
        and len(message) <= LONGEST_MESSAGE
        and all(_is_figure(entry[name]) for name in FIGURES if entry.get(name) is not None)
    )


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LARGEST_NUMBER


KIND = Kind("lt-matrix", "cell", _is_result, "wait for it, or pass --shard")
