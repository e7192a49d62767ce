"""Errors a user can cause or meet; each carries the exit code of the command line.

A message is one line: what failed, what was found, what was expected, what to do.
Anything that is not a :class:`ConverterError` is a defect of ours: the command lines say so and end with 70.
"""

from typing import Any


class ConverterError(Exception):
    """Base of every error that the command line reports in one line."""

    exit_code = 4


class VerificationError(ConverterError):
    """The converted models do not answer as the network does.

    Args:
        message: the one-line verdict.
        report: the :class:`converter.proof.verify.Report` behind it.
        result: everything that was found; ``as_dict()`` is its JSON object.
    """

    exit_code = 1

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
    """Something that has to be installed or checked out is missing or unusable."""

    exit_code = 5
