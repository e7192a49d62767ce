"""What passes on the emulated ARM cpu."""

from collections.abc import Sequence

from converter.errors import UsageError
from converter.spec.network import ArmTolerances, NetworkSpec, Tolerance


def check_tolerances(network: NetworkSpec, modes: Sequence[str]) -> None:
    """Raises:
    UsageError: when the config does not say what passes in a mode.
    """
    for name in modes:
        if name not in network.arm:
            raise UsageError(
                f"config: arm has no {name!r}, which says what passes in that mode; it has {list(network.arm)}"
            )


def allowed_in(network: NetworkSpec, mode: str, rtol: float | None) -> ArmTolerances:
    """What the config says of a mode; with ``rtol``, the same tolerance for every output instead."""
    allowed = network.arm[mode]
    if rtol is None:
        return allowed
    return allowed.model_copy(update={"tolerances": {name: Tolerance(rtol=rtol) for name in network.tensors}})
