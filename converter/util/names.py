"""Names that somebody typed, beside those that there are: the one place that guesses which was meant."""

from collections.abc import Iterable
from difflib import get_close_matches

ALIKE = 0.6  # of difflib's ratio


def near_miss(name: str, names: Iterable[str]) -> str | None:
    """The one of the names that is nearest to a mistyped one, whatever its case; None where none is near."""
    by_lower = {each.lower(): each for each in names}
    nearest = get_close_matches(name.lower(), by_lower, n=1, cutoff=ALIKE)
    return by_lower[nearest[0]] if nearest else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """``; did you mean 'fp16s'?`` behind the message that refuses a name; empty where no name is near."""
    nearest = near_miss(name, names)
    return f"; did you mean {nearest!r}?" if nearest else ""
