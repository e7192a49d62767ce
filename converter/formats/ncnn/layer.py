"""One line of ncnn's ``.param`` text, and what ncnn's parser takes for a name, a key and a value in it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from converter.errors import ConversionError

ARRAY_KEYS = -23300
LARGEST_KEY = 31
LONGEST_NAME = 255
LARGEST_INTEGER = 2**31 - 1
MASK = 31  # the key of the features that are switched off for one layer
NO_HALF_ARITHMETIC, NO_HALF_STORAGE = 1, 2

_WORD = re.compile(r'(?:"[^"\n]*"|[^ \t\r\f\v\n])+')
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Layer:
    """One line of a ``.param`` file.

    Attributes:
        params: its ``key=value`` words, verbatim.
        source: the text it was read from, with the line's end; written again while it still says the same.
    """

    type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: tuple[str, ...]
    source: str = field(default="", compare=False, repr=False)

    def param(self, key: int, default: int = 0) -> int:
        """An integer parameter.

        Raises:
            ConversionError: when it is written as something else.
        """
        value = self.value(key)
        if value is None:
            return default
        if not is_integer(value) or abs(int(value)) > LARGEST_INTEGER:
            raise self._wrong(key, value, "an integer of 32 bits")
        return int(value)

    def number(self, key: int, default: float = 0.0) -> float:
        """A parameter that ncnn reads as a float.

        Raises:
            ConversionError: when it is written as something else; an integer is something else to ncnn, too.
        """
        value = self.value(key)
        if value is None:
            return default
        if not _NUMBER.fullmatch(value) or (_INTEGER.fullmatch(value) and value.strip("+-0")):
            raise self._wrong(key, value, "a number with a point or an exponent")
        return float(value)

    def numbers(self, key: int) -> tuple[float, ...]:
        """An array parameter in either spelling, () when there is none.

        Raises:
            ConversionError: when an element is no number or the count is another.
        """
        counted = self.value(ARRAY_KEYS - key)
        value = self.value(key) if counted is None else counted
        if value is None:
            return ()
        elements = _elements(value)
        if counted is not None:
            count, *elements = elements
            if count != str(len(elements)):
                raise self._wrong(key, value, f"{count} elements")
        if not _are_numbers(elements):
            raise self._wrong(key, value, "numbers")
        return tuple(float(element) for element in elements)

    def with_param(self, key: int, value: object) -> "Layer":
        """The same layer with a parameter changed in its place, or added at the end."""
        word = f"{key}={value}"
        if self.value(key) is None:
            return replace(self, params=(*self.params, word))
        return replace(self, params=tuple(word if param.startswith(f"{key}=") else param for param in self.params))

    def value(self, key: int) -> str | None:
        """A parameter as it is written; None where it is not."""
        return next((word.partition("=")[2] for word in self.params if word.startswith(f"{key}=")), None)

    def text(self, end: str = "\n") -> str:
        """The line: as it was read if nothing changed, otherwise in pnnx's columns."""
        if self.source:
            try:
                if read_layer(self.source) == self:
                    return self.source
            except ValueError:
                pass
        counts = f"{self.type:<24} {self.name:<24} {len(self.inputs)} {len(self.outputs)}"
        return " ".join((counts, *self.inputs, *self.outputs, *self.params)) + end

    def _wrong(self, key: int, value: str, expected: str) -> ConversionError:
        return ConversionError(f"layer {self.name}: parameter {key} is {value[:40]!r}, expected {expected}")


def read_layer(line: str) -> Layer:
    """Raises:
    ValueError: when its words are not those of a layer.
    """
    words = _WORD.findall(line)
    if len(words) < 4:
        raise ValueError(f"{len(words)} words, expected type, name and two counts of blobs")
    kind, name, *counts = words[:4]
    words = words[4:]
    if not all(is_integer(count, 19) and 0 <= int(count) <= len(words) for count in counts):
        raise ValueError(f"layer {name} counts {' and '.join(counts)} blobs, {len(words)} words follow")
    inputs, outputs = map(int, counts)
    if len(words) < inputs + outputs:
        raise ValueError(f"layer {name} names {len(words)} blobs, expected {inputs + outputs}")
    return Layer(
        type=kind,
        name=name,
        inputs=tuple(words[:inputs]),
        outputs=tuple(words[inputs : inputs + outputs]),
        params=tuple(words[inputs + outputs :]),
    )


def check_words(layer: Layer) -> None:
    """Names, keys and values as ncnn's parser takes them; it reads the values only when the layer asks for them.

    Raises:
        ValueError: for a name that it would cut off or read as several words, for a word that is no parameter, and for
            a key that is there twice.
    """
    for word in (layer.type, layer.name, *layer.inputs, *layer.outputs):
        if len(word.encode()) > LONGEST_NAME or not {"\0", " ", "\t"}.isdisjoint(word):
            raise ValueError(f"{word[:40]!a} is no name, expected at most {LONGEST_NAME} bytes without NUL and blanks")
    seen: set[int] = set()
    for word in layer.params:
        if "\0" in word:
            raise ValueError(f"layer {layer.name}: {word[:40]!a} holds a NUL byte")
        key, equals, value = word.partition("=")
        number = int(key) if equals and is_integer(key, 7) else LARGEST_KEY + 1
        if number < 0:
            number = ARRAY_KEYS - number
        if not 0 <= number <= LARGEST_KEY:
            raise ValueError(f"layer {layer.name}: {word[:40]!r} is no parameter, expected key=value, keys 0 to 31")
        quoted = len(value) > 1 and value[0] == value[-1] == '"'
        if not (_are_numbers(_elements(value)) or quoted or value[:1].isalpha()):
            raise ValueError(f"layer {layer.name}: parameter {key} is {value[:40]!r}, expected numbers or a text")
        if number in seen:
            raise ValueError(f"layer {layer.name}: parameter {key} is there twice")
        seen.add(number)


def computes_in_float(layer: Layer) -> bool:
    """Whether a mask keeps the layer from half arithmetic."""
    return bool(layer.param(MASK) & (NO_HALF_ARITHMETIC | NO_HALF_STORAGE))


def is_integer(text: str, digits: int = 11) -> bool:
    """Whether a word is an integer, of at most so many characters."""
    return _INTEGER.fullmatch(text) is not None and len(text) <= digits


def _are_numbers(texts: Iterable[str]) -> bool:
    return all(_NUMBER.fullmatch(text) for text in texts)


def _elements(value: str) -> list[str]:
    """Of an array, which may end in a comma."""
    return value.removesuffix(",").split(",")
