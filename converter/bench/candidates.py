"""What takes part: a runtime with the settings of a deployment."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from converter.bench.exports import Export, Overlap
from converter.bench.options import BenchOptions
from converter.checks.device.modes import MODES, Mode
from converter.checks.vulkan import VULKAN
from converter.checks.vulkan.devices import VulkanDevice
from converter.errors import UsageError
from converter.formats.format import Format, format_names, format_of
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
        export: whose models it runs; None for torch, and where nobody runs.
        among: whether there are other exports beside, so that its name has to say whose it is.
        settings: of the runtime, (name, value) pairs beside its defaults.
    """

    runtime: str
    format: str | None
    precision: str
    threads: int
    device: str | None = None
    export: Export | None = None
    among: bool = False
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        whose = f" ({self.export.name})" if self.export and self.among else ""
        if self.device is not None:
            return f"{VULKAN.name} {self.precision} on {self.device}{whose}"
        settings = "".join(f", {name}={value}" for name, value in self.settings)
        return f"{self.runtime} {self.precision}, {self.threads} thread{'s' * (self.threads > 1)}{settings}{whose}"

    @property
    def bytes(self) -> int | None:
        """Of all its files; None for torch."""
        return self.export.bytes[self.format] if self.export and self.format else None

    @property
    def overlap(self) -> Overlap | None:
        """What is known of its boxes."""
        return self.export.overlap(self.format) if self.export and self.format else None

    def as_dict(self) -> dict[str, Any]:
        return {
            "candidate": self.label,
            "runtime": self.runtime,
            "format": self.format,
            "precision": self.precision,
            "threads": self.threads,
            "device": self.device,
            "folder": str(self.export.folder) if self.export else None,
            "weights": self.export.weights if self.export else None,
            "bytes": self.bytes,
            "session_options": dict(self.settings),
        }


def candidates_for(exports: Sequence[Export], options: BenchOptions) -> tuple[list[Candidate], list[Candidate]]:
    """Who takes part, and who was asked for but whose runtime has no half precision.

    Exports stand side by side: beside each candidate is what runs as it does. torch on the CPU is meant for fp32 and
    takes part in that only.

    Raises:
        UsageError: when nobody takes part.
    """
    formats = list(dict.fromkeys(format for export in exports for format in export.tracker.formats))
    with_torch = options.with_torch and "fp32" in options.precisions
    there = [Candidate(TORCH, None, "fp32", threads) for threads in options.threads if with_torch]
    left_out: list[Candidate] = []
    for format in map(format_of, formats):
        if format.simulated:
            raise UsageError(
                f"{format.name} models are {format.simulated}: how long that takes says nothing of a device"
            )
        for precision in options.precisions:
            if precision == "fp32" or format.half:
                there += _side_by_side(format, precision, exports, options)
            else:
                left_out += [
                    Candidate(format.packages[-1], format.name, precision, threads) for threads in options.threads
                ]
    if options.device and "ncnn" in formats:
        modes = vulkan_modes(options.device)
        for precision in options.precisions:
            if precision in modes:
                there += [
                    Candidate("ncnn", "ncnn", precision, 1, options.device.name, export, len(exports) > 1)
                    for export in exports
                    if "ncnn" in export.tracker.formats
                ]
            else:
                left_out.append(Candidate("ncnn", "ncnn", precision, 1, options.device.name))
    if not there:
        halves = listed(name for name in format_names() if format_of(name).half)
        raise UsageError(f"--precision half: only {halves} has a half mode, and the export has no {halves} models")
    return there, left_out


def _side_by_side(
    format: Format, precision: str, exports: Sequence[Export], options: BenchOptions
) -> Iterator[Candidate]:
    """Of one runtime and precision: every number of threads, and for each the exports that have the format.

    One whose manifest sets something of the runtime takes part with its defaults and with that.
    """
    for threads in options.threads:
        for export in exports:
            if format.name not in export.tracker.formats:
                continue
            stated = tuple(export.settings(format.name).items()) if precision == "fp32" else ()
            for settings in dict.fromkeys([(), stated]):
                yield Candidate(
                    *(format.packages[-1], format.name, precision, threads),
                    export=export,
                    among=len(exports) > 1,
                    settings=settings,
                )


def vulkan_modes(device: VulkanDevice) -> dict[str, Mode]:
    """Precision to ncnn's mode on a device; without "half" where it has no half."""
    default = MODES[device.default_mode]
    return {"fp32": MODES["fp32"], **({"half": default} if default.storage == "half" else {})}
