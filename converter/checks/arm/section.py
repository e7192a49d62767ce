"""What the emulated ARM cpu computed, beside what is right; numbers only, nothing here runs anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from converter.checks.arm import ARM
from converter.checks.device.blocks import section_blocks, section_summary
from converter.checks.device.section import ModeResult
from converter.checks.half.masks import DangerousMask
from converter.report.blocks import BAD, OK, Section


@dataclass(frozen=True)
class ArmSection:
    """Every mode on one emulated cpu; true when all passed and no mask in the files is dangerous.

    Attributes:
        cpu: that qemu was.
        half_cpu: whether it says that it has half arithmetic; None where none could be asked.
        versions: of ncnn, numpy and Python there.
        feeds: names of the inputs.
        masks: layers whose mask corrupts memory in the modes that store halves.
    """

    cpu: str
    half_cpu: bool | None
    versions: Mapping[str, str]
    feeds: tuple[str, ...]
    modes: tuple[ModeResult, ...]
    masks: tuple[DangerousMask, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.modes) and all(self.modes) and not self.masks

    @property
    def about(self) -> str:
        """What was run, in words."""
        ncnn = f"ncnn {self.versions['ncnn']}" if "ncnn" in self.versions else "ncnn"
        half = "" if self.half_cpu is None else f", which has {'' if self.half_cpu else 'no '}half arithmetic"
        return f"emulated aarch64: {ncnn} in qemu user mode, cpu {self.cpu}{half}"

    def failure(self) -> str:
        parts = [str(mask) for mask in self.masks] + [mode.failure() for mode in self.modes if not mode]
        return f"{ARM.name} ({ARM.where}): {'; '.join(parts) or 'nothing was run'}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "about": self.about,
            "cpu": self.cpu,
            "half_arithmetic": self.half_cpu,
            "versions": dict(self.versions),
            "passed": bool(self),
            "failure": None if self else self.failure(),
            "feeds": list(self.feeds),
            "modes": [mode.as_dict() for mode in self.modes],
            "masks": [mask.as_dict() for mask in self.masks],
        }

    def section(self) -> Section:
        summary = section_summary(self, ARM.where)
        about = f"{self.about}. No phone was asked."
        return Section(ARM.section, "On an emulated ARM cpu", OK if self else BAD, summary, section_blocks(self, about))
