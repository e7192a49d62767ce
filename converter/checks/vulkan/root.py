"""The folder with Mesa's llvmpipe and a Vulkan loader, and how a process is pointed at them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from converter.errors import DependencyError
from converter.util.folders import cache_folder
from converter.util.paths import why_no_folder
from converter.util.unpacked import Kind, Record

RECORD, SYSTEM, DRIVER = "vulkan-root.json", "system", "llvmpipe.json"
LOADER, LIBRARY = "libvulkan.so.1", "libvulkan_lvp.so"


class VulkanRecord(Record):
    """``vulkan-root.json``.

    Attributes:
        libraries: the folder of the loader and the driver, in the folder.
        device: the name that llvmpipe gave itself when it was built.
        driver: its driver's name and version.
    """

    kind: Literal["vulkan root"] = "vulkan root"
    schema_version: Literal[1] = 1
    libraries: str
    device: str
    driver: str


@dataclass(frozen=True)
class VulkanRoot:
    """A folder with a loader and a driver.

    Attributes:
        libraries: the folder of both.
        record: what setting it up wrote; None while that is under way.
    """

    folder: Path
    libraries: Path
    record: VulkanRecord | None

    def environment(self) -> dict[str, str]:
        """In which a process finds this loader, and the loader this driver and no other."""
        before = os.environ.get("LD_LIBRARY_PATH")
        driver = str(self.folder / DRIVER)
        return {
            "LD_LIBRARY_PATH": os.pathsep.join([str(self.libraries), *([before] if before else [])]),
            "VK_DRIVER_FILES": driver,
            "VK_ICD_FILENAMES": driver,  # its name for loaders before 1.3.207
        }


def default_folder() -> Path:
    """``LT_VULKAN_ROOT``, or a folder in the user's cache."""
    named = os.environ.get("LT_VULKAN_ROOT")
    return Path(named) if named else unnamed_folder()


def unnamed_folder() -> Path:
    """In the user's cache."""
    return cache_folder() / "vulkan"


ROOT = Kind(
    *("Vulkan root", "lt-setup vulkan", RECORD, VulkanRecord, default_folder),
    own=frozenset({SYSTEM, DRIVER, RECORD}),
)


def vulkan_root(folder: Path) -> VulkanRoot:
    """A root that can be used.

    Raises:
        DependencyError: when it is missing, half-built or damaged, with what to do.
    """
    folder = Path(os.path.abspath(folder))
    try:
        record = ROOT.read(folder)
    except FileNotFoundError:
        reason = why_no_folder(folder) or f"no {RECORD} in it"
        raise DependencyError(f"Vulkan root {folder}: {reason}; {ROOT.rebuild(folder, 'builds it')}") from None
    if problem := next(record.problems(folder), None):
        raise ROOT.damaged(folder, problem)
    return VulkanRoot(folder, folder / record.libraries, record)
