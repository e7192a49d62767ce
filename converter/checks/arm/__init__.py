"""The real ARM kernels of ncnn, run under user-mode emulation: what a phone will compute, before a phone is touched."""

from typing import Final

RUNTIME: Final = "ncnn-arm64"
DEFAULT_INPUTS = 2
