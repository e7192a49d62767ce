"""Keys and values of a YAML file: texts, numbers, yes and no, lists and keys with values, whatever else YAML has."""

import math
from pathlib import Path
from typing import Any

import yaml

from converter.errors import UsageError
from converter.util.paths import read_bytes, reason

LARGEST_FILE = 1 << 16  # bytes; ours have a tenth of it
MOST_VALUES = 20_000  # each as often as it is referred to
DEEPEST = 20
LARGEST_INTEGER = 2**63 - 1

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]
_SCALARS = {"str", "int", "float", "bool", "null"}
_TAG = "tag:yaml.org,2002:"
_EXPECTED = "expected text, a number, yes or no, a list, or keys and values"
FASTER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times, and it ends the process where files nest too deep


def read_yaml(path: Path, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> dict[str, Any]:
    """The keys and values of a YAML file; what ``&`` and ``*`` share is there as often as it is named.

    Args:
        loader: FASTER for the project's own files only.

    Raises:
        UsageError: when it cannot be read, is larger than any config, says a key twice, or holds something else.
    """
    try:
        text = read_bytes(path, LARGEST_FILE).decode()
    except OSError as error:
        raise UsageError(f"config {path}: {reason(error)}; expected a YAML file") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"config {path}: not YAML: byte {error.start} is not UTF-8") from None
    try:
        data = parse_yaml(text, loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"config {path}: not YAML, line {line}: {error.problem}") from None
    except RecursionError:
        raise UsageError(f"config {path}: more than {DEEPEST} lists and keys in each other") from None
    except yaml.YAMLError as error:
        raise UsageError(f"config {path}: not YAML: {' '.join(str(error).split())}") from None
    except ValueError as error:
        raise UsageError(f"config {path}: {error}") from None
    if not isinstance(data, dict):
        raise UsageError(f"config {path}: holds {type(data).__name__}, expected keys and values")
    return data


def parse_yaml(text: str, of: type[yaml.SafeLoader] = yaml.SafeLoader) -> Value:
    """The value of a YAML text.

    Raises:
        yaml.YAMLError: where it is no YAML.
        RecursionError: for more lists in each other than YAML's reader takes.
        ValueError: naming the key and the line of what cannot be in a config.
    """
    loader = of(text)
    try:
        node = loader.get_single_node()
        return None if node is None else _Reading(loader).value(node, "", 0)
    finally:
        loader.dispose()


class _Reading:
    """From the nodes of a text to values; nothing is made that the text does not say at length."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self.loader, self.left = loader, MOST_VALUES

    def value(self, node: yaml.Node, place: str, depth: int) -> Value:
        """
        Args:
            place: the keys that lead to it.
        """
        self.left -= 1
        if self.left < 0:
            raise _wrong(node, place, f"more than {MOST_VALUES} values, aliases included")
        if depth > DEEPEST:
            raise _wrong(node, place, f"more than {DEEPEST} lists and keys in each other")
        kind = node.tag.removeprefix(_TAG)
        if isinstance(node, yaml.SequenceNode) and kind == "seq":
            return [self.value(item, f"{place}.{number}", depth + 1) for number, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode) and kind == "map":
            return self._mapping(node, place, depth)
        if isinstance(node, yaml.ScalarNode) and kind in _SCALARS:
            return self._scalar(node, place, kind)
        advice = "; quote it where it is text" if kind == "timestamp" and isinstance(node, yaml.ScalarNode) else ""
        raise _wrong(node, place, f"is a {kind[:40]}, {_EXPECTED}{advice}")

    def _mapping(self, node: yaml.MappingNode, place: str, depth: int) -> dict[str, Value]:
        own: dict[str, Value] = {}
        merged: dict[str, Value] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                merged = {**self._merged(value_node, f"{place}.<<", depth + 1), **merged}
                continue
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != f"{_TAG}str":
                raise _wrong(key_node, place, f"key {str(key_node.value)[:40]!r} is no text; quote it")
            key: str = key_node.value
            where = f"{place}.{key[:60]}"
            if key in own:
                raise _wrong(key_node, where, "is there twice")
            own[key] = self.value(value_node, where, depth + 1)
        return {**merged, **own}

    def _merged(self, node: yaml.Node, place: str, depth: int) -> dict[str, Value]:
        """Keys and values of others: those of a mapping, or of a list of them, of which the first has its way."""
        others = self.value(node, place, depth)
        items = others if isinstance(others, list) else [others]
        merged: dict[str, Value] = {}
        for other in items:
            if not isinstance(other, dict):
                raise _wrong(node, place, "expected keys and values of others")
            merged = {**other, **merged}
        return merged

    def _scalar(self, node: yaml.ScalarNode, place: str, kind: str) -> Value:
        try:
            value: str | int | float | bool | None = self.loader.construct_object(node)
        except Exception:  # of its many converters, for a text with a tag that does not fit it
            raise _wrong(node, place, f"{node.value[:40]!r} is no {kind}") from None
        if isinstance(value, float) and not math.isfinite(value):
            raise _wrong(node, place, f"is {node.value[:40]}, expected a finite number")
        if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
            raise _wrong(node, place, f"is {node.value[:40]}, expected an integer of 64 bits")
        return value


def _wrong(node: yaml.Node, place: str, problem: str) -> ValueError:
    key = f"{place.removeprefix('.')}: " if place else ""
    return ValueError(f"line {node.start_mark.line + 1}: {key}{problem}")
