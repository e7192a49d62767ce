"""Which network weights are of, by their keys and shapes."""

from collections.abc import Iterator, Mapping

from converter.families.family import Family, Shapes, family_names, family_of
from converter.network.checkpoint import shapes_of
from converter.spec.network import NetworkSpec


def arch_of(state: Mapping[str, object]) -> str | None:
    """The arch to begin with of the family whose weights these are; None where none or several know them."""
    archs = {family.arch for family, _, _ in _families_of(shapes_of(state))}
    return archs.pop() if len(archs) == 1 else None


def fitting(family: Family, spec: NetworkSpec, shapes: Shapes) -> str | None:
    """The options that ask for the network of these weights, when it really has these keys and shapes.

    Args:
        family, spec: what was asked for.
    """
    for other, name, used in _families_of(shapes, family):
        sizes = other.sizes(used, spec.sizes)
        if shapes_of(other.build(name, *sizes).state_dict()) != used:
            continue
        same = other is family
        words = [] if same else [f"--arch {other.arch}"]
        words += [] if same and family.covers(spec.path_name, name) else [other.words(name)]
        return " ".join([*words, *size_options(sizes, spec.sizes)])
    return None


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
