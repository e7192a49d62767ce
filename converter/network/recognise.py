"""Which network weights are of, by their keys and shapes."""

from collections.abc import Iterator, Mapping

from converter.families.choice import known_archs
from converter.families.family import Family, Shapes, family_names, family_of
from converter.families.supernet import supernet_of
from converter.network.checkpoint import shapes_of
from converter.report.text import listed
from converter.spec.config import network_for
from converter.spec.network import NetworkSpec
from converter.spec.tensors import LARGEST_SIZE, SMALLEST_SIZE


def arch_of(state: Mapping[str, object]) -> str | None:
    """The arch to begin with of the family whose weights these are, of a supernet that of its subnets; None where none
    or several know them."""
    shapes = shapes_of(state)
    if found := supernet_of(shapes):
        return found[1].subnets
    archs = {family.arch(name) for family, name, _ in _families_of(shapes)}
    return archs.pop() if len(archs) == 1 else None


def hint(family: Family, spec: NetworkSpec, shapes: Shapes) -> str:
    """Which options ask for the network that really has these keys and shapes, or that none is known; may be empty.

    Args:
        family, spec: what was asked for.
        shapes: also of what the family ignores.
    """
    asked = family.arch(spec.path_name)
    others = []
    for other, name, used in _families_of(shapes, family):
        arch = other.arch(name)
        usual = spec if arch == asked else network_for(arch)[1]
        sizes = sizes_of(other, used, usual.sizes)
        if _shapes(other, name, sizes) == used:
            words = [] if arch == asked else [f"--arch {arch}"]
            settled = other.settle(usual.path_name, used)
            as_usual = other.covers(usual.path_name, name) or _shapes(other, settled, sizes) == used
            words += [] if as_usual else [other.words(name)]
            words += size_options(sizes, usual.sizes)
            return f"; the weights fit {' '.join(words)}" if words else ""
        others.append(arch)
    if others:
        return "" if asked in others else f"; the weights look like {others[0]}'s"
    return f"; these are no weights of {listed(known_archs(), 'or')}"


def sizes_of(family: Family, shapes: Shapes, asked: tuple[int, int]) -> tuple[int, int]:
    """The sizes of template and search crop that weights are of; those asked for where they fit, or fit nothing."""
    sizes = family.sizes(shapes, asked)
    return sizes if all(SMALLEST_SIZE <= size <= LARGEST_SIZE for size in sizes) else asked


def _shapes(family: Family, path_name: str, sizes: tuple[int, int]) -> Shapes:
    """Of the network that is built."""
    return shapes_of(family.build(path_name, *sizes).state_dict())


def size_options(sizes: tuple[int, int], asked: tuple[int, int]) -> list[str]:
    """The options that ask for these sizes, of template and search crop, instead of others."""
    pairs = zip(("--template-size", "--search-size"), sizes, asked, strict=True)
    return [f"{option} {size}" for option, size, other in pairs if size != other]


def _families_of(shapes: Shapes, first: Family | None = None) -> Iterator[tuple[Family, str, Shapes]]:
    """Every family that knows such weights, the path name that it sees in them, and the keys that it uses."""
    families = [family_of(name) for name in family_names()]
    for family in sorted(families, key=lambda family: family is not first):
        used = {key: shape for key, shape in shapes.items() if not family.ignores(key)}
        if name := family.recognise(used):
            yield family, name, used
