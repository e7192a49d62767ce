"""Drawing with words and lines: SVG elements as text, and the scales that place things."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

# Width of an average character in font sizes; generous, since the reader's fonts are not known.
CHARACTER, BOLD = 0.6, 0.68


def element(tag: str, content: str = "", /, **attributes: object) -> str:
    """One element; ``content`` is SVG already, attributes are escaped, ``None`` leaves one out.

    An underscore at the end of a name is dropped, others become hyphens: ``class_``, ``text_anchor``.
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    return f"<{tag}{written}>{content}</{tag}>" if content else f"<{tag}{written}/>"


def label(text: str, x: float, y: float, **attributes: object) -> str:
    """Words at a place."""
    return element("text", escape(text), x=x, y=y, **attributes)


def polyline(points: Sequence[tuple[float, float]], **attributes: object) -> str:
    return element("polyline", points=" ".join(f"{_text(x)},{_text(y)}" for x, y in points), **attributes)


def drawing(key: str, title: str, about: str, width: float, height: float, parts: Iterable[str]) -> str:
    """A whole picture with a name and a description for those who cannot see it.

    Args:
        key: unique on the page.
    """
    content = [
        element("title", escape(title), id=f"{key}-t"),
        element("desc", escape(about), id=f"{key}-d"),
        *parts,
    ]
    names = {"aria-labelledby": f"{key}-t {key}-d", "viewBox": f"0 0 {_text(width)} {_text(height)}"}
    return element("svg", "".join(content), role="img", width=width, height=height, **names)


def shortened(text: str, width: float, font: float, character: float = CHARACTER) -> str:
    """As much of a text as fits, its end marked when it does not."""
    most = max(3, int(width / (font * character)))
    return text if len(text) <= most else f"{text[: most - 1]}…"


@dataclass(frozen=True)
class Frame:
    """The rectangle inside the axes, in the drawing's units."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2

    @property
    def height(self) -> float:
        return self.bottom - self.top


@dataclass(frozen=True)
class Scale:
    """Values from ``low`` to ``high`` on the way from ``start`` to ``end``; what lies outside is put on the edge."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)


def decade(power: int) -> str:
    """A power of ten as people write it."""
    return f"10{str(power).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def round_steps(low: float, high: float, most: int) -> list[float]:
    """Round values from ``low`` to ``high``, at most so many."""
    if high <= low:
        return [low]
    raw = (high - low) / max(1, most)
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 10) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return str(value)
