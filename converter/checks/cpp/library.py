"""The folder with ncnn's C++ library and headers: found, and checked before it is used."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from converter.errors import DependencyError
from converter.util.folders import cache_folder
from converter.util.paths import why_no_folder
from converter.util.unpacked import Kind, Record

RECORD = "cpp-ncnn.json"
CONFIG = Path("lib/cmake/ncnn")  # where CMake looks for it
PROCESSORS = Path("/proc/cpuinfo")


class LibraryRecord(Record):
    """``cpp-ncnn.json``.

    Attributes:
        ncnn: release, as "20261020".
        compiler: that built it.
        layers: that the library has.
        flags: instructions of the CPU that it was built for and needs, as Linux calls them; empty for any.
    """

    kind: Literal["ncnn for C++"] = "ncnn for C++"
    schema_version: Literal[1] = 1
    ncnn: str
    compiler: str
    layers: list[str]
    flags: list[str]


@dataclass(frozen=True)
class Library:
    """ncnn for C++, built by us."""

    folder: Path
    record: LibraryRecord

    @property
    def config(self) -> Path:
        """What ``ncnn_DIR`` may be."""
        return self.folder / CONFIG

    @property
    def summary(self) -> str:
        return f"ncnn {self.record.ncnn} for {platform.machine()}, {self.record.compiler}"


def default_folder() -> Path:
    """``LT_CPP_ROOT``, or a folder in the user's cache; CMakeLists.txt of a tracker looks in both."""
    named = os.environ.get("LT_CPP_ROOT")
    return Path(named) if named else cache_folder() / "cpp"


LIBRARY = Kind(
    name="ncnn for C++",
    command="lt-setup cpp",
    record=RECORD,
    type=LibraryRecord,
    default=default_folder,
    own=frozenset({"include", "lib", RECORD}),
)


def library(folder: Path) -> Library:
    """A library that can be used.

    Raises:
        DependencyError: when it is missing, half-built, damaged or for another CPU, with what to do.
    """
    folder = Path(os.path.abspath(folder))
    if reason := why_no_folder(folder):
        raise DependencyError(f"{LIBRARY.name} {folder}: {reason}; {LIBRARY.rebuild(folder, 'builds it')}")
    try:
        record = LIBRARY.read(folder)
    except FileNotFoundError:
        raise DependencyError(
            f"{LIBRARY.name} {folder} is half-built: no {RECORD} in it; {LIBRARY.rebuild(folder)}"
        ) from None
    if problem := next(record.problems(folder), None):
        raise LIBRARY.damaged(folder, problem)
    if lacking := sorted({*record.flags} - cpu_flags()):
        raise DependencyError(
            f"{LIBRARY.name} {folder} was built for a CPU with {lacking[0]}, which this one has not; "
            f"{LIBRARY.rebuild(folder)}"
        )
    return Library(folder, record)


def cpu_flags() -> set[str]:
    """What this CPU can, as Linux calls it; empty where nobody says."""
    try:
        lines = PROCESSORS.read_text().splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.startswith(("flags", "Features")) for flag in line.partition(":")[2].split()}
