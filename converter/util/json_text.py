"""JSON from files that somebody else may have written."""

import json
import sys
from typing import NoReturn

from pydantic import JsonValue

DEEPEST = 64  # lists and objects in each other; nothing of ours has more than ten
LARGEST_INTEGER = 2**63 - 1


def read_json(data: bytes) -> JsonValue:
    """The value in a JSON text: UTF-8, every key once, finite numbers, integers of 64 bits.

    Raises:
        ValueError: saying in a line what is wrong with it.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from None
    try:
        value: JsonValue = json.loads(
            text, object_pairs_hook=_object, parse_constant=_no_number, parse_float=_number, parse_int=_integer
        )
        _check_depth(value)
    except RecursionError:
        raise ValueError(f"more than {DEEPEST} lists and objects in each other") from None
    return value


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    items = dict(pairs)
    if len(items) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"key {twice[:60]!r} is there twice")
    return items


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number in JSON")


def _number(digits: str) -> float:
    number = float(digits)
    if abs(number) > sys.float_info.max:
        raise ValueError(f"number {digits[:20]} is too large")
    return number


def _integer(digits: str) -> int:
    if len(digits) > 20 or abs(int(digits)) > LARGEST_INTEGER:
        raise ValueError(f"integer {digits[:20]} is too large, expected 64 bits")
    return int(digits)


def _check_depth(value: JsonValue) -> None:
    """Without calls of itself, level by level."""
    level = [value]
    for _ in range(DEEPEST):
        lists = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [item for each in lists for item in each]
        if not level:
            return
    raise ValueError(f"more than {DEEPEST} lists and objects in each other")
