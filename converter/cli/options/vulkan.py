"""Vulkan: its options, and what they come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from converter.checks.vulkan import DEFAULT_INPUTS, RUNTIME, VULKAN
from converter.cli.options.declare import option
from converter.cli.options.runtimes import refuse_without

if TYPE_CHECKING:
    from converter.spec.options import VulkanOptions

_option = partial(option, panel=f"Vulkan (--runtime {RUNTIME})")

Runtimes = Annotated[
    list[str] | None,
    _option("--runtime NAME", f"{RUNTIME}: measure the ncnn models on a GPU too; llvmpipe is refused."),
]
Device = Annotated[
    str | None,
    _option("--vulkan-device N|NAME", "Its number, or a part of its name (default: the first); lt-setup lists them."),
]
Modes = Annotated[
    list[str] | None,
    _option(
        "--vulkan-mode NAME",
        "fp32; fp16s: half storage; fp16: half storage and sums; bf16 (default: ncnn's default on the device). "
        "Repeatable.",
    ),
]
Inputs = Annotated[
    int | None,
    _option(
        "--vulkan-inputs N",
        f"How many inputs to run, pictures before noise (default: {DEFAULT_INPUTS}); on llvmpipe an update takes 2 s.",
        min=1,
    ),
]
Rtol = Annotated[
    float | None,
    _option(
        "--vulkan-rtol X",
        "Tolerance of every output as a share of its range, instead of the config's.",
        min=0,
    ),
]
Timeout = Annotated[
    float | None,
    _option("--vulkan-timeout SECONDS", "What one run of one graph may take, shaders included (default: 300).", min=1),
]
Root = Annotated[
    Path | None,
    _option("--vulkan-root DIR", "What lt-setup vulkan built (default: LT_VULKAN_ROOT, or a folder in your cache)."),
]


@dataclass(frozen=True)
class VulkanWanted:
    """What was asked for: the options of these names, None where one was not given."""

    device: str | None = None
    mode: list[str] | None = None
    inputs: int | None = None
    rtol: float | None = None
    timeout: float | None = None
    root: Path | None = None


def vulkan_of(runtimes: Sequence[str], wanted: VulkanWanted) -> "VulkanOptions | None":
    """How to run models on a Vulkan device, or None when that was not asked for.

    Args:
        runtimes: of ``--runtime``.

    Raises:
        UsageError: for an unknown mode, or an option without the runtime.
    """
    if RUNTIME not in runtimes:
        refuse_without(VULKAN, wanted)
        return None
    from converter.checks.vulkan.asked import vulkan_options

    return vulkan_options(
        device=wanted.device,
        modes=wanted.mode,
        inputs=wanted.inputs,
        rtol=wanted.rtol,
        timeout=wanted.timeout,
        root=wanted.root,
    )
