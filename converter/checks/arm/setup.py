"""An ARM root as something to set up: fetched, unpacked and tried in a folder beside, put in place in one step."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from converter.checks.apt.packages import PrivateApt, unpack
from converter.checks.arm.packages import GUEST, LIBRARIES, chosen_python, fetch_qemu, python_packages
from converter.checks.arm.process import DEFAULT_CPU, ArmProcess
from converter.checks.arm.root import (
    PACKAGES,
    QEMU,
    RECORD,
    ROOT,
    SYSTEM,
    ArmRecord,
    ArmRoot,
    arm_root,
    default_folder,
    qemu_on_path,
)
from converter.checks.arm.wheels import install_wheels, wheel_versions
from converter.checks.device.modes import MODES
from converter.errors import ConversionError, DependencyError, UsageError
from converter.util.setups import Setup, Tool
from converter.util.stages import BYTES, Stages
from converter.util.unpacked import contents


def setup_arm(folder: Path, stages: Stages) -> tuple[ArmRoot, bool]:
    """Build a root, unless a sound one of the same versions is there.

    Args:
        folder: where; absent, empty, or an earlier root, which is replaced when the new one is finished.
        stages: told of each step.

    Returns:
        the root, and whether it was built now.

    Raises:
        UsageError: for a folder that holds something else.
        DependencyError: naming what is missing.
    """
    folder = Path(os.path.abspath(folder))
    versions = wheel_versions()
    try:
        root = arm_root(folder)
    except DependencyError as error:
        why = str(error)
    else:
        if root.record is None:
            raise UsageError(f"ARM root {folder} was built by hand; it can be used as it is")
        if root.record.wheels == versions:
            return root, False
        why = f"ARM root {folder} has {root.record.wheels}, wanted is {versions}"
    ROOT.build(folder, lambda part: _build(part, versions, stages), why)
    return arm_root(folder), True


def _build(part: Path, versions: Mapping[str, str], stages: Stages) -> None:
    system, packages, work = part / SYSTEM, part / PACKAGES, part / "work"
    fetched = partial(stages.progress.step, unit=BYTES)
    with stages("packages") as notes:
        apt = PrivateApt(work, GUEST)
        apt.update()
        python = chosen_python(apt)
        debs = apt.download([f"{name}:{GUEST}" for name in (*LIBRARIES, *python_packages(python))], fetched)
        notes.append(f"{len(debs)} for {GUEST}, Python {python}")
    with stages("emulator") as notes:
        there = qemu_on_path()
        names = [deb.name for deb in debs] + ([] if there else [fetch_qemu(apt, part / QEMU, fetched)])
        notes.append(str(there or names[-1]))
    with stages("wheels") as notes:
        install_wheels(versions, python, _glibc(debs), packages, fetched)
        notes += [f"{name} {version}" for name, version in versions.items()]
    with stages("unpack"):
        system.mkdir()
        unpack(debs, system)
        shutil.rmtree(work)
    with stages("try") as notes:
        qemu = there or part / QEMU
        hello = _tried(ArmRoot(part, system, system / f"usr/bin/python{python}", qemu, None))
        about = f"{hello['machine']}, Python {hello['python']}, ncnn {hello['ncnn']}"
        notes.append(f"{about}, {'' if hello['half_arithmetic'] else 'no '}half arithmetic")
    files, links = contents(part)
    record = ArmRecord(
        python=python,
        qemu=str(there or QEMU),
        packages=names,
        wheels=dict(versions),
        hello=hello,
        files=files,
        links=links,
    )
    (part / RECORD).write_text(record.model_dump_json(indent=1) + "\n")


def _glibc(debs: Sequence[Path]) -> int:
    """Minor version of the C library among packages: ``libc6_2.36-9_arm64.deb`` is 36."""
    name = next(deb.name for deb in debs if deb.name.startswith("libc6_"))
    version = re.match(r"libc6_2\.(\d+)[.-]", name)
    if version is None:
        raise DependencyError(f"unpacking {name}: expected a C library 2.N")
    return int(version[1])


def _tried(root: ArmRoot) -> dict[str, Any]:
    """What the new root says of itself; its modules are compiled on the way, once for all later runs."""
    process = ArmProcess(replace(root, compiles=True), DEFAULT_CPU, MODES["fp32"].options, "emulated aarch64")
    try:
        return process.start()
    except ConversionError as error:
        raise DependencyError(f"what was unpacked does not run: {error}") from None
    finally:
        process.stop()


def _tool(root: ArmRoot) -> Tool:
    if root.record is None:
        return Tool(root.folder, f"built by hand, {root.python}, {root.qemu}")
    about = root.record.model_dump(include={"python", "packages", "wheels", "hello"})
    versions = ", ".join(f"{name} {version}" for name, version in root.record.wheels.items())
    summary = f"aarch64 Python {root.record.hello['python']}, {versions}, {root.qemu}"
    return Tool(root.folder, summary, {"qemu": str(root.qemu), **about})


def _build_tool(folder: Path, stages: Stages) -> tuple[Tool, bool]:
    root, built = setup_arm(folder, stages)
    return _tool(root), built


SETUP = Setup(
    name="arm",
    purpose="emulates ARM for ncnn-arm64",
    folder=default_folder,
    look=lambda folder: _tool(arm_root(folder)),
    build=_build_tool,
    remove=ROOT.remove,
)
