"""The emulated ARM cpu: its options, and what they come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from converter.cli.command import finite
from converter.cli.options.declare import option
from converter.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from converter.spec.options import ArmOptions

RUNTIME: Final = "ncnn-arm64"
DEFAULT_INPUTS = 2
_option = partial(option, panel=f"Emulated ARM (--runtime {RUNTIME})")

Modes = Annotated[
    list[str] | None,
    _option(
        "--arm-mode NAME",
        "fp16: half storage and sums, ncnn's default on ARM (default); fp16s: half storage; bf16; fp32. Repeatable.",
    ),
]
Cpu = Annotated[
    str | None, _option("--arm-cpu NAME", "As qemu calls it: max (default), cortex-a76, neoverse-n1, cortex-a53, ….")
]
Inputs = Annotated[
    int | None,
    _option(
        "--arm-inputs N",
        f"How many inputs to run, pictures before noise (default: {DEFAULT_INPUTS}); an update takes 6 to 20 s.",
        min=1,
    ),
]
Blobs = Annotated[
    bool, _option("--arm-blobs", "Count NaN and infinity in every blob, also where all outputs are finite.")
]
Rtol = Annotated[
    float | None,
    _option(
        "--arm-rtol X",
        "Tolerance of every output as a share of its range, instead of the config's, which were measured on the "
        "trained LightTrack-Mobile.",
        min=0,
    ),
]
Timeout = Annotated[
    float | None, _option("--arm-timeout SECONDS", "What one run of one graph may take (default: 300).", min=1)
]
Root = Annotated[
    Path | None,
    _option(
        "--arm-root DIR",
        "What lt-verify --setup-arm built or is to build, or the root of an aarch64 system with numpy and ncnn "
        "(default: LT_ARM_ROOT, or a folder in your cache).",
    ),
]
Setup = Annotated[
    bool,
    _option(
        "--setup-arm",
        f"Build what --runtime {RUNTIME} needs, once: arm64 packages of this Debian or Ubuntu, qemu and two "
        "wheels, unpacked into the folder of --arm-root. Then exit.",
    ),
]


@dataclass(frozen=True)
class ArmWanted:
    """What was asked for: the options of these names, None where one was not given."""

    mode: list[str] | None
    cpu: str | None
    inputs: int | None
    blobs: bool
    rtol: float | None
    timeout: float | None
    root: Path | None


def arm_options(runtimes: Sequence[str], wanted: ArmWanted) -> "ArmOptions | None":
    """How to run models on the emulated cpu, or None when that was not asked for.

    Args:
        runtimes: of ``--runtime``.

    Raises:
        UsageError: for an unknown mode, or an option without the runtime.
    """
    if RUNTIME not in runtimes:
        for name, value in vars(wanted).items():
            if value is not None and value is not False:
                raise UsageError(f"--arm-{name} is about --runtime {RUNTIME}; pass that too")
        return None
    from converter.checks.arm.modes import DEFAULT_CPU, DEFAULT_MODE, mode_named
    from converter.checks.arm.process import TIMEOUT
    from converter.checks.arm.root import default_folder
    from converter.spec.options import ArmOptions

    return ArmOptions(
        root=wanted.root or default_folder(),
        modes=tuple(dict.fromkeys(mode_named(name).name for name in wanted.mode or (DEFAULT_MODE,))),
        cpu=wanted.cpu or DEFAULT_CPU,
        inputs=wanted.inputs or DEFAULT_INPUTS,
        blobs=wanted.blobs,
        rtol=finite("--arm-rtol", wanted.rtol),
        timeout=wanted.timeout or TIMEOUT,
    )


def runtimes_of(names: Sequence[str] | None, accepted: Sequence[str], otherwise: str = "") -> tuple[str, ...]:
    """What ``--runtime`` was given.

    Args:
        accepted: those that the command takes.
        otherwise: more to say of another one.

    Raises:
        UsageError: for an unknown one.
    """
    for name in names or ():
        if name not in accepted:
            expected = accepted[0] if len(accepted) == 1 else f"one of {', '.join(accepted)}"
            raise UsageError(f"--runtime {name}: expected {expected}{otherwise}{did_you_mean(name, accepted)}")
    return tuple(names or ())


def golden_source(name: str, writes: bool, arm: "ArmOptions | None") -> Literal["torch", "ncnn-arm64"]:
    """What ``--golden-from`` says.

    Args:
        writes: whether golden vectors are to be written.

    Raises:
        UsageError: when it is no source, or does not fit the other options.
    """
    if name == "torch":
        return "torch"
    if name != RUNTIME:
        nearest = did_you_mean(name, ("torch", RUNTIME))
        raise UsageError(f"--golden-from {name}: expected torch or {RUNTIME}{nearest}")
    if not writes:
        raise UsageError(f"--golden-from {RUNTIME} is about --write-golden; pass that too")
    if arm is None or len(arm.modes) != 1:
        raise UsageError(f"--golden-from {RUNTIME} wants --runtime {RUNTIME} and one --arm-mode")
    return RUNTIME
