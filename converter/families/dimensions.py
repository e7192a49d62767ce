"""The dimensions of any family's network."""

from converter.errors import UsageError
from converter.families.family import family_of
from converter.spec.dimensions import Dimensions
from converter.spec.network import NetworkSpec


def dimensions_of(spec: NetworkSpec, stride: int | None = None) -> Dimensions:
    """The dimensions of a network at its sizes.

    Args:
        stride: what the user believes it to be.

    Raises:
        ArchitectureError, UsageError: when there is no such network.
    """
    family = family_of(spec.family)
    if spec.search_size < spec.template_size:
        raise UsageError(
            f"--template-size {spec.template_size}, --search-size {spec.search_size}: the search crop is smaller than "
            f"the template, {spec.template_size}; expected the larger crop, for example 288 beside 127"
        )
    dimensions = family.dimensions(spec.path_name, spec.template_size, spec.search_size)
    if stride not in (None, dimensions.stride):
        raise UsageError(
            f"--stride {stride}: the output of {family.called} {spec.path_name} has stride {dimensions.stride}; "
            f"pass --stride {dimensions.stride} or leave it out"
        )
    return dimensions
