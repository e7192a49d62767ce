"""What both command lines offer of the emulated ARM cpu; imports nothing heavy."""

import json
from pathlib import Path
from typing import Annotated, Any

from converter.cli.command import finite, option, summary_console
from converter.errors import UsageError

RUNTIME = "ncnn-arm64"
HOST_RUNTIMES = {"ncnn": "ncnn", "onnxruntime": "onnx"}  # and the format that each runs
PANEL = "Emulated ARM (--runtime ncnn-arm64)"
DEFAULT_INPUTS = 2
SETUP_STAGE = "setup"  # none is called so: all of it can be interrupted


def _option(name, metavar, help):
    return option(name, panel=PANEL, metavar=metavar, help=help, show_default=False)


ArmMode = Annotated[
    list[str] | None,
    _option(
        "--arm-mode",
        "NAME",
        "fp16: half storage and sums, ncnn's default on ARM (default); fp16s: half storage; bf16; fp32. Repeatable.",
    ),
]
ArmCpu = Annotated[
    str | None, _option("--arm-cpu", "NAME", "As qemu calls it: max (default), cortex-a76, neoverse-n1, cortex-a53, ….")
]
ArmInputs = Annotated[
    int | None,
    option(
        "--arm-inputs",
        metavar="N",
        min=1,
        help=f"How many inputs to run, pictures before noise (default: {DEFAULT_INPUTS}); an update takes 6 to 20 s.",
        show_default=False,
        panel=PANEL,
    ),
]
ArmBlobs = Annotated[
    bool,
    option(
        "--arm-blobs",
        help="Count NaN and infinity in every blob, also where all outputs are finite.",
        panel=PANEL,
    ),
]
ArmRtol = Annotated[
    float | None,
    option(
        "--arm-rtol",
        metavar="X",
        min=0,
        help="Tolerance of every output as a share of its range, instead of the config's, which were measured on the "
        "trained LightTrack-Mobile.",
        show_default=False,
        panel=PANEL,
    ),
]
ArmTimeout = Annotated[
    float | None,
    option(
        "--arm-timeout",
        metavar="SECONDS",
        min=1,
        help="What one run of one graph may take (default: 300).",
        show_default=False,
        panel=PANEL,
    ),
]
ArmRootFolder = Annotated[
    Path | None,
    _option(
        "--arm-root",
        "DIR",
        "What lt-verify --setup-arm built, or the root of an aarch64 system with numpy and ncnn (default: LT_ARM_ROOT, "
        "or a folder in your cache).",
    ),
]


def arm_options(runtimes: list[str] | None, **given: Any):
    """What was asked for, or None when the emulated cpu was not.

    Args:
        runtimes: of ``--runtime``.
        given: mode, cpu, inputs, blobs, rtol, timeout, root: of the option of that name; None where it was not given.

    Raises:
        UsageError: for an unknown runtime or mode, or an option without the runtime.
    """
    known = (*HOST_RUNTIMES, RUNTIME)
    for name in runtimes or ():
        if name not in known:
            raise UsageError(f"--runtime {name}: expected one of {', '.join(known)}")
    if RUNTIME not in (runtimes or ()):
        for name, value in given.items():
            if value is not None and value is not False:
                raise UsageError(f"--arm-{name} is about --runtime {RUNTIME}; pass that too")
        return None
    from converter.checks.arm.modes import DEFAULT_CPU, DEFAULT_MODE, mode_named
    from converter.checks.arm.process import TIMEOUT
    from converter.checks.arm.root import default_folder
    from converter.spec.options import ArmOptions

    modes = tuple(dict.fromkeys(mode_named(name).name for name in given.get("mode") or (DEFAULT_MODE,)))
    return ArmOptions(
        root=given.get("root") or default_folder(),
        modes=modes,
        cpu=given.get("cpu") or DEFAULT_CPU,
        inputs=given.get("inputs") or DEFAULT_INPUTS,
        blobs=bool(given.get("blobs")),
        rtol=finite("--arm-rtol", given.get("rtol")),
        timeout=given.get("timeout") or TIMEOUT,
    )


def golden_source(name: str, write_golden: Path | None, arm: Any) -> str:
    """What ``--golden-from`` says.

    Raises:
        UsageError: when it is no source, or does not fit the other options.
    """
    if name not in ("torch", RUNTIME):
        raise UsageError(f"--golden-from {name}: expected torch or {RUNTIME}")
    if name == RUNTIME and write_golden is None:
        raise UsageError(f"--golden-from {RUNTIME} is about --write-golden; pass that too")
    if name == RUNTIME and (arm is None or len(arm.modes) != 1):
        raise UsageError(f"--golden-from {RUNTIME} wants --runtime {RUNTIME} and one --arm-mode")
    return name


def run_setup(folder: Path | None, as_json: bool, quiet: bool) -> None:
    """``--setup-arm``: what is needed is there afterwards.

    Args:
        folder: None for the default one.
    """
    from converter.checks.arm.root import default_folder
    from converter.checks.arm.setup import setup_arm
    from converter.checks.arm.table import print_root
    from converter.cli.progress import StageLines
    from converter.util.stages import Stages

    with StageLines(quiet, last=SETUP_STAGE) as stages:
        root, built = setup_arm(folder or default_folder(), Stages(stages))
    if as_json:
        about = root.record.model_dump(include={"python", "packages", "wheels", "hello"})
        print(json.dumps({"folder": str(root.folder), "built": built, "qemu": str(root.qemu), **about}, indent=2))
    elif not quiet:
        print_root(summary_console(False), root, built)
