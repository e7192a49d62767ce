"""The dimensions of any family's network."""

from converter.errors import UsageError
from converter.families.family import FAMILIES
from converter.spec.dimensions import Dimensions
from converter.spec.network import NetworkSpec


def dimensions_of(spec: NetworkSpec, stride: int | None = None) -> Dimensions:
    """The dimensions of a network at its sizes.

    Args:
        stride: what the user believes it to be.

    Raises:
        ArchitectureError, UsageError: when there is no such network.
    """
    if spec.family not in FAMILIES:
        raise UsageError(f"config: unknown family {spec.family!r}, known are {', '.join(FAMILIES)}")
    if spec.search_size < spec.template_size:
        raise UsageError(
            f"--search-size {spec.search_size}: smaller than the template, {spec.template_size}; "
            "expected the larger crop, for example 288 beside 127"
        )
    dimensions = FAMILIES[spec.family].dimensions(spec.path_name, spec.template_size, spec.search_size)
    if stride not in (None, dimensions.stride):
        raise UsageError(
            f"--stride {stride}: the output of path name {spec.path_name} has stride {dimensions.stride}; "
            f"pass --stride {dimensions.stride} or leave it out"
        )
    return dimensions
