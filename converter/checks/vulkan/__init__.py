"""ncnn's Vulkan kernels, on a GPU or on Mesa's llvmpipe: what use_vulkan_compute does, before it ships."""

from typing import Final

from converter.checks.device.runtime import Runtime

RUNTIME: Final = "ncnn-vulkan"
VULKAN: Final = Runtime(RUNTIME, "vulkan", "Vulkan", "what this device computes")
DEFAULT_INPUTS = 2
