"""The list of mutants: read, and found in the tree by their text and their tests' names, so that files may move."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("mutants.yaml")
PLACES = ("converter/**/*.py", "official_patches/**/*.py", "benchmarks/**/*.py", "configs/**/*.yaml")


@dataclass(frozen=True)
class Mutant:
    """One way to break the code.

    Attributes:
        name: short, unique.
        breaks: what is wrong with it in place.
        old: text that is in exactly one file, once.
        new: what stands there instead.
        tests: ``test_file.py`` or ``test_file.py::test_name``, wherever the file is.
        reason: why no test notices; empty where one has to.
    """

    name: str
    breaks: str
    old: str
    new: str
    tests: tuple[str, ...]
    reason: str = ""


def read_list() -> list[Mutant]:
    return [Mutant(**{**entry, "tests": tuple(entry["tests"])}) for entry in yaml.safe_load(LIST.read_text())]


def sources() -> dict[str, str]:
    """Path from the root to text of every file that may be mutated."""
    found = [path for pattern in PLACES for path in sorted(ROOT.glob(pattern))]
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in found}


def place_of(mutant: Mutant, texts: dict[str, str]) -> tuple[str, int]:
    """The file and the line where a mutant's text is.

    Raises:
        ValueError: when it is not there exactly once, or the file cannot be read with the mutant in it.
    """
    found = {path: count for path, text in texts.items() if (count := text.count(mutant.old))}
    if sum(found.values()) != 1:
        raise ValueError(f"{mutant.name}: its text is there {sum(found.values())} times, expected once: {mutant.old!r}")
    (path,) = found
    changed = texts[path].replace(mutant.old, mutant.new)
    try:
        if path.endswith(".py"):
            ast.parse(changed)
        else:
            yaml.safe_load(changed)
    except (SyntaxError, yaml.YAMLError) as error:
        raise ValueError(f"{mutant.name}: {path} cannot be read with it: {error}") from None
    return path, texts[path][: texts[path].index(mutant.old)].count("\n") + 1


def node_id(test: str) -> str:
    """A test's name with its folder, from the root.

    Raises:
        ValueError: when there is not exactly one file of that name, or no such test in it.
    """
    file, separator, name = test.partition("::")
    paths = sorted((ROOT / "tests").rglob(file))
    if len(paths) != 1:
        raise ValueError(f"{test}: {len(paths)} files are called {file}, expected one")
    function = name.partition("[")[0]
    if function and not re.search(rf"^def {re.escape(function)}\(", paths[0].read_text(), re.MULTILINE):
        raise ValueError(f"{test}: no such test in {file}")
    return f"{paths[0].relative_to(ROOT).as_posix()}{separator}{name}"
