"""Proof of the path: two small layers whose answers tell in what ncnn stored its blobs and made its sums.

One adds 512 times 256 and takes it away again: 0, unless the sum is made in half, where 131072 is too large. The other
passes 257 and 2049 on: bfloat16 has 8 significant bits and can hold neither, half has 11 and can hold the first.
"""

import struct
from dataclasses import dataclass

import numpy as np

from converter.checks.device.modes import Mode
from converter.checks.device.process import GuestProcess
from converter.util.atomic import scratch, write

CHANNELS, SIDE, PLACES = 1024, 4, 8
FACTOR = 16.0
EXACT = (257.0, 2049.0)
PARAM = f"""7767517
4 4
Input terms 0 1 terms
Input numbers 0 1 numbers
Convolution sum 1 1 terms sum 0={PLACES} 1=1 5=0 6={PLACES * CHANNELS}
Convolution pass 1 1 numbers passed 0={PLACES} 1=1 5=0 6={PLACES * PLACES}
"""


@dataclass(frozen=True)
class Proof:
    """What a process was seen to compute in.

    Attributes:
        half_cpu: whether the cpu or GPU says that it has half arithmetic.
        storage: "float32", "half", "bfloat16" or, for answers that fit none, what they were.
        arithmetic: "float32", "half", or likewise.
    """

    half_cpu: bool
    storage: str
    arithmetic: str

    def missing(self, mode: Mode, cpu: str) -> str | None:
        """Why this is no run of a mode; None when it is one."""
        if (self.storage, self.arithmetic) == (mode.storage, mode.arithmetic):
            if mode.arithmetic == "half" and not self.half_cpu:
                return f"{cpu} says that it has no half arithmetic, but a sum overflowed"
            return None
        seen = f"a probe was stored in {self.storage} and added in {self.arithmetic}"
        wanted = f"expected {mode.storage} and {mode.arithmetic}"
        if "half" in (mode.storage, mode.arithmetic) and not self.half_cpu:
            return f"{cpu} has no half arithmetic, ncnn computes otherwise there: {seen}, {wanted}"
        return f"{seen}, {wanted}"


def probe(process: GuestProcess, half_cpu: bool) -> Proof:
    """Run the two layers.

    Raises:
        ConversionError: when the process refuses, crashes or hangs.
    """
    signs = np.repeat([FACTOR, -FACTOR], CHANNELS // 2)
    kernels = (np.tile(signs, (PLACES, 1)), np.eye(PLACES))
    with scratch("lt-probe-") as folder:
        param, weights = folder / "probe.param", folder / "probe.bin"
        write(param, PARAM.encode())
        write(weights, b"".join(struct.pack("<I", 0) + kernel.astype("<f4").tobytes() for kernel in kernels))
        process.call("load", name="probe", param=str(param), weights=str(weights))
    numbers = np.resize(EXACT, PLACES)
    feed = {
        "terms": np.full((CHANNELS, SIDE, SIDE), FACTOR, np.float32),
        "numbers": np.broadcast_to(numbers[:, np.newaxis, np.newaxis], (PLACES, SIDE, SIDE)),
    }
    _, outputs = process.call("infer", feed, name="probe", blobs=["sum", "passed"])
    return Proof(half_cpu, _storage(outputs["passed"]), _arithmetic(outputs["sum"]))


def _storage(passed: np.ndarray) -> str:
    first, second = (set(passed[index::2].ravel().tolist()) for index in (0, 1))
    if (first, second) == ({EXACT[0]}, {EXACT[1]}):
        return "float32"
    if (first, second) == ({EXACT[0]}, {2048.0}):
        return "half"
    if first <= {256.0, 258.0} and second <= {2048.0, 2064.0}:
        return "bfloat16"
    return f"something else ({min(first):g}, {min(second):g})"


def _arithmetic(total: np.ndarray) -> str:
    if (total == 0).all():
        return "float32"
    if not np.isfinite(total).any():
        return "half"
    return f"something else ({total.min():g} to {total.max():g})"
