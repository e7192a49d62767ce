"""What is found by the name of its folder, and the folder for what may be lost."""

import os
import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from converter.util.version import PROJECT


@cache
def packages_in(package: str) -> tuple[str, ...]:
    """The names of the packages right inside one, in order; the disk is looked at once in a process."""
    return tuple(module.name for module in pkgutil.iter_modules(import_module(package).__path__) if module.ispkg)


def cache_folder() -> Path:
    """Ours among the user's caches."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(named) if os.path.isabs(named) else Path(os.path.expanduser("~/.cache"))
    return base / PROJECT
