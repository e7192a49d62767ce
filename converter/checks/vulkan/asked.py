"""How to run models on a Vulkan device: what was asked for, with the rest as it mostly is."""

from collections.abc import Sequence
from pathlib import Path

from converter.checks.device.modes import mode_named
from converter.checks.device.process import TIMEOUT
from converter.checks.vulkan import DEFAULT_INPUTS, VULKAN
from converter.checks.vulkan.root import default_folder
from converter.spec.arguments import finite, names_of, path_of, refused_values
from converter.spec.options import VulkanOptions


def vulkan_options(
    *,
    device: str | int | None = None,
    modes: str | Sequence[str] | None = None,
    inputs: int | None = None,
    rtol: float | None = None,
    timeout: float | None = None,
    root: str | Path | None = None,
) -> VulkanOptions:
    """How to run ncnn models on a Vulkan device too.

    Args:
        device: its number, or a part of its name (default: the first).
        modes: "fp32", "fp16s", "fp16", "bf16" (default: ncnn's default on the device).
        inputs: how many to run, pictures before noise (default: 2).
        rtol: tolerance of every output as a share of its range, instead of the config's.
        timeout: seconds that one run of one graph may take, shaders included (default: 300).
        root: what ``lt-setup vulkan`` built (default: LT_VULKAN_ROOT, or a folder in the user's cache).

    Raises:
        UsageError: for a value that does not fit.
    """
    with refused_values():
        return VulkanOptions(
            root=path_of(root) or default_folder(),
            modes=tuple(mode_named(name, VULKAN).name for name in names_of(modes) or ()),
            device=None if device is None else str(device),
            inputs=DEFAULT_INPUTS if inputs is None else inputs,
            rtol=finite("--vulkan-rtol", rtol),
            timeout=TIMEOUT if timeout is None else timeout,
        )
