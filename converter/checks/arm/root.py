"""The folder with an aarch64 Python, ncnn and the emulator that runs them: found, and checked before it is used."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from converter.errors import DependencyError
from converter.util.atomic import sha256
from converter.util.folders import cache_folder
from converter.util.paths import open_file, read_bytes, why_no_folder

RECORD = "arm-root.json"
SYSTEM, PACKAGES = "system", "python"
QEMU = "qemu-aarch64-static"
AARCH64 = 183  # e_machine of an ELF file


class Record(BaseModel):
    """``arm-root.json``, written last, so that a folder without it is not finished.

    Attributes:
        python: as "3.11".
        qemu: the emulator: a name in the folder, or an absolute path outside.
        packages: the files of the distribution's packages.
        wheels: name to version.
        hello: what the emulated Python said of itself when it was built.
        files: path in the folder, size, sha256.
        links: path in the folder, what the link says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["arm root"] = "arm root"
    schema_version: Literal[1] = 1
    python: str
    qemu: str
    packages: list[str]
    wheels: dict[str, str]
    hello: dict[str, Any]
    files: Annotated[list[tuple[str, int, str]], Field(min_length=1)]
    links: list[tuple[str, str]]


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
    record: Record | None
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
        """Files that are missing or are not as they were unpacked; nothing is known of a root built by hand."""
        for name, size, checksum in self.record.files if self.record else ():
            path = self.folder / name
            try:
                if path.stat().st_size != size or sha256(path) != checksum:
                    yield f"{name} has changed"
            except OSError as error:
                yield f"{name}: {error.strerror}"
        for name, target in self.record.links if self.record else ():
            path = self.folder / name
            if not path.is_symlink() or os.readlink(path) != target:
                yield f"{name} is no link to {target} any more"


def default_folder() -> Path:
    """``LT_ARM_ROOT``, or a folder in the user's cache."""
    named = os.environ.get("LT_ARM_ROOT")
    return Path(named) if named else cache_folder() / "arm64"


def arm_root(folder: Path) -> ArmRoot:
    """A root that can be used.

    Raises:
        DependencyError: when it is missing, half-built, damaged or for another machine, with what to do.
    """
    root = read_root(folder)
    if problem := next(root.problems(), None):
        raise _damaged(folder, problem)
    return root


def read_root(folder: Path) -> ArmRoot:
    """As :func:`arm_root`, without looking at checksums."""
    folder = Path(os.path.abspath(folder))
    try:
        record = read_record(folder)
    except FileNotFoundError:
        return _by_hand(folder)
    system = folder / SYSTEM
    return _checked(ArmRoot(folder, system, system / f"usr/bin/python{record.python}", folder / record.qemu, record))


def read_record(folder: Path) -> Record:
    """What setting a root up wrote.

    Raises:
        FileNotFoundError: where there is no record.
        DependencyError: for a damaged one.
    """
    try:
        return Record.model_validate_json(read_bytes(folder / RECORD))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DependencyError(f"ARM root {folder}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _damaged(folder, f"{RECORD}: {where} {first['msg'].lower()}") from None


def _by_hand(folder: Path) -> ArmRoot:
    """A folder that somebody else made: the root of a system for aarch64, with numpy and ncnn where its Python finds
    them or under ``python``."""
    if reason := why_no_folder(folder):
        raise DependencyError(f"ARM root {folder}: {reason}; {_rebuild(folder, 'builds it')}")
    if (folder / SYSTEM).is_dir() or ((folder / PACKAGES).is_dir() and not (folder / "usr").is_dir()):
        raise DependencyError(f"ARM root {folder} is half-built: no {RECORD} in it; {_rebuild(folder)}")
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
    program = shutil.which(QEMU) or shutil.which("qemu-aarch64")
    return Path(os.path.abspath(program)) if program else None


def _checked(root: ArmRoot) -> ArmRoot:
    """The same, when its programs can be run."""
    if not os.access(root.qemu, os.X_OK):
        raise _damaged(root.folder, f"no program {root.qemu}")
    try:
        with open_file(root.python) as reader:
            start = reader.read(20)
    except OSError as error:
        raise _damaged(root.folder, f"{root.python}: {error.strerror}") from None
    if start[:4] != b"\x7fELF" or int.from_bytes(start[18:20], "little") != AARCH64:
        raise DependencyError(f"ARM root {root.folder}: {root.python.name} in it is no aarch64 program")
    return root


def _damaged(folder: Path, problem: str) -> DependencyError:
    return DependencyError(f"ARM root {folder} is damaged: {problem}; {_rebuild(folder)}")


def _rebuild(folder: Path, does: str = "rebuilds it") -> str:
    where = "" if folder == Path(os.path.abspath(default_folder())) else f" --folder {folder}"
    return f"lt-setup arm{where} {does}"
