"""The words of a ``.param`` file: what ncnn's parser takes for a name, a key and a value."""

import re
from collections.abc import Iterable

ARRAY_KEYS = -23300
LARGEST_KEY = 31
LONGEST_NAME = 255
LARGEST_INTEGER = 2**31 - 1

_WORD = re.compile(r'(?:"[^"\n]*"|[^ \t\r\f\v\n])+')
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def words_of(line: str) -> list[str]:
    """Split at blanks, but not at those in quotes."""
    return _WORD.findall(line)


def is_integer(text: str, digits: int = 11) -> bool:
    """Whether a word is an integer, of at most so many characters."""
    return _INTEGER.fullmatch(text) is not None and len(text) <= digits


def is_float(text: str) -> bool:
    """Whether ncnn reads a word as a float; an integer other than 0 is something else to it."""
    return are_numbers([text]) and not (_INTEGER.fullmatch(text) and text.strip("+-0"))


def are_numbers(texts: Iterable[str]) -> bool:
    return all(_NUMBER.fullmatch(text) for text in texts)


def elements_of(value: str) -> list[str]:
    """Of an array, which may end in a comma."""
    return value.removesuffix(",").split(",")


def check_names(names: Iterable[str]) -> None:
    """Raises:
    ValueError: for one that ncnn's parser would cut off or read as several words.
    """
    for name in names:
        if len(name.encode()) > LONGEST_NAME or not {"\0", " ", "\t"}.isdisjoint(name):
            raise ValueError(f"{name[:40]!a} is no name, expected at most {LONGEST_NAME} bytes without NUL and blanks")


def check_params(layer: str, params: Iterable[str]) -> None:
    """Keys and values as ncnn's parser takes them; it reads the values only when the layer asks for them.

    Raises:
        ValueError: for a word that is no parameter, and for a key that is there twice.
    """
    seen: set[int] = set()
    for word in params:
        if "\0" in word:
            raise ValueError(f"layer {layer}: {word[:40]!a} holds a NUL byte")
        key, equals, value = word.partition("=")
        number = int(key) if equals and is_integer(key, 7) else LARGEST_KEY + 1
        if number < 0:
            number = ARRAY_KEYS - number
        if not 0 <= number <= LARGEST_KEY:
            raise ValueError(f"layer {layer}: {word[:40]!r} is no parameter, expected key=value, keys 0 to 31")
        quoted = len(value) > 1 and value[0] == value[-1] == '"'
        if not (are_numbers(elements_of(value)) or quoted or value[:1].isalpha()):
            raise ValueError(f"layer {layer}: parameter {key} is {value[:40]!r}, expected numbers or a text")
        if number in seen:
            raise ValueError(f"layer {layer}: parameter {key} is there twice")
        seen.add(number)
