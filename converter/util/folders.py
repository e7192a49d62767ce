"""What is found by the name of its folder."""

import pkgutil
from functools import cache
from importlib import import_module


@cache
def packages_in(package: str) -> tuple[str, ...]:
    """The names of the packages right inside one, in order; the disk is looked at once in a process."""
    return tuple(module.name for module in pkgutil.iter_modules(import_module(package).__path__) if module.ispkg)
