"""Models on a Vulkan device, one process per mode."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.checks.device.modes import Mode
from converter.checks.device.run import Answered, Device, Loaded, Models, ModeRun
from converter.checks.vulkan import VULKAN
from converter.checks.vulkan.clip import ClipSteps, Followed, follow
from converter.checks.vulkan.devices import VulkanDevice
from converter.checks.vulkan.layers import GraphWalk, walks_of
from converter.checks.vulkan.process import VulkanProcess
from converter.checks.vulkan.section import OnCpu, VulkanSection
from converter.errors import ConversionError
from converter.proof.comparison import Comparison
from converter.spec.options import VulkanOptions
from converter.util.content import Contents
from converter.util.stages import Stages


@dataclass(frozen=True)
class VulkanRun:
    """What to run; the rest as of :class:`converter.checks.device.run.Models`.

    Attributes:
        device: what runs it.
        layers: whether to look at every layer beside the CPU's.
        followed: a clip to follow, at the first size.
    """

    device: VulkanDevice
    options: VulkanOptions
    folder: Path
    contents: Contents
    comparisons: Sequence[Comparison]
    precision: str
    layers: bool = False
    followed: Followed | None = None

    @property
    def modes(self) -> tuple[str, ...]:
        """Those that were asked for; ncnn's default on the device otherwise."""
        return self.options.modes or (self.device.default_mode,)

    @property
    def models(self) -> Models:
        return Models(VULKAN, self.options, self.folder, self.contents, self.comparisons, self.precision)

    def process(self, mode: Mode) -> VulkanProcess:
        """One that is not started yet."""
        return VulkanProcess(self.device, mode, self.options.timeout)


def check_vulkan(run: VulkanRun, stages: Stages, keep: Callable[[Answered], None] | None = None) -> VulkanSection:
    """Run everything.

    Args:
        stages: told of every mode and every input.
        keep: given what the chained graphs answered, mode by mode.

    Raises:
        UsageError: for a mode without tolerances.
    """

    def half(hello: Mapping[str, Any]) -> bool:
        return run.device.has("fp16-a")

    models, device, besides = run.models, Device(run.device.name, run.process, half), _Besides(run, stages)
    runs = [ModeRun(models, device, mode, stages, keep, besides) for mode in run.modes]
    results = tuple(each.result() for each in runs)
    hello = next((each.hello for each in runs if each.hello), {})
    return VulkanSection(
        device=run.device,
        versions={name: hello[name] for name in ("ncnn", "numpy") if name in hello},
        feeds=models.feeds,
        modes=results,
        on_cpu=tuple(besides.on_cpu),
        walks=tuple(besides.walks),
        clips=tuple(besides.clips),
        masks=models.masks() if any(each.mode.storage != "float32" for each in runs) else (),
    )


class _Besides:
    """What is looked at while the models are loaded.

    Attributes:
        on_cpu: layers without a shader, each once.
    """

    def __init__(self, run: VulkanRun, stages: Stages) -> None:
        self.run, self.stages = run, stages
        self.on_cpu: dict[OnCpu, None] = {}
        self.walks: list[GraphWalk] = []
        self.clips: list[ClipSteps] = []

    def __call__(self, loaded: Loaded) -> None:
        """Raises ConversionError when the process refuses, crashes or hangs, or no layer ran on the device."""
        for model, runner in loaded.runners.items():
            layers = [layer for layer in runner.layers if layer.type != "Input"]
            if len(runner.on_cpu) >= len(layers):
                raise ConversionError(
                    f"{loaded.process.what}: every layer of {model.graph.name} fell back to the CPU: nothing of it was "
                    "run on the device"
                )
            self.on_cpu.update(dict.fromkeys(OnCpu(model.graph.name, *layer) for layer in runner.on_cpu))
        if self.run.layers:
            with self.stages("layers"):
                self.walks += walks_of(loaded)
        first = loaded.comparison.tracker is self.run.comparisons[0].tracker
        if self.run.followed and first:
            with self.stages("clip"):
                self.clips.append(follow(loaded, self.run.followed, self.stages.progress.step))
