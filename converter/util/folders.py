"""What is found by the name of its folder, and the folder for what may be lost."""

import os
import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from converter.errors import near_miss
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


def near_path(path: Path) -> Path | None:
    """The path that somebody probably meant who named one that is not there; None where none is near.

    A name with blanks may be several words that were quoted together.
    """
    first = Path(str(path).split(" ")[0])
    if first != path and first.is_file():
        return first
    parts, place = path.parts, Path()
    for index, part in enumerate(parts):
        if (place / part).exists():
            place /= part
            continue
        names = [each.name for each in place.iterdir()] if place.is_dir() and os.access(place, os.R_OK) else []
        nearest = near_miss(part, names)
        meant = place.joinpath(nearest, *parts[index + 1 :]) if nearest else None
        return meant if meant and meant.exists() else None
    return None
