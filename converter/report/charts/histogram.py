"""How errors are spread."""

import math
from collections.abc import Iterable, Sequence

from converter.report.charts.parts import level, name_of, small
from converter.report.svg import Frame, Scale, decade, drawing, element
from converter.report.text import error, percent

WIDTH, HEIGHT = 300, 190


def histogram(key: str, title: str, counts: Sequence[int], first_decade: int, allowed: float | None) -> str:
    """How many values are off by how much: one bar per decade of |difference| / range.

    Args:
        key: unique on the page.
        counts: the first bar also holds all that is smaller, the last all that is larger.
        first_decade: exponent at the left of the first bar.
        allowed: the tolerance as a share of the range.
    """
    frame = Frame(12, 54, WIDTH - 12, HEIGHT - 34)
    last = first_decade + len(counts)
    place = Scale(first_decade, last, frame.left, frame.right)
    edge = math.log10(allowed) if allowed else None
    parts = [name_of(title, WIDTH), *_bars(frame, place, counts, first_decade, edge)]
    parts.append(level(frame, frame.bottom, "axis"))
    for power in range(first_decade, last + 1, 2):
        text = "0" if power == first_decade else decade(power)
        parts.append(small(text, place(power), frame.bottom + 14, "middle"))
    parts.append(small("|Δ| / range; bars: % of values", frame.middle, HEIGHT - 5, "middle"))
    if edge is not None:
        x = place(edge)
        parts.append(element("line", x1=x, x2=x, y1=frame.top - 30, y2=frame.bottom, class_="limit"))
        anchor, shift = ("end", -4) if x > WIDTH * 0.55 else ("start", 4)
        parts.append(small(f"allowed {error(allowed)}", x + shift, frame.top - 20, anchor))
    return drawing(key, title, _about(counts, first_decade, allowed), WIDTH, HEIGHT, parts)


def _bars(frame: Frame, place: Scale, counts: Sequence[int], first_decade: int, edge: float | None) -> Iterable[str]:
    """One for every decade that has values, however few; its share over it."""
    step = frame.width / max(1, len(counts))
    for index, number in enumerate(counts):
        if not number:
            continue
        beyond = edge is not None and first_decade + index + 1e-9 >= edge
        tall = max(2.0, number / max(counts) * frame.height)
        left, kind = place(first_decade + index), "bar beyond" if beyond else "bar"
        yield element("rect", x=left + 1, y=frame.bottom - tall, width=step - 2, height=tall, class_=kind)
        share = 100 * number / sum(counts)
        text = f"{share:.0f}" if share >= 0.95 else "<1"
        yield small(text, left + step / 2, frame.bottom - tall - 3, "middle")


def _about(counts: Sequence[int], first_decade: int, allowed: float | None) -> str:
    parts = []
    for index, number in enumerate(counts):
        if number:
            low, high = first_decade + index, first_decade + index + 1
            where = f"below 1e{high}" if index == 0 else f"1e{low} to 1e{high}"
            where = f"above 1e{low}" if index == len(counts) - 1 else where
            parts.append(f"{where}: {percent(number / sum(counts))}")
    limit = f" {error(allowed)} is allowed." if allowed else ""
    return f"Share of values by error relative to the range. {'; '.join(parts)}.{limit}"
