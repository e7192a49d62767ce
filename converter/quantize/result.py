"""What a search has come to: models beside each other, which of them no other beats, and what was published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.folder.manifest import ClipEntry, Manifest
from converter.quantize.latency import Latency
from converter.quantize.search import Measured, Setting
from converter.quantize.whole import OnClip, Whole


@dataclass(frozen=True)
class Point:
    """Models of one kind.

    Attributes:
        name: "fp32", "half", "w8", or "int8" with a number, the smallest first.
        bytes: of all files that a device takes.
        share: of the multiply-adds of a frame that are in int8.
        clips: how they do on every clip.
        latency: None where it was not measured.
        front: whether it was not refused, and no other such beats it in all of bytes, share, time and overlap.
        whole: the verdict of int8 models; None of others.
        setting: what is in int8; None of others.
    """

    name: str
    bytes: int
    share: float
    clips: tuple[OnClip, ...]
    latency: Latency | None = None
    front: bool = False
    whole: Whole | None = None
    setting: Setting | None = None

    @property
    def mean(self) -> float:
        """Overlap in one step on the clip where it is least; 0 where nothing was compared."""
        return min((each.mean or 0.0 for each in self.clips), default=0.0)

    @property
    def figures(self) -> tuple[float, ...]:
        """Less of each is better."""
        return self.bytes, -self.share, self.latency.update if self.latency else 0.0, -self.mean

    def as_dict(self) -> dict[str, Any]:
        more: dict[str, Any] = {}
        if self.whole is not None:
            more["left_out"] = [each.as_dict() for each in self.whole.left_out]
            more["pictures"] = self.whole.pictures.as_dict()
        if self.setting is not None:
            more["blocks"] = sorted(self.setting.blocks)
            more["corrected"] = self.setting.corrected
        return {
            "name": self.name,
            "bytes": self.bytes,
            "int8_share": round(self.share, 6),
            "update_ms": self.latency and self.latency.update,
            "init_ms": self.latency and self.latency.init,
            "pareto": self.front,
            "passed": None if self.whole is None else bool(self.whole),
            "failures": [] if self.whole is None else self.whole.failures(),
            "clips": [each.as_dict() for each in self.clips],
            **more,
        }


@dataclass(frozen=True)
class Tried:
    """A setting of the search, on the frames that it looks at, each clip with models calibrated on the others."""

    setting: Setting
    share: float
    measured: Measured

    def as_dict(self) -> dict[str, Any]:
        return {
            "bytes": self.measured.bytes,
            "int8_share": round(self.share, 6),
            "corrected": self.setting.corrected,
            "means": list(self.measured.means),
            "smallests": list(self.measured.smallests),
            "blocks": sorted(self.setting.blocks),
        }


@dataclass(frozen=True)
class Hurting:
    """A block and what it costs: by how much the mean overlap in one step rises when it alone is in float."""

    block: str
    layers: tuple[str, ...]
    rise: float

    def as_dict(self) -> dict[str, Any]:
        return {"block": self.block, "layers": list(self.layers), "mean_rises_by": round(self.rise, 6)}


@dataclass(frozen=True)
class QuantizeResult:
    """A search; true when int8 models were published.

    Attributes:
        folder: of the export, which is as before where nothing was published.
        workplace: where the search kept what it measured.
        format, arch: of the models.
        judged: what of the clips the verdicts are about, in a phrase.
        points: fp32, half, w8 as far as they passed, and the int8 models that were judged.
        unwritten: why models could not be made of settings that the search had found.
        front: of everything that was tried, what nothing else beats in bytes, share and overlap.
        tried: how many settings; ``known`` of them were measured by a run before.
        hurting: the blocks that hurt most, the worst first.
        kept, dropped: clips, the latter with the reason.
        chosen: name of the point that was published.
        manifest: of it.
        refusal: why nothing was published; empty where something was.
    """

    folder: Path
    workplace: Path
    format: str
    arch: str
    points: tuple[Point, ...]
    front: tuple[Tried, ...]
    tried: int
    known: int
    hurting: tuple[Hurting, ...]
    kept: tuple[ClipEntry, ...]
    dropped: Mapping[str, str]
    layers: Mapping[str, Sequence[str]]
    judged: str
    unwritten: tuple[str, ...] = ()
    chosen: str = ""
    manifest: Manifest | None = None
    refusal: str = ""

    def __bool__(self) -> bool:
        return self.manifest is not None

    @property
    def published(self) -> Point | None:
        return next((point for point in self.points if point.name == self.chosen), None)

    def as_dict(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "arch": self.arch,
            "format": self.format,
            "verdict": "published" if self else "refused",
            "chosen": self.chosen or None,
            "refusal": self.refusal or None,
            "judged": self.judged,
            "unwritten": list(self.unwritten),
            "points": [point.as_dict() for point in self.points],
            "search": {"settings": self.tried, "known": self.known, "front": [each.as_dict() for each in self.front]},
            "hurting": [each.as_dict() for each in self.hurting],
            "clips": [each.model_dump(mode="json") for each in self.kept],
            "dropped": [{"clip": name, "reason": reason} for name, reason in self.dropped.items()],
            "blocks": {name: list(layers) for name, layers in self.layers.items()},
            "manifest": self.manifest.model_dump(mode="json") if self.manifest else None,
        }
