"""llvmpipe as something to set up: its packages and the loader's, unpacked into a folder and tried there."""

import json
import os
import re
import shutil
from functools import partial
from pathlib import Path

from converter.checks.apt.packages import PrivateApt, unpack
from converter.checks.vulkan.devices import VulkanDevice, device_of, devices, listed
from converter.checks.vulkan.root import (
    DRIVER,
    LIBRARY,
    LOADER,
    RECORD,
    ROOT,
    SYSTEM,
    VulkanRecord,
    VulkanRoot,
    default_folder,
    vulkan_root,
)
from converter.errors import DependencyError
from converter.report.text import count
from converter.util.setups import Setup, Tool
from converter.util.stages import BYTES, Stages
from converter.util.unpacked import contents

WANTED = ("libvulkan1", "mesa-vulkan-drivers")
# of the system itself: they have to be those that Python was started with
BASE = re.compile(r"lib(c6|gcc-s1|stdc\+\+6|crypt1|c-bin)(:|$)")
LIBRARY_PACKAGE = re.compile(r"lib[a-z0-9]")


def setup_vulkan(folder: Path, stages: Stages) -> tuple[VulkanRoot, bool]:
    """Build a root, unless a sound one is there.

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
    try:
        return vulkan_root(folder), False
    except DependencyError as error:
        why = str(error)
    ROOT.build(folder, lambda part: _build(part, stages), why)
    return vulkan_root(folder), True


def _build(part: Path, stages: Stages) -> None:
    system, work = part / SYSTEM, part / "work"
    with stages("packages") as notes:
        apt = PrivateApt(work)
        apt.update()
        debs = apt.download(needed(apt), partial(stages.progress.step, unit=BYTES))
        notes.append(f"{len(debs)} for {apt.host}")
    with stages("unpack"):
        system.mkdir()
        unpack(debs, system)
        shutil.rmtree(work)
        libraries = _libraries(system)
        _write_driver(part, libraries)
    with stages("try") as notes:
        device = _tried(VulkanRoot(part, libraries, None))
        notes.append(device.about)
    files, links = contents(part)
    record = VulkanRecord(
        packages=[deb.name for deb in debs],
        files=files,
        links=links,
        libraries=libraries.relative_to(part).as_posix(),
        device=device.name,
        driver=device.driver,
    )
    (part / RECORD).write_text(record.model_dump_json(indent=1) + "\n")


def needed(apt: PrivateApt) -> list[str]:
    """The packages of the loader and the driver, and of all libraries that these need.

    Raises:
        DependencyError: when the sources lack one of the first two.
    """

    def follow(name: str) -> bool:
        return bool(LIBRARY_PACKAGE.match(name)) and not BASE.match(name)

    return apt.with_dependencies(WANTED, follow)


def _libraries(system: Path) -> Path:
    """The folder with the loader and the driver."""
    for library in sorted(system.glob(f"usr/lib/**/{LIBRARY}")):
        if (library.parent / LOADER).exists():
            return library.parent
    raise DependencyError(f"the packages have no {LIBRARY} beside {LOADER}")


def _write_driver(part: Path, libraries: Path) -> None:
    """What tells the loader of the driver; relative, so that the folder can be moved."""
    library = (libraries / LIBRARY).relative_to(part)
    version = "1.1.0"
    for path in (part / SYSTEM).glob("usr/share/vulkan/icd.d/lvp_icd*.json"):
        version = json.loads(path.read_text())["ICD"]["api_version"]
    driver = {"file_format_version": "1.0.0", "ICD": {"library_path": f"./{library}", "api_version": version}}
    (part / DRIVER).write_text(json.dumps(driver, indent=1) + "\n")


def _tried(root: VulkanRoot) -> VulkanDevice:
    try:
        (first, *_) = listed(root.environment(), "what was unpacked")
    except DependencyError as error:
        raise DependencyError(f"what was unpacked does not run: {error}") from None
    return device_of(first, 0, root.environment())


def _look(folder: Path) -> Tool:
    """Whatever devices there are: a system with a GPU needs no root."""
    there = devices(folder)
    summary = "; ".join(f"{device.number} {device.about}" for device in there)
    return Tool(folder, f"{count(len(there), 'device')}: {summary}", {"devices": [each.as_dict() for each in there]})


def _build_tool(folder: Path, stages: Stages) -> tuple[Tool, bool]:
    root, built = setup_vulkan(folder, stages)
    record = root.record
    assert record is not None
    figures = record.model_dump(include={"device", "driver", "packages"})
    summary = f"{record.device}, {record.driver}, {count(len(record.packages), 'package')}"
    return Tool(root.folder, summary, figures), built


SETUP = Setup(
    name="vulkan",
    purpose="ncnn-vulkan without a GPU",
    folder=default_folder,
    look=_look,
    build=_build_tool,
    remove=ROOT.remove,
    elsewhere=True,
)
