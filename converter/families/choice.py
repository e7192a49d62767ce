"""Which network: what was asked for, and what a family makes of it."""

import os
from pathlib import Path

from converter.errors import UsageError
from converter.families.family import family_names, family_of
from converter.spec.config import arch_names, network_for
from converter.spec.network import NetworkSpec
from converter.spec.options import NetworkInMemory
from converter.spec.yaml_file import read_yaml


def known_archs() -> list[str]:
    """The arch to begin with of every network that the project's own configs describe."""
    networks = [network_for(arch)[1] for arch in arch_names()]
    return list(dict.fromkeys(family_of(network.family).arch(network.path_name) for network in networks))


def official_root(
    given: Path | None, network: NetworkSpec, checkpoint: Path | NetworkInMemory | None = None
) -> Path | None:
    """The official checkout to build a network from: what was given, or what the family's variable names.

    Raises:
        UsageError: for one beside a network in memory, which is built already, and for one that is no folder.
    """
    if isinstance(checkpoint, NetworkInMemory):
        if given:
            raise UsageError(f"--official {given}: the network in memory is built already; leave it out")
        return None
    if given and not given.is_dir():
        reason = "is a file" if given.exists() else "no such folder"
        raise UsageError(
            f"--official {given}: {reason}, expected a checkout; leave --official out: our own definition gives the "
            "same answers"
        )
    named = os.environ.get(family_of(network.family).root) if network.family in family_names() else None
    return given or (Path(named) if named else None)


def check_official(given: Path | None, checkpoint: object) -> None:
    """Raises:
    UsageError: for a checkout where no network is built.
    """
    if given and checkpoint is None:
        raise UsageError(f"--official {given}: it builds the network, which --resume brings in; pass that too")


def is_named(path_name: str | None, config: Path | None) -> bool:
    """Whether an option or a user's config says which network of its family is meant.

    Raises:
        UsageError: for a config that cannot be read.
    """
    return path_name is not None or (config is not None and "path_name" in read_yaml(config))


def path_name_of(arch: str | None, config: Path | None, path_name: str | None, head_blocks: int | None) -> str | None:
    """The path name asked for: the one given, with so many blocks in its head where those are given.

    Raises:
        UsageError: when the network has no choice of blocks.
    """
    if head_blocks is None:
        return path_name
    _, network = network_for(arch, config, {"path_name": path_name})
    with_blocks = family_of(network.family).with_blocks
    if with_blocks is None:
        raise UsageError(f"--head-blocks {head_blocks}: the head of {', '.join(network.archs)} has no choice of blocks")
    return with_blocks(network.path_name, head_blocks)
