"""From ``configs/*.yaml`` and the command line to a :class:`converter.spec.network.NetworkSpec`."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

import converter
from converter.errors import ArchitectureError, UsageError, did_you_mean, in_words
from converter.spec.network import NetworkSpec
from converter.spec.yaml_file import FASTER, read_yaml

LONGEST_VALUE = 80  # in messages


def config_folder() -> Path:
    """The configs that come with the project: beside the packages in a checkout, inside them when installed."""
    installed = Path(converter.__file__).parent / "configs"
    return installed if installed.is_dir() else installed.parent.parent / "configs"


def network_for(
    arch: str | None, config: Path | None = None, overrides: Mapping[str, Any] | None = None
) -> tuple[str, NetworkSpec]:
    """The arch to build and its config.

    The arch's own config is the first of the project's files that lists it. What a config has under ``unasked`` holds
    where neither a file nor the command line was given for it.

    Args:
        arch: class name, or None for the config's first.
        config: a YAML file whose keys replace those of the config that it ``extends``, one of the project's own by its
            name without extension, or of the arch's own where it does not say; dicts are merged.
        overrides: top-level keys to set last, from the command line; None values are left out.

    Returns:
        (arch, NetworkSpec)

    Raises:
        ArchitectureError: for an arch that no config knows.
        UsageError: for a config that cannot be read, has an unknown key or a value that does not fit.
    """
    known = _read_folder(config_folder())
    of_archs = _of_archs(known)
    user = read_yaml(config) if config else {}
    extended = _extended(user.pop("extends", None), known, config)
    archs = _archs({**extended, **user}, config) or list(of_archs)
    arch = arch or archs[0]
    if arch not in archs:
        raise ArchitectureError(f"unknown arch {arch!r}, known are {', '.join(archs)}{did_you_mean(arch, archs)}")
    flags = {key: value for key, value in (overrides or {}).items() if value is not None}
    own = extended or of_archs.get(arch, {})
    merged = _merged(_merged(own, user), flags)
    merged.pop("unasked", None)
    for key, value in own.get("unasked", {}).items():
        if config is None and key not in flags:
            merged[key] = value
    _check_constants(own, merged, config)
    try:
        return arch, NetworkSpec.model_validate(merged)
    except ValidationError as error:
        raise UsageError(_explained(error.errors()[0], config, flags, merged)) from None


def arch_names() -> list[str]:
    """Every arch that one of the project's own configs lists."""
    return list(_of_archs(_read_folder(config_folder())))


def _of_archs(known: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The first config that lists an arch, of every arch."""
    found: dict[str, dict[str, Any]] = {}
    for data in known.values():
        for name in data["archs"]:
            found.setdefault(name, data)
    return found


def _archs(user: Mapping[str, Any], config: Path | None) -> list[str]:
    """Those that a user's config lists; none where it says nothing of them."""
    archs = user.get("archs")
    if archs is None:
        return []
    if isinstance(archs, list) and all(isinstance(name, str) for name in archs):
        return archs
    raise UsageError(f"config {config}: archs is {_shown(archs)}, expected a list of names")


def _check_constants(own: Mapping[str, Any], merged: Mapping[str, Any], config: Path | None) -> None:
    """The tracker's constants, whose names only the arch's own config knows, are of the kind that they have there.

    Raises:
        UsageError: naming the first that is not.
    """
    values, usual = merged.get("tracker"), own.get("tracker", {})
    for key, value in values.items() if isinstance(values, dict) else ():
        if key in usual and _kind(value) != _kind(usual[key]):
            raise UsageError(f"config {config}: tracker.{key}: expected {_kind(usual[key])}, found {_shown(value)}")


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "yes or no"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "nothing" if value is None else "keys and values"


def _shown(value: object) -> str:
    """A value of a config in a message, not all of a long one."""
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


@cache
def _read_folder(folder: Path) -> dict[str, dict[str, Any]]:
    """The project's own configs, which do not change while it runs, by name and with all that they extend."""
    paths = {path.stem: path for path in sorted(folder.glob("*.yaml"))}

    def read(name: str, behind: tuple[str, ...] = ()) -> dict[str, Any]:
        data = read_yaml(paths[name], FASTER)
        base = data.pop("extends", None)
        if base is None:
            return data
        others = [other for other in paths if other not in (*behind, name)]
        if base not in others:
            raise _cannot_extend(base, others, paths[name])
        return _merged(read(base, (*behind, name)), data)

    return {name: read(name) for name in paths}


def _extended(name: Any, known: Mapping[str, dict[str, Any]], config: Path | None) -> dict[str, Any]:
    """The config that a user's extends; an empty one where it does not say."""
    if name is None:
        return {}
    if not isinstance(name, str) or name not in known:
        raise _cannot_extend(name, list(known), config)
    return known[name]


def _cannot_extend(name: Any, others: list[str], config: Path | None) -> UsageError:
    nearest = did_you_mean(name, others) if isinstance(name, str) else ""
    return UsageError(f"config {config}: extends: expected one of {', '.join(others)}, found {_shown(name)}{nearest}")


def _explained(error: ErrorDetails, config: Path | None, flags: Mapping[str, Any], merged: Mapping[str, Any]) -> str:
    """A pydantic error in one line, under the name by which the user gave the value."""
    key = ".".join(str(part) for part in error["loc"])
    if key in flags:
        return f"--{key.replace('_', '-')} {str(flags[key])[:LONGEST_VALUE]}: {in_words(error['msg'])}"
    where = f"config {config}" if config else "config"
    if error["type"] == "extra_forbidden":
        nearest = did_you_mean(str(error["loc"][-1]), _keys_beside(error["loc"], merged))
        return f"{where}: unknown key {key!r}; configs/lighttrack_mobile.yaml shows the known ones{nearest}"
    if error["type"] == "missing":
        return f"{where}: key {key!r} is missing"
    if error["type"] == "value_error":
        return f"{where}: {error['msg'].removeprefix('Value error, ')}"
    return f"{where}: {key}: {in_words(error['msg'])}, found {_shown(error['input'])}"


def _keys_beside(place: tuple[str | int, ...], merged: Any) -> list[str]:
    """The keys that could stand where an unknown one does: those of a network, or deeper down those beside it."""
    if len(place) == 1:
        return list(NetworkSpec.model_fields)
    for key in place[:-1]:
        merged = merged[key]
    return [key for key in merged if key != place[-1]]


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
