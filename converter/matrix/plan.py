"""The plan of a matrix: lists of what to combine, from a YAML file or from the command line, checked at once."""

import contextlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

from converter.errors import ConverterError, UsageError, did_you_mean
from converter.formats.format import checked_formats
from converter.matrix.cells import Cell
from converter.spec.choices import exported_precision
from converter.spec.options import check_checkpoint
from converter.spec.presets import load_preset
from converter.spec.tensors import LARGEST_SIZE, SMALLEST_SIZE
from converter.spec.yaml_file import read_yaml
from converter.util.paths import read_bytes, reason

log = logging.getLogger(__name__)

LISTS = ("checkpoints", "path_names", "formats", "sizes", "presets", "precisions")
KEYS = (*LISTS, "paths", "bench")
MOST_CELLS = 20_000
LARGEST_PATHS = 4 << 20  # bytes
SHOWN, SHOWN_OF_FILE = 50, 10  # mistakes; of more, only how many there are
METRIC = "_metric"  # behind the name of a file of paths: where the official search writes their AO
T = TypeVar("T")


@dataclass(frozen=True)
class Mistakes:
    """Everything that is wrong with a plan, for the ``result`` of an error."""

    lines: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return {"mistakes": list(self.lines)}


@dataclass(frozen=True)
class Plan:
    """What to combine.

    Attributes:
        name: for messages.
        cells: every combination, each once.
        overlaps: path name to the average overlap (AO) that the official search measured.
        bench: whether to measure the models.
        mistakes: what is wrong with it, as far as can be told without its checkpoints.
    """

    name: str
    cells: tuple[Cell, ...]
    overlaps: Mapping[str, float] = field(default_factory=dict)
    bench: bool = False
    mistakes: tuple[str, ...] = ()


class _Reading:
    """Values of a plan, and what is wrong with them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.mistakes = folder, list[str]()

    def each(self, key: str, given: Iterable[object], read: Callable[[str], T]) -> list[T]:
        """The values that can be read, each once; the others are mistakes."""
        values = []
        for item in given:
            try:
                values.append(read(str(item)))
            except ConverterError as error:
                self.mistakes.append(f"{key}: {error}")
        return list(dict.fromkeys(values))

    def texts(self, key: str, value: object) -> list[object]:
        items = value if isinstance(value, list) else [value]
        wrong = [item for item in items if not isinstance(item, str) or not item]
        if wrong or not items:
            found = repr(wrong[0])[:60] if wrong else "an empty list"
            self.mistakes.append(f"{key}: expected text, or a list of texts, found {found}")
        return [item for item in items if item not in wrong]

    def checkpoint(self, text: str) -> Path:
        path = self._place(text)
        check_checkpoint(path)
        return path

    def _place(self, text: str) -> Path:
        with contextlib.suppress(RuntimeError):  # ~ of nobody: a file may be called so
            return self.folder / Path(text).expanduser()
        return self.folder / text

    def paths(self, text: str) -> tuple[list[str], dict[str, float]]:
        """Path names of a file, one a line, and their AO where the search left it beside the file."""
        path = self._place(text)
        try:
            lines = read_bytes(path, LARGEST_PATHS).decode().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            why = reason(error) if isinstance(error, OSError) else "no text"
            self.mistakes.append(f"paths {path}: {why}; expected a path name a line")
            return [], {}
        names = [line.split()[0] for line in lines if line.strip() and not line.lstrip().startswith("#")]
        if not names:
            self.mistakes.append(f"paths {path}: no path name in it; expected one a line")
        return list(dict.fromkeys(names)), self._overlaps(path.with_name(f"{path.stem}{METRIC}{path.suffix}"))

    def _overlaps(self, path: Path) -> dict[str, float]:
        if not os.path.lexists(path):
            return {}
        found: dict[str, float] = {}
        wrong: list[str] = []
        try:
            for number, line in enumerate(read_bytes(path, LARGEST_PATHS).decode().splitlines(), 1):
                parts = line.split()
                if parts and not (len(parts) == 2 and re.fullmatch(r"0?\.[0-9]+|[01](\.[0-9]*)?", parts[1])):
                    wrong.append(f"{path}, line {number}: {line[:80]!r}, expected a path name and its AO, 0 to 1")
                elif parts:
                    found[parts[0]] = float(parts[1])
        except (OSError, UnicodeDecodeError) as error:
            self.mistakes.append(f"{path}: {reason(error) if isinstance(error, OSError) else 'no text'}")
        self.mistakes += wrong[:SHOWN_OF_FILE]
        if len(wrong) > SHOWN_OF_FILE:
            self.mistakes.append(f"{path}: {len(wrong) - SHOWN_OF_FILE} more lines like these")
        return found


def _format(text: str) -> str:
    return checked_formats(text)[0]


def _preset(text: str) -> str:
    load_preset(text)
    return text


def _precision(text: str) -> str:
    return str(exported_precision(text))


def _sizes(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
    sizes = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(SMALLEST_SIZE <= size <= LARGEST_SIZE for size in sizes):
        raise UsageError(f"{text[:40]!r}, expected template/search in pixels, such as 127/288")
    return sizes


def read_plan(path: Path) -> Plan:
    """A plan from a YAML file; its relative paths begin in its folder.

    Raises:
        UsageError: when it is no YAML of keys and values.
    """
    data = read_yaml(path)
    known = {key: value for key, value in data.items() if key in KEYS}
    mistakes = [f"unknown key {key!r}{did_you_mean(key, KEYS)}" for key in data if key not in KEYS]
    return plan_of(str(path), known, path.parent, mistakes)


def plan_of(name: str, given: Mapping[str, Any], folder: Path = Path(), mistakes: Sequence[str] = ()) -> Plan:
    """A plan from its keys; what is wrong with it is in it.

    Args:
        given: of KEYS; a list of texts for each of LISTS.
        mistakes: that were found before.
    """
    reading = _Reading(folder)
    reading.mistakes += mistakes
    lists = {key: reading.texts(key, given[key]) for key in LISTS if given.get(key) is not None}
    checkpoints = reading.each("checkpoints", lists.get("checkpoints", ()), reading.checkpoint)
    if "checkpoints" not in lists:
        reading.mistakes.append("checkpoints: is missing, expected one or more files")
    names = [str(item) for item in lists.get("path_names", ())]
    overlaps: dict[str, float] = {}
    for item in reading.texts("paths", given["paths"]) if given.get("paths") is not None else ():
        more, of_file = reading.paths(str(item))
        names += more
        overlaps |= of_file
    bench = given.get("bench", False)
    if not isinstance(bench, bool):
        reading.mistakes.append(f"bench: expected yes or no, found {str(bench)[:60]!r}")
    axes: list[Sequence[Any]] = [
        checkpoints,
        list(dict.fromkeys(names)) or [None],
        reading.each("formats", lists.get("formats", ()), _format) or [None],
        reading.each("sizes", lists.get("sizes", ()), _sizes) or [None],
        reading.each("presets", lists.get("presets", ()), _preset) or [None],
        reading.each("precisions", lists.get("precisions", ()), _precision) or [None],
    ]
    number = 1
    for axis in axes:
        number *= len(axis)
    if number > MOST_CELLS:
        reading.mistakes.append(f"{number:,} cells, expected at most {MOST_CELLS:,}")
        return Plan(name, (), mistakes=tuple(reading.mistakes))
    cells = tuple(Cell(*values) for values in product(*axes))
    return Plan(name, cells, overlaps, bench is True, tuple(dict.fromkeys(reading.mistakes)))


def refused(plan: Plan, more: Iterable[str] = ()) -> None:
    """Raises:
    UsageError: where something is wrong with a plan; what is wrong is in its result and, where it is more than one
        line, in the log.
    """
    mistakes = tuple(dict.fromkeys((*plan.mistakes, *more)))
    if not mistakes:
        return
    for mistake in mistakes[:SHOWN] if len(mistakes) > 1 else ():
        log.error("%s", mistake)
    where = "each in a line above" if len(mistakes) <= SHOWN else f"the first {SHOWN} in the lines above"
    first = mistakes[0] if len(mistakes) == 1 else f"{len(mistakes)} mistakes, {where}"
    error = UsageError(f"{plan.name}: {first}; nothing was begun")
    error.result = Mistakes(mistakes)
    raise error
