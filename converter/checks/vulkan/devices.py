"""Vulkan devices as ncnn sees them: those of the system, and llvmpipe of ``lt-setup vulkan``."""

import json
import logging
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from converter.checks.vulkan.root import default_folder, unnamed_folder, vulkan_root
from converter.errors import DependencyError, UsageError, did_you_mean
from converter.util.child import CRASHES, last_words
from converter.util.process import AWAY, python_environment, python_module

log = logging.getLogger(__name__)

LISTING = "converter.checks.vulkan.listing"
DEADLINE = 60.0  # seconds to list devices
SOFTWARE = "CPU"
_FEATURE = re.compile(r"^\[(\d+) .*\]\s+(.*)$")
_VALUE = re.compile(r"([\w/-]+)=(\S+)")
_ADVICE = "lt-setup vulkan gets llvmpipe, which runs on the CPU"


@dataclass(frozen=True)
class VulkanDevice:
    """One device.

    Attributes:
        number: of ``--vulkan-device``.
        index: as ncnn counts it where ``environment`` is added to that of its process.
        type: "discrete GPU", "integrated GPU", "virtual GPU" or "CPU".
        driver: its name and version as Vulkan says them; else the version as a number.
        api: version of Vulkan.
        features: as ncnn prints them, as "fp16-p/s/u/a" to "1/1/1/1".
    """

    number: int
    index: int
    name: str
    type: str
    driver: str
    api: str
    features: Mapping[str, str]
    environment: Mapping[str, str] = field(repr=False)

    def has(self, feature: str) -> bool:
        """Whether it has one, as "fp16-a"."""
        kind, letter = feature.split("-")
        for names, values in self.features.items():
            prefix, _, letters = names.partition("-")
            if prefix == kind and letter in letters.split("/"):
                return dict(zip(letters.split("/"), values.split("/"), strict=False)).get(letter) == "1"
        return False

    @property
    def is_software(self) -> bool:
        """Whether it is no GPU, as llvmpipe, whose times say nothing."""
        return self.type == SOFTWARE

    @property
    def default_mode(self) -> str:
        """In what ncnn computes on it unless an application says otherwise."""
        if not (self.has("fp16-p") or self.has("fp16-s")):
            return "fp32"
        return "fp16" if self.has("fp16-a") else "fp16s"

    @property
    def about(self) -> str:
        """In a line."""
        wanted = ("fp16-p/s/u/a", "int8-p/s/u/a", "bf16-p/s", "subgroup")
        features = ", ".join(f"{name} {self.features[name]}" for name in wanted if name in self.features)
        return f"{self.name}, {self.type}, driver {self.driver}, Vulkan {self.api}; {features}"

    def as_dict(self) -> dict[str, Any]:
        figures = asdict(self)
        del figures["environment"], figures["index"]
        return figures


class NoDevice(DependencyError):
    """A place has none, which is no fault of it."""


def devices(root: Path | None = None) -> list[VulkanDevice]:
    """The system's devices, and behind them those of the root where one is built. Where there are some, what went wrong
    with others is logged, so that nobody takes llvmpipe for a GPU whose driver crashed.

    Args:
        root: its folder; the default one otherwise.

    Raises:
        DependencyError: where there is none, saying why and how to get one.
    """
    found: list[VulkanDevice] = []
    reasons: list[str] = []
    faults: list[str] = []
    for environment, place in _places(root or default_folder(), reasons):
        try:
            for device in listed(environment, place):
                found.append(device_of(device, len(found), environment))
        except NoDevice as error:
            reasons.append(str(error))
        except DependencyError as error:
            reasons.append(str(error))
            faults.append(str(error))
    if not found:
        raise DependencyError(f"no Vulkan device: {'; '.join(reasons)}; {_ADVICE}")
    for fault in faults:
        log.warning("Vulkan: %s", fault)
    return found


def _places(root: Path, reasons: list[str]) -> Iterator[tuple[Mapping[str, str], str]]:
    """What to add to a process's environment, and what is found there, in words."""
    yield {}, "this system"
    if not os.path.lexists(root):
        if root != unnamed_folder():
            reasons.append(f"Vulkan root {root} does not exist")
        return
    try:
        yield vulkan_root(root).environment(), str(root)
    except DependencyError as error:
        reasons.append(str(error))


@dataclass(frozen=True)
class Listed:
    """A device as it was listed."""

    index: int
    figures: Mapping[str, Any]
    features: Mapping[str, str]


def listed(environment: Mapping[str, str], place: str) -> list[Listed]:
    """The devices that a process finds in an environment.

    Raises:
        DependencyError: saying why there is none.
    """
    try:
        done = subprocess.run(
            python_module(LISTING),
            cwd=AWAY,
            env={**python_environment(), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DEADLINE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DependencyError(f"{place}: listing devices took longer than {DEADLINE:g} s; a driver hangs") from None
    except OSError as error:
        raise DependencyError(f"{place}: no process could be started: {error.strerror}") from None
    said = done.stderr.decode(errors="replace")
    if done.returncode:
        crashed = next((f"crashed with {each.name}" for each in CRASHES if each == -done.returncode), None)
        ended = crashed or f"ended the process with code {done.returncode}"
        words = last_words(said, 1)
        raise DependencyError(f"{place}: a driver {ended} while devices were listed{f': {words}' if words else ''}")
    figures = json.loads(done.stdout)
    if not figures:
        raise NoDevice(f"{place} has none ({_why_none(said)})")
    features = features_in(said)
    return [Listed(index, each, features.get(index, {})) for index, each in enumerate(figures)]


def _why_none(said: str) -> str:
    if "dlopen failed" in said:
        return "no loader, libvulkan.so.1"
    if "vkCreateInstance failed -9" in said:
        return "a loader, but no driver that it can load"
    return last_words(said, 1) or "the loader lists no device"


def features_in(text: str) -> dict[int, dict[str, str]]:
    """What ncnn prints of its devices: index -> feature -> value."""
    found: dict[int, dict[str, str]] = {}
    for line in text.splitlines():
        if match := _FEATURE.match(line):
            found.setdefault(int(match[1]), {}).update(_VALUE.findall(match[2]))
    return found


def device_of(listed: Listed, number: int, environment: Mapping[str, str]) -> VulkanDevice:
    figures = listed.figures
    driver = figures["driver"] or f"version {figures['driver_version']}"
    return VulkanDevice(
        *(number, listed.index, figures["name"], figures["type"], driver, figures["api"], listed.features),
        environment=environment,
    )


def chosen(wanted: str | None, there: list[VulkanDevice]) -> VulkanDevice:
    """The device that ``--vulkan-device`` names.

    Args:
        wanted: a number, or a part of the name in any case; the first for None.

    Raises:
        UsageError: when there is none of that name or number.
    """
    if wanted is None:
        return there[0]
    names = ", ".join(f"{device.number} {device.name}" for device in there)
    if wanted.isdecimal():
        if int(wanted) < len(there):
            return there[int(wanted)]
        raise UsageError(f"--vulkan-device {wanted}: there are {len(there)}: {names}")
    for device in there:
        if wanted.strip() and wanted.lower() in device.name.lower():
            return device
    nearest = did_you_mean(wanted, [word for device in there for word in (device.name, *device.name.split())])
    raise UsageError(f"--vulkan-device {wanted}: expected a number or a part of a name; there are {names}{nearest}")
