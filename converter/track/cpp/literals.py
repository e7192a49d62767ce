"""Values as C++ writes them."""

from collections.abc import Iterable

import numpy as np

PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _./+-,:")


def text(value: str) -> str:
    """A string literal; every byte that is not plain is escaped, so that nothing in it can end the literal.

    Of a path that is no UTF-8 the bytes are those of the disk.
    """
    data = value.encode(errors="surrogateescape")
    return '"' + "".join(chr(byte) if byte in PLAIN else f"\\{byte:03o}" for byte in data) + '"'


def boolean(value: bool) -> str:
    return "true" if value else "false"


def double(value: float) -> str:
    return repr(float(value))


def single(value: float) -> str:
    """The float32 nearest to a number."""
    return f"{float(np.float32(value))!r}F"


def singles(values: Iterable[float]) -> str:
    return "{" + ", ".join(map(single, values)) + "}"
