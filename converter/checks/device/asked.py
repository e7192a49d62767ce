"""Which of the devices golden vectors are to come from."""

from collections.abc import Mapping

from converter.checks.device.runtime import Runtime
from converter.errors import UsageError, did_you_mean
from converter.spec.options import DeviceOptions

NETWORK = "torch"


def golden_source(name: str, writes: bool, devices: Mapping[Runtime, DeviceOptions | None]) -> str:
    """What ``--golden-from`` says.

    Args:
        writes: whether golden vectors are to be written.
        devices: and how models are to be run on each; None where they are not.

    Raises:
        UsageError: when it is no source, or does not fit the other options.
    """
    if name == NETWORK:
        return name
    runtime = next((each for each in devices if each.name == name), None)
    if runtime is None:
        known = NETWORK, *(each.name for each in devices)
        raise UsageError(f"--golden-from {name}: expected {' or '.join(known)}{did_you_mean(name, known)}")
    if not writes:
        raise UsageError(f"--golden-from {name} is about --write-golden; pass that too")
    options = devices[runtime]
    if options is None or len(options.modes) != 1:
        raise UsageError(f"--golden-from {name} wants --runtime {name} and one {runtime.option('mode')}")
    return name
