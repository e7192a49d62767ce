"""The emulated ARM cpu: its options, and what they come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from converter.checks.arm import ARM, DEFAULT_INPUTS, RUNTIME
from converter.cli.options.declare import option
from converter.cli.options.runtimes import refuse_without

if TYPE_CHECKING:
    from converter.spec.options import ArmOptions

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
        "Tolerance of every output as a share of its range, instead of the config's, which were measured on trained "
        "networks.",
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
        "What lt-setup arm built, or the root of an aarch64 system with numpy and ncnn "
        "(default: LT_ARM_ROOT, or a folder in your cache).",
    ),
]
Setup = Annotated[
    bool,
    _option(
        "--setup-arm",
        f"lt-setup arm under its earlier name, for one more release: build what --runtime {RUNTIME} needs, then exit.",
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


def arm_of(runtimes: Sequence[str], wanted: ArmWanted) -> "ArmOptions | None":
    """How to run models on the emulated cpu, or None when that was not asked for.

    Args:
        runtimes: of ``--runtime``.

    Raises:
        UsageError: for an unknown mode, or an option without the runtime.
    """
    if RUNTIME not in runtimes:
        refuse_without(ARM, wanted)
        return None
    from converter.checks.arm.asked import arm_options

    return arm_options(
        modes=wanted.mode,
        cpu=wanted.cpu,
        inputs=wanted.inputs,
        blobs=wanted.blobs,
        rtol=wanted.rtol,
        timeout=wanted.timeout,
        root=wanted.root,
    )
