"""JSON from anybody: a value, or what is wrong with it."""

import json

import pytest

from converter.util.json_text import DEEPEST, LARGEST_INTEGER, read_json


def test_what_json_has_is_read():
    value = {"a": [1, -2.5, True, None, "é"], "b": {"c": LARGEST_INTEGER, "d": -LARGEST_INTEGER}}
    assert read_json(json.dumps(value).encode()) == value
    assert read_json(b"\xef\xbb\xbf" + json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b'{"a": {"b": 1, "c": 2, "b": 3}}', "key 'b' is there twice"),
        (b"[NaN]", "NaN is no number in JSON"),
        (b"[-Infinity]", "-Infinity is no number in JSON"),
        (b"[1e400]", "number 1e400 is too large"),
        (str(LARGEST_INTEGER + 1).encode(), "expected 64 bits"),
        (b"9" * 10_000, "expected 64 bits"),
        (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), f"more than {DEEPEST} lists"),
        (b'{"a":' * 100_000, f"more than {DEEPEST} lists"),
        (b"\x00\x01", "Expecting value"),
        (b'"\xff"', "byte 1 is not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "byte 0 is not UTF-8"),
    ],
)
def test_what_json_has_not_is_named(text, problem):
    with pytest.raises(ValueError, match=r"^[^\n]*$") as caught:
        read_json(text)
    assert problem in str(caught.value)


def test_as_deep_as_allowed():
    assert read_json(b"[" * DEEPEST + b"]" * DEEPEST)
