"""What a Vulkan device computed, beside what is right; numbers only, nothing here runs anything."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from converter.checks.device.blocks import section_blocks, section_summary
from converter.checks.device.section import ModeResult
from converter.checks.half.masks import DangerousMask
from converter.checks.vulkan import VULKAN
from converter.checks.vulkan.clip import ClipSteps
from converter.checks.vulkan.devices import VulkanDevice
from converter.checks.vulkan.layers import GraphWalk
from converter.report.blocks import BAD, NOTE, OK, Block, Points, Row, Section, Table, Text, columns
from converter.report.text import NOTHING, count, percent

_LAYERS = columns("Verdict", "Mode", "Graph", "First layer that leaves the CPU's", "Type", ">Alone", ">Along", "Worst")
_CLIP = columns("Verdict", "Mode", ">Frames", ">Mean overlap", ">Smallest", ">Other cells", ">Score off by", ">Lost")


@dataclass(frozen=True)
class OnCpu:
    """A layer without a shader, which falls back to the CPU."""

    graph: str
    layer: str
    type: str

    def __str__(self) -> str:
        return f"{self.layer} ({self.type}) of {self.graph}"


@dataclass(frozen=True)
class VulkanSection:
    """Every mode on one device; true when all passed and no mask in the files is dangerous.

    Attributes:
        versions: of ncnn and numpy there.
        feeds: names of the inputs.
        on_cpu: layers that have no shader.
        walks: layer by layer, where that was asked for.
        clips: mode by mode, where a clip was given.
        masks: layers whose mask corrupts memory in the modes that store halves.
    """

    device: VulkanDevice
    versions: Mapping[str, str]
    feeds: tuple[str, ...]
    modes: tuple[ModeResult, ...]
    on_cpu: tuple[OnCpu, ...] = ()
    walks: tuple[GraphWalk, ...] = ()
    clips: tuple[ClipSteps, ...] = ()
    masks: tuple[DangerousMask, ...] = ()

    def __bool__(self) -> bool:
        proved = bool(self.modes) and all(self.modes) and not self.masks
        return proved and all(self.walks) and all(self.clips)

    @property
    def about(self) -> str:
        """What was run, in words."""
        ncnn = f"ncnn {self.versions['ncnn']}" if "ncnn" in self.versions else "ncnn"
        return f"{ncnn} on Vulkan device {self.device.number}: {self.device.about}"

    def failure(self) -> str:
        parts = [str(mask) for mask in self.masks] + [mode.failure() for mode in self.modes if not mode]
        parts += [walk.failure() for walk in self.walks if not walk]
        parts += [clip.failure() for clip in self.clips if not clip]
        return f"{VULKAN.name} ({self.device.name}, {self.device.driver}): {'; '.join(parts) or 'nothing was run'}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "about": self.about,
            "device": self.device.as_dict(),
            "versions": dict(self.versions),
            "passed": bool(self),
            "failure": None if self else self.failure(),
            "feeds": list(self.feeds),
            "modes": [mode.as_dict() for mode in self.modes],
            "on_cpu": [vars(layer) for layer in self.on_cpu],
            "layers": [walk.as_dict() for walk in self.walks],
            "clips": [clip.as_dict() for clip in self.clips],
            "masks": [mask.as_dict() for mask in self.masks],
        }

    def section(self) -> Section:
        software = " It is no GPU: no vendor's driver was asked." if self.device.is_software else ""
        blocks = (*section_blocks(self, f"{self.about}.{software}"), *self._more())
        summary = section_summary(self, f"{VULKAN.where} on {self.device.name}")
        return Section(VULKAN.section, "On a Vulkan device", OK if self else BAD, summary, blocks)

    def _more(self) -> Iterator[Block]:
        if self.on_cpu:
            yield Text(f"{count(len(self.on_cpu), 'layer')} without a shader, which the CPU runs:", NOTE)
            yield Points(tuple(map(str, self.on_cpu)), NOTE)
        if self.walks:
            about = "Alone: a layer is given what the CPU computed before it. Along: everything ran on the device."
            yield Table(_LAYERS, tuple(map(_walk_row, self.walks)), about)
        if self.clips:
            yield Table(_CLIP, tuple(map(_clip_row, self.clips)), "One step of the tracker from the network's state.")


def _walk_row(walk: GraphWalk) -> Row:
    first = walk.first
    worst = f"{walk.worst.layer} ({walk.worst.type}) {percent(walk.worst.alone)}"
    cells = (NOTHING,) * 4
    if first is not None:
        cells = (first.layer, first.type, percent(first.alone), percent(first.along))
    return Row(("ok" if walk else "FAILED", walk.mode, walk.graph, *cells, worst), "" if walk else BAD)


def _clip_row(clip: ClipSteps) -> Row:
    steps = clip.steps
    figures = [
        NOTHING if value is None else f"{value:.5f}" for value in (steps.iou_mean, steps.iou_smallest, steps.score_max)
    ]
    cells = (str(steps.frames), *figures[:2], str(steps.other_cells), figures[2], str(clip.lost))
    return Row(("ok" if clip else "FAILED", clip.mode, *cells), "" if clip else BAD)
