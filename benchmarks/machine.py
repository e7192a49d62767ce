"""On what the figures were measured."""

import platform
from importlib.metadata import PackageNotFoundError, version

from converter.bench.machine import this_machine

PACKAGES = ("torch", "pnnx", "ncnn")


def describe() -> dict[str, str | int]:
    """CPU, cores that this process may use, system, and versions of what does the work."""
    machine = this_machine()
    found: dict[str, str | int] = {
        "cpu": machine.cpu,
        "cores": machine.cores,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
