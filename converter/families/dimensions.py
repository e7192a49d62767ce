"""The dimensions of any family's network, and whether its config agrees with them."""

from converter.errors import UsageError
from converter.families.family import Family, constants_of, family_of
from converter.spec.config import arch_names, network_for
from converter.spec.dimensions import Dimensions
from converter.spec.network import NetworkSpec


def dimensions_of(spec: NetworkSpec, stride: int | None = None) -> Dimensions:
    """The dimensions of a network at its sizes.

    Args:
        stride: what the user believes it to be.

    Raises:
        ArchitectureError, UsageError: when there is no such network, or its config says otherwise of it.
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
    _check_arch(family, spec)
    _check_tracker(spec, dimensions)
    if family.constants:
        constants_of(spec, family.constants)
    return dimensions


def _check_arch(family: Family, spec: NetworkSpec) -> None:
    """Refuse a path name that is another arch's than the one asked for; archs of a user's own stand for any.

    Raises:
        UsageError: with the arch that it is.
    """
    own, known = family.arch(spec.path_name), arch_names()
    usual = [family.arch(network_for(arch)[1].path_name) for arch in spec.archs if arch in known]
    if usual and own not in usual:
        raise UsageError(
            f"{family.words(spec.path_name)} is --arch {own}, not {spec.archs[0]}; pass that arch, or leave the "
            f"{family.called} out"
        )


def _check_tracker(spec: NetworkSpec, dimensions: Dimensions) -> None:
    """Refuse a section ``tracker``, from which applications are built, that contradicts the network.

    Raises:
        UsageError: with key, found and expected.
    """
    follows: dict[str, object] = {**dimensions.numbers(), "score_size": dimensions.score_size}
    follows |= dict.fromkeys(spec.logits, "logit")  # what --sigmoid makes of it is written without being asked for
    for key, expected in follows.items():
        if key in spec.tracker and spec.tracker[key] != expected:
            raise UsageError(
                f"config: tracker.{key} is {spec.tracker[key]!r}, expected {expected!r}, which follows from the "
                "network; leave it out"
            )
