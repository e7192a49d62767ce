"""What may be missing where the tests run: a test that asks for it is skipped, with what to set up."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from commands import ROOT


@dataclass(frozen=True)
class Folder:
    """A folder whose pieces may be missing, each for itself.

    Attributes:
        variable: of the environment; names the folder.
        about: what is in the folder, for whoever reads why a test was skipped.
        default: where to look when the variable is not set.
    """

    variable: str
    about: str
    default: Path | None = None

    def path(self) -> Path:
        """The folder itself.

        A test is skipped when nothing names the folder, and fails when the variable names none that exists.
        """
        named = os.environ.get(self.variable)
        if named and not Path(named).is_dir():
            pytest.fail(f"{self.variable} names {named}, which is no folder", pytrace=False)
        folder = Path(named) if named else self.default
        if folder is None or not folder.is_dir():
            pytest.skip(f"{self.variable} does not name a folder with {self.about}")
        return folder

    def __truediv__(self, piece: str) -> Path:
        """A file or folder in it; the test is skipped when that is missing."""
        path = self.path() / piece
        if not path.exists():
            pytest.skip(f"no {piece} in {self.path()}; {self.variable} can name a folder with {self.about}")
        return path


SHARED = Folder("LT_SHARED", "the trained checkpoints and the official answers", ROOT.parent / "shared")
OFFICIAL = Folder("LIGHTTRACK_ROOT", "an official checkout of researchmm/LightTrack")
OFFICIAL_STARK = Folder("STARK_ROOT", "an official checkout of researchmm/Stark")
OFFICIAL_NANOTRACK = Folder("NANOTRACK_ROOT", "the folder NanoTrack of a checkout of HonglinChu/SiamTrackers")


@pytest.fixture(scope="session")
def shared() -> Folder:
    """The trained checkpoints and the official answers: ``shared / "golden/stark.json"``."""
    return SHARED


@pytest.fixture(scope="session")
def official() -> Path:
    """An official checkout of LightTrack."""
    return OFFICIAL.path()


@pytest.fixture(scope="session")
def official_stark() -> Path:
    """An official checkout of STARK."""
    return OFFICIAL_STARK.path()


@pytest.fixture(scope="session")
def official_nanotrack() -> Path:
    """An official checkout of NanoTrack."""
    return OFFICIAL_NANOTRACK.path()


@pytest.fixture(scope="session")
def emulated_arm():
    """What runs aarch64 code here; a test that asks for it is marked ``arm``."""
    from converter.checks.arm.root import arm_root, default_folder
    from converter.errors import DependencyError

    try:
        return arm_root(default_folder())
    except DependencyError as error:
        pytest.skip(f"no emulated ARM: {error}")


@pytest.fixture(scope="session")
def llvmpipe():
    """A Vulkan device on this CPU; a test that asks for it is marked ``vulkan``."""
    from converter.checks.vulkan.root import default_folder, vulkan_root
    from converter.errors import DependencyError

    try:
        return vulkan_root(default_folder())
    except DependencyError as error:
        pytest.skip(f"no llvmpipe: {error}")


@pytest.fixture(scope="session")
def rknn_toolkit():
    """Rockchip's toolkit and its simulator; a test that asks for it is marked ``rknn``."""
    from converter.errors import DependencyError
    from converter.formats.rknn.root import rknn_root

    try:
        return rknn_root()
    except DependencyError as error:
        pytest.skip(f"no RKNN toolkit: {error}")


@pytest.fixture(scope="session")
def ncnn_cpp() -> Path:
    """Where CMake finds ncnn for C++, as ncnn_DIR says or lt-setup cpp built it; what asks for it is marked ``cpp``."""
    from converter.checks.cpp.library import default_folder, library
    from converter.checks.cpp.program import NCNN
    from converter.errors import DependencyError

    if named := os.environ.get(NCNN):
        return Path(named)
    try:
        return library(default_folder()).config
    except DependencyError as error:
        pytest.skip(f"no ncnn for C++: {error}")


@pytest.fixture(scope="session")
def cross():
    """A C++ compiler for ARM and ncnn that it built; whoever asks for it asks for emulated_arm and ncnn_cpp, too."""
    from cross_arm import cross_arm

    from converter.errors import DependencyError

    try:
        return cross_arm()
    except DependencyError as error:
        pytest.skip(f"no C++ for ARM: {error}")


@pytest.fixture(scope="session")
def browser() -> str:
    """A Chromium that can be run."""
    program = os.environ.get("LT_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    if not Path(program).exists():
        pytest.skip("no browser: /usr/bin/chromium is missing and LT_CHROMIUM does not name one")
    return program
