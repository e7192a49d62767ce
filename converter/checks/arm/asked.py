"""How to run models on the emulated ARM cpu: what was asked for, with the rest as it mostly is."""

from collections.abc import Sequence
from pathlib import Path

from converter.checks.arm import ARM, DEFAULT_INPUTS
from converter.checks.arm.process import DEFAULT_CPU
from converter.checks.arm.root import default_folder
from converter.checks.device.modes import DEFAULT_MODE, mode_named
from converter.checks.device.process import TIMEOUT
from converter.spec.arguments import finite, names_of, path_of, refused_values
from converter.spec.options import ArmOptions


def arm_options(
    *,
    modes: str | Sequence[str] | None = None,
    cpu: str | None = None,
    inputs: int | None = None,
    blobs: bool = False,
    rtol: float | None = None,
    timeout: float | None = None,
    root: str | Path | None = None,
) -> ArmOptions:
    """How to run ncnn models on the emulated ARM cpu too.

    Args:
        modes: "fp16" (default), "fp16s", "bf16", "fp32".
        cpu: as qemu calls it (default: "max").
        inputs: how many to run, pictures before noise (default: 2).
        blobs: whether to count NaN and infinity in every blob.
        rtol: tolerance of every output as a share of its range, instead of the config's.
        timeout: seconds that one run of one graph may take (default: 300).
        root: what ``lt-verify --setup-arm`` built (default: LT_ARM_ROOT, or a folder in the user's cache).

    Raises:
        UsageError: for a value that does not fit.
    """
    with refused_values():
        return ArmOptions(
            root=path_of(root) or default_folder(),
            modes=tuple(mode_named(name, ARM).name for name in names_of(modes) or (DEFAULT_MODE,)),
            cpu=cpu or DEFAULT_CPU,
            inputs=DEFAULT_INPUTS if inputs is None else inputs,
            blobs=blobs,
            rtol=finite("--arm-rtol", rtol),
            timeout=TIMEOUT if timeout is None else timeout,
        )
