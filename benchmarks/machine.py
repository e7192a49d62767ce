"""On what the figures were measured."""

import platform
from importlib.metadata import PackageNotFoundError, version

from converter.bench.machine import cores, cpu_model

PACKAGES = ("torch", "pnnx", "ncnn")


def describe() -> dict[str, str | int]:
    """CPU, cores that this process may use, system, and versions of what does the work."""
    found: dict[str, str | int] = {
        "cpu": cpu_model(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
