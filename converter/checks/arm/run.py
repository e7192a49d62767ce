"""Models on the emulated ARM cpu, one process per mode."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.checks.arm import ARM
from converter.checks.arm.process import ArmProcess
from converter.checks.arm.root import ArmRoot
from converter.checks.arm.section import ArmSection
from converter.checks.device.modes import Mode
from converter.checks.device.run import Answered, Device, Models, ModeRun
from converter.proof.comparison import Comparison
from converter.spec.options import ArmOptions
from converter.util.content import Contents
from converter.util.stages import Stages


@dataclass(frozen=True)
class ArmRun:
    """What to run; the rest as of :class:`converter.checks.device.run.Models`.

    Attributes:
        root: what runs it.
    """

    root: ArmRoot
    options: ArmOptions
    folder: Path
    contents: Contents
    comparisons: Sequence[Comparison]
    precision: str

    @property
    def models(self) -> Models:
        return Models(ARM, self.options, self.folder, self.contents, self.comparisons, self.precision)

    def process(self, mode: Mode) -> ArmProcess:
        """One that is not started yet."""
        options = self.options
        name = f"{ARM.where} {mode.name} (cpu {options.cpu})"
        return ArmProcess(self.root, options.cpu, mode.options, name, options.timeout)


def check_arm(run: ArmRun, stages: Stages, keep: Callable[[Answered], None] | None = None) -> ArmSection:
    """Run everything.

    Args:
        stages: told of every mode and every input.
        keep: given what the chained graphs answered, mode by mode.

    Raises:
        UsageError: for an unknown cpu or mode, or one without tolerances.
    """

    def half(hello: Mapping[str, Any]) -> bool:
        return bool(hello.get("half_arithmetic"))

    models, device = run.models, Device(f"cpu {run.options.cpu}", run.process, half)
    runs = [ModeRun(models, device, mode, stages, keep) for mode in run.options.modes]
    results = tuple(each.result() for each in runs)
    hello = next((each.hello for each in runs if each.hello), {})
    return ArmSection(
        cpu=run.options.cpu,
        half_cpu=hello.get("half_arithmetic"),
        versions={name: hello[name] for name in ("ncnn", "numpy", "python") if name in hello},
        feeds=models.feeds,
        modes=results,
        masks=models.masks() if any(each.mode.storage != "float32" for each in runs) else (),
    )
