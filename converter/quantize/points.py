"""From what was tried and judged to points beside each other."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from converter.formats.format import format_of
from converter.quantize.judging import Judged
from converter.quantize.latency import Latency
from converter.quantize.result import Hurting, Point, Tried
from converter.quantize.search import Block, Found, Setting
from converter.quantize.trials import device_bytes
from converter.spec.model import TrackerModels
from converter.util.front import pareto

SHOWN = 10  # blocks that hurt
Blocks = Mapping[str, Block]


def points_of(
    judged: Judged,
    floats: Mapping[str, Path],
    times: Mapping[str, Latency],
    tracker: TrackerModels,
    blocks: Blocks,
    whole: int,
) -> tuple[Point, ...]:
    """Models without int8, then those with it, the smallest first; the Pareto front of those not refused is marked.

    Args:
        floats: folders of the former by name.
        times: of the former by name, of the latter by their number in the order in which they were judged.
        whole: multiply-adds of a frame.
    """
    points = [
        Point(name, _bytes(folder, tracker), 0.0, judged.floats[name], times.get(name))
        for name, folder in floats.items()
    ]
    order = list(judged.settings)
    for number, setting in enumerate(sorted(order, key=lambda each: judged.models[each].bytes), 1):
        verdict = judged.settings[setting]
        points.append(
            Point(
                name=f"int8 {number}",
                bytes=judged.models[setting].bytes,
                share=share_of(setting, blocks, whole),
                clips=verdict.of_all or verdict.left_out,
                latency=times.get(str(order.index(setting))),
                whole=verdict,
                setting=setting,
            )
        )
    front = pareto({point.name: point.figures for point in points if point.whole is None or point.whole})
    return tuple(replace(point, front=point.name in front) for point in points)


def _bytes(folder: Path, tracker: TrackerModels) -> int:
    names = dict.fromkeys(name for model in tracker.models for name in model.files)
    (format,) = tracker.formats
    return device_bytes(format_of(format), {name: (folder / name).stat().st_size for name in names})


def share_of(setting: Setting, blocks: Blocks, whole: int) -> float:
    """Of the multiply-adds of a frame, those that are in int8."""
    return min(1.0, sum(blocks[name].multiply_adds for name in setting.blocks) / max(1, whole))


def tried_of(found: Found, blocks: Blocks, whole: int) -> tuple[Tried, ...]:
    """What was tried and nothing beats in bytes, share and overlap, the smallest files first."""
    tried = {
        setting: Tried(setting, share_of(setting, blocks, whole), each) for setting, each in found.measured.items()
    }
    front = pareto({key: (each.measured.bytes, -each.share, -min(each.measured.means)) for key, each in tried.items()})
    return tuple(sorted((tried[key] for key in front), key=lambda each: (each.measured.bytes, -each.share)))


def hurting_of(found: Found, blocks: Blocks) -> tuple[Hurting, ...]:
    """The blocks that hurt most: by how much the mean overlap rises when each alone is in float.

    None where nothing had to be left in float.
    """
    everything = frozenset(blocks)
    rises = []
    for corrected in (False, True):
        start = found.measured.get(Setting(everything, corrected))
        for name in blocks:
            without = found.measured.get(Setting(everything - {name}, corrected))
            if start and without:
                rise = (sum(without.means) - sum(start.means)) / len(start.means)
                rises.append(Hurting(name, blocks[name].layers, rise))
    worst: dict[str, Hurting] = {}
    for each in sorted(rises, key=lambda each: (-each.rise, each.block)):
        worst.setdefault(each.block, each)
    return tuple(each for each in worst.values() if each.rise > 0)[:SHOWN]
