"""On what the figures were measured."""

import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
BOARD = Path("/proc/device-tree/model")
HALF_FLAGS = {"avx512_fp16", "asimdhp"}  # x86, ARM


def cpu_model() -> str:
    """As the kernel calls it, or else the board, or else the architecture."""
    names = _values("model name")
    if names:
        return names[0]
    try:
        return BOARD.read_text(errors="replace").strip("\0 \n") or platform.machine()
    except OSError:
        return platform.machine()


def cores() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def half_arithmetic() -> bool | None:
    """Whether the CPU adds and multiplies vectors of half floats; None where the kernel does not tell."""
    flags = _values("flags") or _values("Features")
    return bool(HALF_FLAGS & set(flags[0].split())) if flags else None


def system() -> str:
    return f"{platform.system()} {platform.release()}, {platform.machine()}"


def load_average() -> float | None:
    """Processes that ran or wanted to, over the last minute."""
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


def _values(key):
    try:
        lines = CPUINFO.read_text(errors="replace").splitlines()
    except OSError:
        return []
    return [value.strip() for name, _, value in (line.partition(":") for line in lines) if name.strip() == key]
