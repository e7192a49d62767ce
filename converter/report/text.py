"""Figures and names as a reader wants them; what there is no figure for is a dash."""

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeGuard

NOTHING = "–"
# What moves a cursor, changes colours, or turns the direction of writing: C0 but line ends and tabs, DEL, C1, and
# Unicode's marks of direction and ends of lines.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """Text of a file or of a user for a terminal or a page: a control character is there as its Python escape."""
    return _CONTROLS.sub(lambda control: ascii(control[0])[1:-1], text)


def now() -> str:
    """The time, for what is written now."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a figure: no bool, no NaN, no infinity."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def plain(value: object) -> str:
    """Text as it is, a number without digits that say nothing."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def error(value: float | None) -> str:
    """Two digits and an exponent."""
    return f"{value:.1e}" if is_number(value) else NOTHING


def upper(value: float | None) -> str:
    """Two digits, never less than the value."""
    return rounded_up(value) if is_number(value) and value >= 0 else NOTHING


def rounded_up(value: float) -> str:
    """Two digits, never less than the value: a tolerance that is typed in again has to pass."""
    if not value:
        return "0"
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    digits = math.floor(value / unit)
    while float(text := f"{digits * unit:.1e}") < value:
        digits += 1
    return text


def cosine(value: float | None) -> str:
    """Rounded down: what is not quite 1 does not look like it."""
    return f"{math.floor(value * 1e7) / 1e7:.7f}" if is_number(value) else NOTHING


def overlap(value: float | None) -> str:
    """Rounded down, like a cosine."""
    return f"{math.floor(value * 1e5) / 1e5:.5f}" if is_number(value) else NOTHING


def percent(value: float | None) -> str:
    """A share with two digits that count; a factor where it is ten and more."""
    if not is_number(value):
        return NOTHING
    if value and abs(value) < 1e-6:
        return "<0.0001 %"
    if value and abs(value) < 1e-4:
        return f"{100 * value:.1g} %"
    if abs(value) >= 10:
        return times(value)
    return f"{100 * value:.2g} %" if abs(value) < 0.995 else f"{100 * value:,.0f} %"


def times(value: float | None) -> str:
    """A factor."""
    if not is_number(value):
        return NOTHING
    return f"{value:,.0f}×" if value >= 10 else f"{value:.2g}×"


def milliseconds(value: float | None) -> str:
    return f"{value:.1f} ms" if is_number(value) else NOTHING


def per_second(value: float | None) -> str:
    return f"{value:.1f}" if is_number(value) else NOTHING


def interval(low: float | None, high: float | None) -> str:
    """A range of values."""
    return f"{plain(low)} … {plain(high)}" if is_number(low) and is_number(high) else NOTHING


def shape(sides: Iterable[int]) -> str:
    return "×".join(map(str, sides))


def box(values: Iterable[float]) -> str:
    """x, y, width, height in pixels."""
    return ", ".join(f"{value:.1f}" if is_number(value) else NOTHING for value in values)


def listed(values: Iterable[object], last: str = "and") -> str:
    """One, two and three."""
    texts = [plain(value) for value in values]
    return f" {last} ".join(filter(None, [", ".join(texts[:-1]), *texts[-1:]]))


def count(number: int, noun: str, plural: str = "") -> str:
    """1 layer, 2 layers."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
