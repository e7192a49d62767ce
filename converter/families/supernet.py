"""Supernets: checkpoints of a whole search space, whose subnets are a family's networks under other keys."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from converter.families.family import Family, Shapes, family_names, family_of

if TYPE_CHECKING:
    from torch import nn


def renamed(renames: Iterable[tuple[str, str]], keys: Iterable[str]) -> Mapping[str, str]:
    """Key of a subnet to the supernet's key that it is; a part of the supernet may be several of the subnet.

    Args:
        renames: (part of the subnet, part of the supernet).
        keys: of the supernet.
    """
    of_part: dict[str, list[str]] = {}
    for part, source in renames:
        of_part.setdefault(source, []).append(part)
    found = {}
    for key in keys:
        parts = key.split(".")
        for length in range(1, len(parts)):
            rest = ".".join(parts[length:])
            for part in of_part.get(".".join(parts[:length]), ()):
                found[f"{part}.{rest}"] = key
    return found


@dataclass(frozen=True)
class Supernet:
    """What a family knows of its supernet. Shapes are by state-dict key.

    Attributes:
        arch: its class in the official code.
        subnets: the class of its subnets.
        recognise: whether shapes are a supernet's.
        build: (path name, shapes) -> our own definition of it without weights (parameters on the meta device), of the
            crops' sizes that the shapes are of; it answers on that path, called as a subnet is.
        renames: (path name) -> (part of the subnet, part of the supernet that it is), of every part with weights.
        ignores: (key) -> whether a supernet may lack it, because no subnet has it.
        example: of a path name.
        cover: path names that together go through every part that a subnet can have.
    """

    arch: str
    subnets: str
    recognise: Callable[[Shapes], bool]
    build: Callable[[str, Shapes], "nn.Module"]
    renames: Callable[[str], Iterable[tuple[str, str]]]
    ignores: Callable[[str], bool]
    example: str
    cover: tuple[str, ...]


def supernets() -> dict[str, tuple[Family, Supernet]]:
    """By arch, with the family of each."""
    families = map(family_of, family_names())
    return {family.supernet.arch: (family, family.supernet) for family in families if family.supernet}


def supernet_of(shapes: Shapes) -> tuple[Family, Supernet] | None:
    """The supernet that such weights are of, with its family; None for other weights."""
    return next((found for found in supernets().values() if found[1].recognise(shapes)), None)
