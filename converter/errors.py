"""Errors a user can cause or meet; each carries the exit code of the command line.

A message is one line: what failed, what was found, what was expected, what to do.
Anything that is not a :class:`ConverterError` is a defect of ours: the command lines say so and end with 70.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

ALIKE = 0.65  # of difflib's ratio
_THEIR_WORDS = (
    ("Input should be a valid integer", "expected a whole number"),
    ("Input should be a valid number", "expected a number"),
    ("Input should be a valid string", "expected a text"),
    ("Input should be a valid boolean", "expected true or false"),
    ("Input should be a valid list", "expected a list"),
    ("Input should be a valid tuple", "expected a list"),
    ("Input should be a valid dictionary", "expected keys and values"),
    ("Input should be greater than or equal to", "expected at least"),
    ("Input should be less than or equal to", "expected at most"),
    ("Input should be greater than", "expected more than"),
    ("Input should be less than", "expected less than"),
    ("Input should be", "expected"),
)


class ConverterError(Exception):
    """Base of every error that the command line reports in one line.

    Attributes:
        result: what was found before it, where there is something; ``as_dict()`` is its JSON object.
    """

    exit_code = 4
    result: Any = None


class VerificationError(ConverterError):
    """The converted models do not answer as the network does.

    Args:
        message: the one-line verdict.
        report: the :class:`converter.proof.verify.Report` behind it.
        result: everything that was found; ``as_dict()`` is its JSON object.

    Attributes:
        options: of the export that failed, a :class:`converter.spec.options.ExportOptions`; None of anything else.
    """

    exit_code = 1
    options: Any = None

    def __init__(self, message: str, report: Any = None, result: Any = None):
        super().__init__(message)
        self.report = report
        self.result = result


class UsageError(ConverterError):
    """An option, a name, a configuration file or a folder that cannot be used."""

    exit_code = 2


class CheckpointError(ConverterError):
    """A checkpoint that cannot be read or does not fit the network."""

    exit_code = 3


class ArchitectureError(UsageError):
    """An unknown architecture or a path name that describes no network."""


class ConversionError(ConverterError):
    """Tracing, converting, proving or writing the models failed."""

    exit_code = 4


class DependencyError(ConverterError):
    """Something that has to be installed or checked out is missing or unusable.

    Args:
        message: the one line.
        result: everything that was found, where more was looked at; ``as_dict()`` is its JSON object.
    """

    exit_code = 5

    def __init__(self, message: str, result: Any = None):
        super().__init__(message)
        self.result = result


def near_miss(name: str, names: Iterable[str]) -> str | None:
    """The name that begins like a mistyped one, or is nearest to it, whatever its case; None where none is near."""
    by_lower = {each.lower(): each for each in names}
    begun = [each for each in by_lower if len(name) > 1 and each.startswith(name.lower())]
    nearest = begun or get_close_matches(name.lower(), by_lower, n=1, cutoff=ALIKE)
    return by_lower[nearest[0]] if nearest else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """``; did you mean 'fp16s'?`` behind the message that refuses a name; empty where no name is near."""
    nearest = near_miss(name, names)
    return f"; did you mean {nearest!r}?" if nearest else ""


def in_words(message: str) -> str:
    """What a value should have been, from pydantic's words for it."""
    message = message.removeprefix("Value error, ").partition(", unable to")[0]
    for theirs, ours in _THEIR_WORDS:
        message = message.replace(theirs, ours)
    return message[:1].lower() + message[1:]
