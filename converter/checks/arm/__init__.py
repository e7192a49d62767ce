"""The real ARM kernels of ncnn, run under user-mode emulation: what a phone will compute, before a phone is touched."""

from typing import Final

from converter.checks.device.runtime import Runtime

RUNTIME: Final = "ncnn-arm64"
ARM: Final = Runtime(RUNTIME, "arm", "emulated aarch64", "what this cpu computes")
DEFAULT_INPUTS = 2
