"""Shell patterns over the dotted names of torch modules."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from converter.errors import UsageError


def matching_names(patterns: Sequence[str], names: Iterable[str]) -> list[str]:
    """The names that any pattern matches, in the order of ``names``; ``*`` stays between two dots.

    Raises:
        UsageError: for a pattern that matches none.
    """
    names = list(names)
    for pattern in patterns:
        if not any(_matches(pattern, name) for name in names):
            tops = ", ".join(sorted({name.partition(".")[0] for name in names if name}))
            raise UsageError(
                f"config: intermediates: {pattern!r} matches no module of this network, whose parts are "
                f"{tops or 'none'}; a * stays between two dots"
            )
    return [name for name in names if any(_matches(pattern, name) for pattern in patterns)]


def _matches(pattern: str, name: str) -> bool:
    patterns, parts = pattern.split("."), name.split(".")
    return len(patterns) == len(parts) and all(map(fnmatchcase, parts, patterns))
