"""Which file in a folder is the dump of which golden tensor."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from converter.checks.dumps.reading import EXTENSIONS
from converter.errors import UsageError
from converter.folder.golden_index import GoldenIndex

_ROLES = ("output", "input", "intermediate")
_HINTS = ("nchw", "nhwc")


@dataclass(frozen=True)
class Found:
    """A file that is named after a golden tensor.

    Attributes:
        path: the file; ``file`` is its name from the folder on.
        case: the case it names, or None.
        targets: (graph, tensor) it may be, the likeliest first.
        hint: "nchw", "nhwc" or None, from its name.
    """

    path: Path
    file: str
    case: str | None
    targets: tuple[tuple[str, str], ...]
    hint: str | None


def find_dumps(folder: Path, index: GoldenIndex, names: Mapping[str, str]) -> tuple[list[Found], list[str]]:
    """The dumps in a folder, and the files that are named after nothing.

    A file is ``[case][graph]tensor`` with folders, dots, dashes or underscores between, in any case of letters.

    Args:
        names: other names of tensors (blobs) to their meaning.

    Raises:
        UsageError: when the folder cannot be read or holds no dump.
    """
    known = _known_names(index, names)
    found, others = [], []
    for path in _files(folder):
        file = path.relative_to(folder).as_posix()
        words = _words(file[: -len(path.suffix)] if path.suffix else file)
        hint = words[-1] if words and words[-1] in _HINTS else None
        key = "_".join(words[:-1] if hint else words)
        places = known.get(key, ()) if path.suffix.lower() in EXTENSIONS else ()
        if not places:
            others.append(file)
            continue
        case = places[0][0]
        targets = tuple(dict.fromkeys((graph, name) for of, graph, name in places if of == case))
        found.append(Found(path, file, case, targets, hint))
    if not found:
        seen = f"{len(others)} other files, {others[0]!r} the first" if others else "no file"
        raise UsageError(f"--dumps {folder}: {seen}; expected {_example(index)}")
    return found, others


def _files(folder) -> list[Path]:
    if not folder.is_dir():
        raise UsageError(f"--dumps {folder}: {'is a file' if folder.exists() else 'no such folder'}, expected a folder")

    def refuse(error):
        raise UsageError(f"--dumps {error.filename}: {error.strerror}")

    paths = []
    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths += [Path(parent, name) for name in sorted(files) if not name.startswith(".")]
    return paths


def _known_names(index, names):
    """Words joined by underscores -> (case or None, graph, tensor), outputs first."""
    known: dict[str, list[tuple[str | None, str, str]]] = {}
    tensors = dict.fromkeys(
        (tensor.graph, tensor.name, tensor.meaning)
        for role in _ROLES
        for tensor in index.tensors
        if tensor.role == role
    )
    cases: list[tuple[str | None, str]] = [(None, "")]
    cases += [(case.name, called) for case in index.cases for called in {case.name, case.title}]
    for graph, name, meaning in tensors:
        called = {name, meaning, *(blob for blob, means in names.items() if means in (meaning, name))}
        for case, case_name in cases:
            for graph_name in ("", graph, f"lighttrack_{graph}", f"stark_{graph}"):
                for tensor_name in called:
                    key = "_".join(_words(f"{case_name} {graph_name} {tensor_name}"))
                    known.setdefault(key, []).append((case, graph, name))
    return known


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def _example(index: GoldenIndex) -> str:
    outputs = [(graph.name, name) for graph in index.graphs for name in graph.outputs]
    graph, name = outputs[-1]
    listed = ", ".join(_unique(f"{name}.bin" for _, name in outputs))
    return (
        f"{listed} (or .npy, .txt), in the folder itself or as {index.cases[0].name}/{graph}/{name}.bin "
        f"or {index.cases[0].name}_{graph}_{name}.bin"
    )


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
