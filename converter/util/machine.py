"""On what the figures were measured."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
BOARD = Path("/proc/device-tree/model")
HALF_FLAGS = {"avx512_fp16", "asimdhp"}  # x86, ARM


@dataclass(frozen=True)
class Machine:
    """The machine, as far as this process may use it.

    Attributes:
        cpu: its model as the kernel calls it, or else the board, or else the architecture.
        cores: CPUs that this process may use.
        half_arithmetic: whether the CPU adds and multiplies vectors of half floats; None where the kernel does not
            tell.
        system: the operating system and the architecture.
    """

    cpu: str
    cores: int
    half_arithmetic: bool | None
    system: str

    def __str__(self) -> str:
        return f"{self.cpu}, {self.system}"


def this_machine() -> Machine:
    flags = _values("flags") or _values("Features")
    return Machine(
        cpu=next(iter(_values("model name")), "") or _read(BOARD).strip("\0 \n") or platform.machine(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        half_arithmetic=bool(HALF_FLAGS & set(flags[0].split())) if flags else None,
        system=f"{platform.system()} {platform.release()}, {platform.machine()}",
    )


def load_average() -> float | None:
    """Processes that ran or wanted to, over the last minute."""
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


def _values(key: str) -> list[str]:
    lines = (line.partition(":") for line in _read(CPUINFO).splitlines())
    return [value.strip() for name, _, value in lines if name.strip() == key]


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
