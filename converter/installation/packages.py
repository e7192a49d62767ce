"""Which Python packages are there, in which versions, and whether they can be imported."""

import json
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from converter.installation.probe import answer
from converter.util.child import last_words
from converter.util.packages import PACKAGES, Package, install, is_installed, reinstall, tested_versions
from converter.util.process import AWAY, python_environment, python_module
from converter.util.version import PROJECT

PROBE = "converter.installation.probe"
DEADLINE = 120.0  # seconds for one import, and for all of them together; torch from a cold disk takes a while
AT_ONCE = 2
OK, MISSING, BROKEN, UNSUITABLE, UNTESTED = "ok", "missing", "broken", "wrong version", "not tested"


@dataclass(frozen=True)
class PackageState:
    """One package as it is installed here.

    Attributes:
        name: importable.
        version: that is installed; empty where none is, or where another distribution brings the module.
        requirement: what the project declares, as ">=1.20".
        tested: the version of the checkout's constraints; empty outside a checkout.
        state: OK; MISSING; BROKEN, it cannot be imported; UNSUITABLE, not the version that is required; UNTESTED, not
            the version of the constraints.
        reason: why it cannot be imported.
        remedy: the command that gets it; empty where nothing has to be done.
    """

    package: Package
    version: str
    requirement: str
    tested: str
    state: str
    reason: str = ""
    remedy: str = ""

    def __bool__(self) -> bool:
        """Whether it can be used."""
        return self.state in (OK, UNTESTED)

    @property
    def needed(self) -> bool:
        """Whether nothing is exported without it."""
        return not self.package.extra

    def failure(self) -> str:
        """Why it cannot be used, in a phrase."""
        if self.state == UNSUITABLE:
            return f"{self.package.label} {self.version} is installed, expected {self.requirement}"
        if self.state == BROKEN:
            return f"{self.package.label} cannot be imported ({self.reason})"
        return f"{self.package.label} is missing"


def declared() -> dict[str, str]:
    """Distribution, in lower case, to the versions that the installed project requires, extras included."""
    requirements = map(Requirement, metadata.requires(PROJECT) or ())
    return {requirement.name.lower(): str(requirement.specifier) for requirement in requirements}


def package_states(step: Callable[[int, int], None], packages: Sequence[Package] = PACKAGES) -> list[PackageState]:
    """Import every package: one after the other in one process, from the first that fails there each in one of its own.

    Args:
        step: told how many of how many are done.
    """
    requirements, states, done = declared(), [], set()
    for name in _imported_together([package for package in packages if is_installed(package.name)]):
        done.add(name)
        step(len(done), len(packages))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        alone = iter(range(len(done) + 1, len(packages) + 1))
        for state in pool.map(lambda package: _state(package, requirements, package.name in done), packages):
            states.append(state)
            if state.package.name not in done:
                step(next(alone), len(packages))
    return states


def _state(package: Package, requirements: dict[str, str], imported: bool) -> PackageState:
    """Args:
    imported: whether it has been, without an error.
    """
    requirement = requirements.get(package.distribution, "")
    tested = tested_versions().get(package.distribution, "")
    if not is_installed(package.name):
        return PackageState(package, "", requirement, tested, MISSING, remedy=install([package]))
    version = _version(package)
    reason, remedy = ("", "") if imported else _import(package)
    if reason:
        return PackageState(package, version, requirement, tested, BROKEN, reason, remedy)
    if version and not _fits(version, requirement):
        return PackageState(package, version, requirement, tested, UNSUITABLE, remedy=install([package]))
    state = UNTESTED if tested and version and not _fits(version, f"=={tested}") else OK
    return PackageState(package, version, requirement, tested, state)


def _fits(version: str, requirement: str) -> bool:
    return SpecifierSet(requirement).contains(version, prereleases=True)


def _version(package: Package) -> str:
    try:
        return metadata.version(package.distribution)
    except metadata.PackageNotFoundError:
        return ""  # cv2 comes with several


def _imported_together(packages: Sequence[Package]) -> Iterator[str]:
    """The names of those that one process imports one after the other, until one fails or the time is up.

    This takes a third of the time that each in a process of its own takes, for most of them import the same.
    """
    sound = {answer(package): package.name for package in packages}
    words = python_module(PROBE, *(package.module for package in packages))
    try:
        process = subprocess.Popen(
            words,
            cwd=AWAY,
            env=python_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
        )
    except OSError:  # said of each by itself
        return
    deadline = threading.Timer(DEADLINE, process.kill)
    deadline.start()
    with process:
        try:
            for line in process.stdout or ():
                if name := sound.get(line.rstrip("\n")):
                    yield name
        finally:
            deadline.cancel()
            process.kill()


def _import(package: Package) -> tuple[str, str]:
    """(why it cannot be imported, the command that cures that); both empty where it can."""
    words = python_module(PROBE, package.module)
    try:
        done = subprocess.run(
            words,
            cwd=AWAY,
            env=python_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DEADLINE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"the import took longer than {DEADLINE:g} s and was ended", reinstall(package)
    except OSError as error:
        return f"no process could be started: {error.strerror}", ""
    if done.returncode:
        said = last_words(done.stderr.decode(errors="replace"), 1)
        ended = f"signal {-done.returncode}" if done.returncode < 0 else f"code {done.returncode}"
        return f"the import ended its process with {ended}{f'; it said: {said}' if said else ''}", reinstall(package)
    said_of_it = json.loads(done.stdout.splitlines()[-1])
    return said_of_it["reason"], said_of_it["remedy"]
