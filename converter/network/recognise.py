"""Which network weights are of, by their keys and shapes."""

from collections.abc import Iterator, Mapping

from converter.families.family import Family, Shapes, family_names, family_of
from converter.network.checkpoint import shapes_of
from converter.spec.config import network_for
from converter.spec.network import NetworkSpec
from converter.spec.tensors import LARGEST_SIZE, SMALLEST_SIZE


def arch_of(state: Mapping[str, object]) -> str | None:
    """The arch to begin with of the family whose weights these are; None where none or several know them."""
    archs = {family.arch for family, _, _ in _families_of(shapes_of(state))}
    return archs.pop() if len(archs) == 1 else None


def hint(family: Family, spec: NetworkSpec, shapes: Shapes) -> str:
    """Which options ask for the network that really has these keys and shapes, or that none is known; may be empty.

    Args:
        family, spec: what was asked for.
    """
    families = list(_families_of(shapes, family))
    for other, name, used in families:
        usual = spec if other is family else network_for(other.arch)[1]
        sizes = sizes_of(other, used, usual.sizes)
        if _shapes(other, name, sizes) == used:
            words = [] if other is family else [f"--arch {other.arch}"]
            settled = other.settle(usual.path_name, used)
            as_usual = other.covers(usual.path_name, name) or _shapes(other, settled, sizes) == used
            words += [] if as_usual else [other.words(name)]
            return f"; the weights fit {' '.join([*words, *size_options(sizes, usual.sizes)])}"
    archs = " or ".join(family_of(name).arch for name in family_names())
    return "" if families else f"; these are no weights of {archs}"


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
