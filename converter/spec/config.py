"""From ``configs/*.yaml`` and the command line to a :class:`converter.spec.network.NetworkSpec`."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

import converter
from converter.errors import ArchitectureError, UsageError, did_you_mean
from converter.spec.network import NetworkSpec
from converter.util.paths import read_bytes, reason

LONGEST = 1 << 20  # bytes of a config


def config_folder() -> Path:
    """The configs that come with the project: beside the packages in a checkout, inside them when installed."""
    installed = Path(converter.__file__).parent / "configs"
    return installed if installed.is_dir() else installed.parent.parent / "configs"


def network_for(
    arch: str | None, config: Path | None = None, overrides: Mapping[str, Any] | None = None
) -> tuple[str, NetworkSpec]:
    """The arch to build and its config.

    The arch's own config is the first file that lists it; others that do are complete only beside it. What a config
    has under ``unasked`` holds where neither a file nor the command line was given for it.

    Args:
        arch: class name, or None for the config's first.
        config: a YAML file whose keys replace those of the arch's own config; dicts are merged.
        overrides: top-level keys to set last, from the command line; None values are left out.

    Returns:
        (arch, NetworkSpec)

    Raises:
        ArchitectureError: for an arch that no config knows.
        UsageError: for a config that cannot be read, has an unknown key or a value that does not fit.
    """
    configs: dict[str, dict[str, Any]] = {}
    for data in _read_folder(config_folder()):
        for name in data["archs"]:
            configs.setdefault(name, data)
    user = read_yaml(config) if config else {}
    archs = user.get("archs") or list(configs)
    if not (isinstance(archs, list) and all(isinstance(name, str) for name in archs)):
        raise UsageError(f"{config}: archs is {archs!r}, expected a list of names")
    arch = arch or archs[0]
    if arch not in archs:
        raise ArchitectureError(f"unknown arch {arch!r}, known are {', '.join(archs)}{did_you_mean(arch, archs)}")
    flags = {key: value for key, value in (overrides or {}).items() if value is not None}
    merged = _merged(_merged(configs.get(arch, {}), user), flags)
    for key, value in merged.pop("unasked", {}).items():
        if config is None and key not in flags:
            merged[key] = value
    try:
        return arch, NetworkSpec.model_validate(merged)
    except ValidationError as error:
        raise UsageError(_explained(error.errors()[0], config, flags, merged)) from None


@cache
def _read_folder(folder: Path) -> list[dict[str, Any]]:
    """The project's own configs, which do not change while it runs."""
    return [read_yaml(path) for path in sorted(folder.glob("*.yaml"))]


def _explained(error: ErrorDetails, config: Path | None, flags: Mapping[str, Any], merged: Mapping[str, Any]) -> str:
    """A pydantic error in one line, under the name by which the user gave the value."""
    key = ".".join(str(part) for part in error["loc"])
    if key in flags:
        return f"--{key.replace('_', '-')} {flags[key]}: {_decapitalised(error['msg'])}"
    where = f"config {config}" if config else "config"
    if error["type"] == "extra_forbidden":
        nearest = did_you_mean(str(error["loc"][-1]), _keys_beside(error["loc"], merged))
        return f"{where}: unknown key {key!r}; configs/lighttrack_mobile.yaml shows the known ones{nearest}"
    if error["type"] == "missing":
        return f"{where}: key {key!r} is missing"
    if error["type"] == "value_error":
        return f"{where}: {error['msg'].removeprefix('Value error, ')}"
    return f"{where}: {key}: {_decapitalised(error['msg'])}, found {error['input']!r}"


def _keys_beside(place: tuple[str | int, ...], merged: Any) -> list[str]:
    """The keys that could stand where an unknown one does: those of a network, or deeper down those beside it."""
    if len(place) == 1:
        return list(NetworkSpec.model_fields)
    for key in place[:-1]:
        merged = merged[key]
    return [key for key in merged if key != place[-1]]


def _decapitalised(text: str) -> str:
    return text[0].lower() + text[1:]


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file.

    Raises:
        UsageError: when it cannot be read, or holds something else.
    """
    try:
        data = yaml.safe_load(read_bytes(path, LONGEST).decode())
    except OSError as error:
        raise UsageError(f"config {path}: {reason(error)}, expected a YAML file") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"config {path}: not YAML, line {line}: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"config {path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise UsageError(f"config {path}: holds {type(data).__name__}, expected keys and values")
    return data
