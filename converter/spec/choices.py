"""Options that take one of a few words: the words, and the refusal of others."""

from typing import Final, Literal, TypeVar

from converter.errors import UsageError

Exportable = Literal["fp32", "half", "w8"]
Precision = Literal[Exportable, "int8"]
Place = Literal["inside", "outside"]
FULL: Final = "fp32"
BYTES: Final = "w8"  # a byte for each weight, arithmetic in float32
INT8: Final = "int8"  # arithmetic in int8
EXPORTED: Final[tuple[Exportable, ...]] = (FULL, "half", BYTES)
JUDGED_BY_BOXES: Final[tuple[Precision, ...]] = (BYTES, INT8)  # by a tracker's; outputs of others are near enough
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


def exported_precision(given: str | None) -> Exportable | None:
    """What ``--precision`` asks for; None where nothing was given.

    Raises:
        UsageError: for another word, and for int8, which takes clips.
    """
    if given == INT8:
        raise UsageError(
            f"--precision {INT8}: int8 arithmetic has to be fitted to clips, which lt-quantize makes; here expected "
            f"{' or '.join(EXPORTED)}"
        )
    return one_of("--precision", given, EXPORTED)
