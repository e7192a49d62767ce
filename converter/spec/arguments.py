"""Arguments of the Python API as the options take them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from converter.errors import CheckpointError, UsageError, in_words
from converter.spec.options import NetworkInMemory
from converter.util.paths import why_unusable

if TYPE_CHECKING:
    from torch import nn

AnyPath = str | PathLike[str]


def weights_of(given: "AnyPath | nn.Module") -> Path | NetworkInMemory:
    """The file with a network's weights, or the network itself.

    Raises:
        CheckpointError: for a path at which no file can be.
    """
    if not isinstance(given, str | PathLike):
        return NetworkInMemory(given)
    try:
        return expanded(given)
    except UsageError as error:
        raise CheckpointError(f"checkpoint {error}") from None


def texts_of(rename: Mapping[str, str] | Sequence[str]) -> tuple[str, ...]:
    """Names and what stands for them, as ``name=other``."""
    if isinstance(rename, Mapping):
        return tuple(f"{name}={other}" for name, other in rename.items())
    return names_of(rename)


def path_of(given: AnyPath | None) -> Path | None:
    """A path as Path; ``~`` is the user's home."""
    return None if given is None else expanded(given)


def paths_of(given: AnyPath | Sequence[AnyPath]) -> tuple[Path, ...]:
    """Likewise of several; a single one needs no list."""
    several = [given] if isinstance(given, str | PathLike) else given
    return tuple(map(expanded, several))


def expanded(given: AnyPath) -> Path:
    """A path that exists is taken as it is, and so is one that begins with the name of no user.

    Raises:
        UsageError: for a path at which neither a file nor a folder can be.
    """
    path = Path(given)
    path = path if os.path.lexists(path) else Path(os.path.expanduser(path))
    if problem := why_unusable(path):
        raise UsageError(f"{path}: {problem}")
    return path


def names_of(given: str | Sequence[str] | None) -> tuple[str, ...]:
    """Names, each once; a single one needs no list."""
    return (given,) if isinstance(given, str) else tuple(dict.fromkeys(given or ()))


def finite(option: str, value: float | None) -> float | None:
    """A tolerance, where one was given.

    Raises:
        UsageError: for infinity, NaN or a negative number.
    """
    if value is not None and not 0 <= value < float("inf"):
        raise UsageError(f"{option} {value}: expected a finite number of 0 or more")
    return value


@contextmanager
def refused_values() -> Iterator[None]:
    """A value that does not fit the options made in the block becomes a UsageError with its name."""
    try:
        yield
    except ValidationError as problem:
        error = problem.errors()[0]
        name = ".".join(map(str, error["loc"]))
        raise UsageError(f"{name} {error['input']!r}: {in_words(error['msg'])}") from None
