"""Whether a folder is the official checkout that a family is built from."""

import os
from pathlib import Path

from converter.errors import UsageError
from converter.families.family import family_names, family_of
from official_patches.patching import patches_of


def check_checkout(root: Path, family: str) -> None:
    """Refuse a folder that is no checkout, or one of another family's repository, before anything of it is imported.

    Raises:
        UsageError: saying what it is, as far as that can be seen.
    """
    if _holds(root, family):
        return
    repository = patches_of(family).repository or "the official tree"
    variable = family_of(family).root
    named = f" (from {variable})" if os.environ.get(variable) == str(root) else ""
    others = [name for name in family_names() if name != family and _holds(root, name)]
    beside = [folder for folder in (root.parent, *_folders_in(root)) if _holds(folder, family)]
    if not root.is_dir():
        problem = "no such folder"
    elif others:
        problem = f"is one of {patches_of(others[0]).repository}"
    elif not (root / "lib").is_dir():
        problem = "no folder 'lib' in it"
    else:
        problem = f"no {_place(family)} in it"
    advice = f"pass {beside[0]}" if beside else "pass that, or leave it out: our own definition gives the same answers"
    raise UsageError(f"official checkout {root}{named}: {problem}, expected one of {repository}; {advice}")


def _holds(root: Path, family: str) -> bool:
    place = root / _place(family)
    return place.with_suffix("").is_dir() or place.is_file()


def _place(family: str) -> Path:
    """What a checkout of a family has, from its root."""
    return Path(*patches_of(family).module.split(".")).with_suffix(".py")


def _folders_in(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
