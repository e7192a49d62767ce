"""A C++ compiler for aarch64 and ncnn with half arithmetic that it built, for the C++ tracker on the emulated ARM cpu.

Run as a program (``make cpp-arm``), it sets both up in ``LT_CPP_ARM_ROOT`` or the user's cache.
"""

import logging
import os
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from converter.checks.apt.packages import PrivateApt, unpack
from converter.checks.arm.root import ArmRoot
from converter.checks.cpp.library import CONFIG
from converter.checks.cpp.program import Program
from converter.checks.cpp.setup import LAYERS, compile_ncnn, switches
from converter.checks.cpp.source import RELEASE, fetch_source
from converter.errors import ConverterError, DependencyError
from converter.util.commands import run
from converter.util.folders import cache_folder
from converter.util.process import program
from converter.util.stages import BYTES, Stages
from converter.util.unpacked import Kind, Record, contents

CC, CXX, PACKAGE = "aarch64-linux-gnu-gcc", "aarch64-linux-gnu-g++", "g++-aarch64-linux-gnu"
TOOLS, BIN, RECORD = "tools", "bin", "cpp-arm.json"
SYSTEM = re.compile(r"lib(c6|gcc-s1|stdc\+\+6|crypt1|c-bin)(:|$)")  # of this machine, which runs the compiler
# every layer once, for ARMv8.2 with half arithmetic; no OpenMP, for the emulated program has one thread
CPU = {
    "NCNN_RUNTIME_CPU": False,
    "NCNN_ARM82": True,
    "NCNN_ARM82DOT": False,
    "NCNN_ARM82FP16FML": False,
    "NCNN_INT8": False,
    "NCNN_OPENMP": False,
}
WRAPPER = """\
#!/bin/sh
tools=$(dirname "$(dirname "$(readlink -f "$0")")")/{tools}
LD_LIBRARY_PATH="$tools/{libraries}" exec "$tools/usr/bin/{name}" -Wl,--sysroot="$tools" "$@"
"""


class CrossRecord(Record):
    """``cpp-arm.json``.

    Attributes:
        ncnn: release.
        compiler: what it says of itself.
        folder: of its programs: "bin" for one that was unpacked, else an absolute one.
        layers, cpu: as the library was built.
    """

    kind: Literal["ncnn for C++ on ARM"] = "ncnn for C++ on ARM"
    schema_version: Literal[1] = 1
    ncnn: str
    compiler: str
    folder: str
    layers: list[str]
    cpu: dict[str, bool]


@dataclass(frozen=True)
class Cross:
    """A sound folder."""

    folder: Path
    record: CrossRecord

    def build(self, source: Path, place: Path, root: ArmRoot, models: Path) -> Program:
        """The program of a folder that lt-cpp wrote, as a script that runs it emulated.

        Args:
            place: a folder for it.
            root: with the emulator.
            models: the export's folder.
        """
        words = [*cross_words(self.folder / self.record.folder), f"-Dncnn_DIR={self.folder / CONFIG}"]
        words += ["-DLT_OPENCV=OFF", "-DCMAKE_EXE_LINKER_FLAGS=-static"]
        run(["cmake", "-S", str(source), "-B", str(place), *words], "configuring for ARM")
        run(["cmake", "--build", str(place), "--target", "lighttrack"], "compiling for ARM")
        variables = [f"{name}={value}" for name, value in root.environment("max").items()]
        command = ["env", *variables, root.qemu, "-L", root.system, place / "lighttrack"]
        script = place / "emulated"
        script.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, command))} "$@"\n')
        script.chmod(0o755)
        return Program(script, models)


def cross_words(folder: Path) -> list[str]:
    """What tells CMake of the compiler."""
    return [
        *("-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64"),
        *(f"-DCMAKE_C_COMPILER={folder / CC}", f"-DCMAKE_CXX_COMPILER={folder / CXX}"),
    ]


def default_folder() -> Path:
    named = os.environ.get("LT_CPP_ARM_ROOT")
    return Path(named) if named else cache_folder() / "cpp-arm64"


KIND = Kind(
    *("ncnn for C++ on ARM", "make cpp-arm", RECORD, CrossRecord, default_folder),
    own=frozenset({TOOLS, BIN, "include", "lib", RECORD}),
)


def cross_arm() -> Cross:
    """What was set up.

    Raises:
        DependencyError: when it is missing, damaged, of another release or was built otherwise, with what to do.
    """
    folder = Path(os.path.abspath(default_folder()))
    try:
        record = KIND.read(folder)
    except FileNotFoundError:
        raise DependencyError(f"{KIND.name} {folder}: not there; {KIND.rebuild(folder, 'builds it')}") from None
    if (record.ncnn, record.layers, record.cpu) != (RELEASE, list(LAYERS), CPU):
        raise DependencyError(f"{KIND.name} {folder} was built otherwise; {KIND.rebuild(folder)}")
    if not (folder / record.folder / CXX).exists():
        raise DependencyError(f"{KIND.name} {folder}: no {folder / record.folder / CXX}; {KIND.rebuild(folder)}")
    if problem := next(record.problems(folder), None):
        raise KIND.damaged(folder, problem)
    return Cross(folder, record)


def set_up(stages: Stages) -> Cross:
    """Build it, unless a sound one is there.

    Raises:
        ConverterError: naming what is missing.
    """
    try:
        return cross_arm()
    except DependencyError as error:
        why = str(error)
    KIND.build(Path(os.path.abspath(default_folder())), lambda part: _build(part, stages), why)
    return cross_arm()


def _build(part: Path, stages: Stages) -> None:
    work = part / "work"
    work.mkdir()
    packages: list[str] = []
    there = program(CXX)
    with stages("compiler") as notes:
        if there is None:
            packages = _unpack_compiler(part, work / "apt", stages)
        place = Path(there).parent if there else part / BIN
        compiler = run([str(place / CXX), "--version"], "the compiler's version").splitlines()[0]
        notes.append(f"{compiler}, {there or f'{len(packages)} packages'}")
    with stages("source"):
        source = fetch_source(work, partial(stages.progress.step, unit=BYTES))
    with stages("ncnn"):
        build = work / "build"
        words = [*switches(part, source, CPU), *cross_words(place)]
        run(["cmake", "-S", str(source), "-B", str(build), *words], "configuring ncnn")
        compile_ncnn(build, stages)
        run(["cmake", "--install", str(build)], "installing ncnn")
    shutil.rmtree(work)
    files, links = contents(part)
    record = CrossRecord(
        packages=packages,
        files=files,
        links=links,
        ncnn=RELEASE,
        compiler=compiler,
        folder=str(place) if there else BIN,
        layers=list(LAYERS),
        cpu=CPU,
    )
    (part / RECORD).write_text(record.model_dump_json(indent=1) + "\n")


def _unpack_compiler(part: Path, work: Path, stages: Stages) -> list[str]:
    """The distribution's, with scripts that run it where it lies; the packages' names."""
    apt = PrivateApt(work)
    apt.update()
    names = apt.available(apt.with_dependencies([PACKAGE], lambda name: not SYSTEM.match(name)))
    debs = apt.download(names, partial(stages.progress.step, unit=BYTES))
    tools = part / TOOLS
    tools.mkdir()
    unpack(debs, tools)
    libraries = next(tools.glob("usr/lib/*/libbfd-*.so")).parent.relative_to(tools)  # binutils'
    (part / BIN).mkdir()
    for name in (CC, CXX):
        script = part / BIN / name
        script.write_text(WRAPPER.format(tools=TOOLS, libraries=libraries, name=name))
        script.chmod(0o755)
    return [deb.name for deb in debs]


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    try:
        ready = set_up(Stages(partial(print, flush=True)))
    except ConverterError as error:
        sys.exit(f"make cpp-arm: {error}")
    print(f"ready {ready.folder}: ncnn {ready.record.ncnn}, {ready.record.compiler}")
