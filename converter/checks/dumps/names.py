"""Which file in a folder is the dump of which golden tensor."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from converter.checks.dumps.reading import EXTENSIONS
from converter.errors import UsageError
from converter.folder.golden_index import GoldenIndex
from converter.util.paths import why_no_folder

_ROLES = ("output", "input", "intermediate")
_HINTS = ("nchw", "nhwc")


@dataclass(frozen=True)
class NamedFile:
    """A file that is named after a golden tensor.

    Attributes:
        path: the file; ``file`` is its name from the folder on.
        case: the case it names, or None.
        targets: (graph, tensor) it may be, the likeliest first.
    """

    path: Path
    file: str
    case: str | None
    targets: tuple[tuple[str, str], ...]


def find_dumps(
    folder: Path, index: GoldenIndex, prefix: str, names: Mapping[str, str]
) -> tuple[list[NamedFile], list[str]]:
    """The dumps in a folder, and the files that are named after nothing.

    A file is ``[case][graph]tensor`` with folders, dots, dashes or underscores between, in any case of letters.

    Args:
        prefix: that the models' files begin with; a graph may be named like its files.
        names: other names of tensors (blobs) to their meaning.

    Raises:
        UsageError: when the folder cannot be read or holds no dump.
    """
    places_of = _places_by_name(index, prefix, names)
    dumps, others = [], []
    for path in _files(folder):
        file = path.relative_to(folder)
        words = _words(file.with_suffix("").as_posix())
        key = "_".join(words[:-1] if words and words[-1] in _HINTS else words)
        places = places_of.get(key, ()) if path.suffix.lower() in EXTENSIONS else ()
        if not places:
            others.append(file.as_posix())
            continue
        case = places[0][0]
        targets = tuple(dict.fromkeys((graph, name) for of, graph, name in places if of == case))
        dumps.append(NamedFile(path, file.as_posix(), case, targets))
    if not dumps:
        seen = f"{len(others)} other files, {others[0]!r} the first" if others else "no file"
        raise UsageError(f"--dumps {folder}: {seen}; expected {_example(index)}")
    return dumps, others


def _files(folder: Path) -> list[Path]:
    if reason := why_no_folder(folder):
        raise UsageError(f"--dumps {folder}: {reason.partition(',')[0]}, expected a folder")

    def refuse(error: OSError) -> None:
        raise UsageError(f"--dumps {error.filename}: {error.strerror}")

    paths = []
    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths += [Path(parent, name) for name in sorted(files) if not name.startswith(".")]
    return paths


def _places_by_name(
    index: GoldenIndex, prefix: str, names: Mapping[str, str]
) -> dict[str, list[tuple[str | None, str, str]]]:
    """Words joined by underscores -> (case or None, graph, tensor), outputs first."""
    places: dict[str, list[tuple[str | None, str, str]]] = {}
    outputs_first = sorted(index.tensors, key=lambda tensor: _ROLES.index(tensor.role))
    tensors = dict.fromkeys((tensor.graph, tensor.name, tensor.meaning) for tensor in outputs_first)
    cases: list[tuple[str | None, str]] = [(None, "")]
    cases += [(case.name, called) for case in index.cases for called in {case.name, case.title}]
    for (graph, name, meaning), (case, case_name) in product(tensors, cases):
        called = {name, meaning, *(blob for blob, means in names.items() if means in (meaning, name))}
        for graph_name, tensor_name in product(("", graph, f"{prefix}_{graph}"), called):
            key = "_".join(_words(f"{case_name} {graph_name} {tensor_name}"))
            places.setdefault(key, []).append((case, graph, name))
    return places


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def _example(index: GoldenIndex) -> str:
    outputs = [(graph.name, name) for graph in index.graphs for name in graph.outputs]
    if not outputs:
        return "files named after tensors, of which the index of the golden vectors lists none that a graph gives"
    graph, name = outputs[-1]
    listed = ", ".join(dict.fromkeys(f"{name}.bin" for _, name in outputs))
    case = index.cases[0].name
    return (
        f"{listed} (or .npy, .txt), in the folder itself or as {case}/{graph}/{name}.bin or {case}_{graph}_{name}.bin"
    )
