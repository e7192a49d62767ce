"""Options that take one of a few words: the words, and the refusal of others."""

from typing import Final, Literal, TypeVar

from converter.errors import UsageError

Precision = Literal["fp32", "half", "w8"]
Place = Literal["inside", "outside"]
PRECISIONS: Final[tuple[Precision, ...]] = ("fp32", "half", "w8")
PLACES: Final[tuple[Place, ...]] = ("inside", "outside")

Word = TypeVar("Word", bound=str)


def one_of(option: str, given: str | None, words: tuple[Word, ...]) -> Word | None:
    """What was given as one of the words; None where nothing was.

    Raises:
        UsageError: for another word.
    """
    if given is None:
        return None
    for word in words:
        if word == given:
            return word
    raise UsageError(f"{option} {given}: expected {' or '.join(words)}")
