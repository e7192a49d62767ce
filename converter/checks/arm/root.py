"""The folder with an aarch64 Python, ncnn and the emulator that runs them: found, and checked before it is used."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from converter.errors import DependencyError
from converter.util.folders import cache_folder
from converter.util.paths import open_file, why_no_folder
from converter.util.process import program
from converter.util.unpacked import Kind, Record

RECORD = "arm-root.json"
SYSTEM, PACKAGES = "system", "python"
QEMU = "qemu-aarch64-static"
AARCH64 = 183  # e_machine of an ELF file


class ArmRecord(Record):
    """``arm-root.json``.

    Attributes:
        python: as "3.11".
        qemu: the emulator: a name in the folder, or an absolute path outside.
        wheels: name to version.
        hello: what the emulated Python said of itself when it was built.
    """

    kind: Literal["arm root"] = "arm root"
    schema_version: Literal[1] = 1
    python: str
    qemu: str
    wheels: dict[str, str]
    hello: dict[str, Any]


@dataclass(frozen=True)
class ArmRoot:
    """A folder that can run aarch64 code.

    Attributes:
        folder: it.
        system: where the emulated programs see ``/``, as far as there is something.
        python: the emulated interpreter.
        qemu: the emulator.
        record: what setting it up wrote; None for one that was built by hand.
        compiles: whether Python may leave compiled modules beside the others.
    """

    folder: Path
    system: Path
    python: Path
    qemu: Path
    record: ArmRecord | None
    compiles: bool = False

    def command(self, script: Path, *arguments: str) -> list[str]:
        """Runs a script of ours in the emulated Python."""
        return [str(self.qemu), "-L", str(self.system), str(self.python), "-s", str(script), *arguments]

    def environment(self, cpu: str) -> dict[str, str]:
        """Nothing of ours: a library that is preloaded here would be looked for there."""
        return {
            **({} if self.compiles else {"PYTHONDONTWRITEBYTECODE": "1"}),
            "QEMU_CPU": cpu,
            "PYTHONHOME": str(self.system / "usr"),
            "PYTHONPATH": str(self.folder / PACKAGES),
            "OMP_NUM_THREADS": "1",
            "LANG": "C.UTF-8",
        }

    def problems(self) -> Iterator[str]:
        """As of its record; nothing is known of a root built by hand."""
        yield from self.record.problems(self.folder) if self.record else ()


def default_folder() -> Path:
    """``LT_ARM_ROOT``, or a folder in the user's cache."""
    named = os.environ.get("LT_ARM_ROOT")
    return Path(named) if named else cache_folder() / "arm64"


ROOT = Kind(
    *("ARM root", "lt-setup arm", RECORD, ArmRecord, default_folder),
    own=frozenset({SYSTEM, PACKAGES, QEMU, RECORD}),
)


def arm_root(folder: Path) -> ArmRoot:
    """A root that can be used.

    Raises:
        DependencyError: when it is missing, half-built, damaged or for another machine, with what to do.
    """
    root = read_root(folder)
    if problem := next(root.problems(), None):
        raise ROOT.damaged(folder, problem)
    return root


def read_root(folder: Path) -> ArmRoot:
    """As :func:`arm_root`, without looking at checksums."""
    folder = Path(os.path.abspath(folder))
    try:
        record = ROOT.read(folder)
    except FileNotFoundError:
        return _by_hand(folder)
    system = folder / SYSTEM
    return _checked(ArmRoot(folder, system, system / f"usr/bin/python{record.python}", folder / record.qemu, record))


def _by_hand(folder: Path) -> ArmRoot:
    """A folder that somebody else made: the root of a system for aarch64, with numpy and ncnn where its Python finds
    them or under ``python``."""
    if reason := why_no_folder(folder):
        raise DependencyError(f"ARM root {folder}: {reason}; {ROOT.rebuild(folder, 'builds it')}")
    if (folder / SYSTEM).is_dir() or ((folder / PACKAGES).is_dir() and not (folder / "usr").is_dir()):
        raise DependencyError(f"ARM root {folder} is half-built: no {RECORD} in it; {ROOT.rebuild(folder)}")
    pythons = sorted((folder / "usr/bin").glob("python3.*[0-9]"), key=lambda path: int(path.name.split(".")[-1]))
    if not pythons:
        raise DependencyError(
            f"ARM root {folder}: no {RECORD} and no usr/bin/python3.N in it; expected what lt-setup arm builds, "
            "or the root of an aarch64 system"
        )
    beside = folder / QEMU
    qemu = beside if beside.is_file() else qemu_on_path()
    if qemu is None:
        raise DependencyError(f"ARM root {folder}: no {QEMU} in it or on the PATH")
    return _checked(ArmRoot(folder, folder, pythons[-1], qemu, None))


def qemu_on_path() -> Path | None:
    """The emulator that the system has."""
    found = program(QEMU) or program("qemu-aarch64")
    return Path(found) if found else None


def _checked(root: ArmRoot) -> ArmRoot:
    """The same, when its programs can be run."""
    if not os.access(root.qemu, os.X_OK):
        raise ROOT.damaged(root.folder, f"no program {root.qemu}")
    try:
        with open_file(root.python) as reader:
            start = reader.read(20)
    except OSError as error:
        raise ROOT.damaged(root.folder, f"{root.python}: {error.strerror}") from None
    if start[:4] != b"\x7fELF" or int.from_bytes(start[18:20], "little") != AARCH64:
        raise DependencyError(f"ARM root {root.folder}: {root.python.name} in it is no aarch64 program")
    return root
