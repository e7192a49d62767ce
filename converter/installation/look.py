"""Looking at everything the commands need, and what can be set up, found by the name of its file."""

import os
import platform
from importlib import import_module, metadata
from pathlib import Path

from packaging.specifiers import SpecifierSet

import converter
from converter.errors import DependencyError, UsageError, did_you_mean
from converter.installation.packages import BROKEN, MISSING, OK, PackageState, package_states
from converter.installation.result import Installation, SetupState
from converter.util.folders import cache_folder
from converter.util.packages import importing
from converter.util.setups import Setup
from converter.util.stages import Progress, Stages
from converter.util.version import PROJECT

ABOVE = ("cli",)  # what holds no set-up of its own


def setups() -> dict[str, Setup]:
    """Name to the ``SETUP`` of every ``setup.py`` below the package, in the order of the names."""
    root = Path(converter.__file__).parent
    paths = [path.relative_to(root.parent).with_suffix("") for path in sorted(root.rglob("setup.py"))]
    modules = [".".join(path.parts) for path in paths if path.parts[1] not in ABOVE]
    all_of_them: list[Setup] = [import_module(module).SETUP for module in modules]
    return {setup.name: setup for setup in sorted(all_of_them, key=lambda setup: setup.name)}


def setup_named(name: str) -> Setup:
    """Raises UsageError for an unknown name."""
    with importing(f"lt-setup {name}"):
        there = setups()
    if name not in there:
        expected = f"expected {' or '.join(there)}, or nothing, for a list of what is there and missing"
        raise UsageError(f"{name}: {expected}{did_you_mean(name, there)}")
    return there[name]


def look(progress: Progress | None = None) -> Installation:
    """Import every package, look at everything that can be set up; changes nothing."""
    stages = Stages(progress)
    with stages("packages") as notes:
        packages = package_states(stages.progress.step)
        notes.append(f"{sum(map(bool, packages))} of {len(packages)} can be used")
    with stages("setups"):
        there = _setup_states(packages)
    requires = metadata.metadata(PROJECT)["Requires-Python"] or ""
    cache = cache_folder()
    return Installation(
        python=platform.python_version(),
        requires_python=requires,
        python_fits=SpecifierSet(requires).contains(platform.python_version(), prereleases=True),
        packages=tuple(packages),
        setups=there,
        cache=cache,
        cache_size=size_of(cache),
    )


def _setup_states(packages: list[PackageState]) -> tuple[SetupState, ...]:
    """Empty where a package that they import cannot be: the package's own row says so."""
    try:
        with importing():
            return tuple(map(_setup_state, setups().values()))
    except DependencyError:
        if all(packages):
            raise
        return ()


def _setup_state(setup: Setup) -> SetupState:
    folder = Path(os.path.abspath(setup.folder()))
    state, summary, figures = MISSING, "is not set up", {}
    built = os.path.lexists(folder)
    if built or setup.elsewhere:
        try:
            tool = setup.look(folder)
            state, summary, figures = OK, tool.summary, dict(tool.figures)
        except DependencyError as error:
            state, summary = (BROKEN, f"cannot be used ({error})") if built else (MISSING, f"is not set up ({error})")
    return SetupState(setup.name, setup.purpose, folder, state, summary, size_of(folder), figures)


def size_of(folder: Path) -> int:
    """Bytes on disk of everything in a folder; 0 where there is none. Links are not followed."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
            except OSError:
                continue
    return total
