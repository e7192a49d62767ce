"""What takes part: a runtime with the settings of a deployment."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from converter.bench.options import BenchOptions
from converter.checks.device.modes import MODES, Mode
from converter.checks.vulkan import VULKAN
from converter.checks.vulkan.devices import VulkanDevice
from converter.errors import UsageError
from converter.formats.format import format_names, format_of
from converter.report.text import listed

TORCH = "torch"


@dataclass(frozen=True)
class Candidate:
    """One way to run the tracker.

    Attributes:
        runtime: TORCH, or the package that runs the format.
        format: of its models; None for torch, which runs the network itself.
        precision: "fp32" or "half".
        threads: that it may use.
        device: the Vulkan device that it runs on; None for this CPU.
    """

    runtime: str
    format: str | None
    precision: str
    threads: int
    device: str | None = None

    @property
    def label(self) -> str:
        if self.device is not None:
            return f"{VULKAN.name} {self.precision} on {self.device}"
        return f"{self.runtime} {self.precision}, {self.threads} thread{'s' * (self.threads > 1)}"

    def as_dict(self) -> dict[str, Any]:
        return {"candidate": self.label, **asdict(self)}


def candidates_for(formats: Sequence[str], options: BenchOptions) -> tuple[list[Candidate], list[Candidate]]:
    """Who takes part, and who was asked for but whose runtime has no half precision.

    torch on the CPU is meant for fp32 and takes part in that only.

    Raises:
        UsageError: when nobody takes part.
    """
    with_torch = options.with_torch and "fp32" in options.precisions
    there = [Candidate(TORCH, None, "fp32", threads) for threads in options.threads if with_torch]
    left_out: list[Candidate] = []
    for format in map(format_of, formats):
        if format.simulated:
            raise UsageError(
                f"{format.name} models are {format.simulated}: how long that takes says nothing of a device"
            )
        for precision in options.precisions:
            group = there if precision == "fp32" or format.half else left_out
            group += [Candidate(format.packages[-1], format.name, precision, threads) for threads in options.threads]
    if options.device and "ncnn" in formats:
        modes = vulkan_modes(options.device)
        for precision in options.precisions:
            group = there if precision in modes else left_out
            group.append(Candidate("ncnn", "ncnn", precision, 1, options.device.name))
    if not there:
        halves = listed(name for name in format_names() if format_of(name).half)
        raise UsageError(f"--precision half: only {halves} has a half mode, and the export has no {halves} models")
    return there, left_out


def vulkan_modes(device: VulkanDevice) -> dict[str, Mode]:
    """Precision to ncnn's mode on a device; without "half" where it has no half."""
    default = MODES[device.default_mode]
    return {"fp32": MODES["fp32"], **({"half": default} if default.storage == "half" else {})}
