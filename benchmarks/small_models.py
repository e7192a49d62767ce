"""What of small models passes, tracker by tracker and format by format: the table in docs/smaller.md."""

import csv
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.setting import MeasuringError, Setting, versions
from converter.report.text import NOTHING

FORMATS = ("ncnn", "onnx")
FORM = "{:<12}  {:<6}  {:<8}  {:>6}  {:>7}  {:>9}  {:>8}  {:>15}  {}"
HEADS = ("tracker", "format", "weights", "MB", "in int8", "mean IoU", "smallest", "free (floor)", "verdict")


def small(setting: Setting) -> dict[str, Any]:
    """lt-quantize of every trained tracker in every format: fp32, half, w8 and int8 on the same clips."""
    if not setting.tracked:
        raise MeasuringError("--tracked CLIP CSV is missing, a clip and the box of its target in every frame")
    words = [word for clip, track in setting.tracked for word in ("--clip", str(clip), "--box", _first_box(track))]
    lines = [FORM.format(*HEADS).rstrip()]
    for checkpoint in (setting.checkpoint(), *map(str, setting.others)):
        for format in FORMATS:
            lines += _lines(Path(checkpoint).stem, _quantised(setting, checkpoint, format, words))
    return {"lines": lines, "clips": [clip.name for clip, _ in setting.tracked], **versions()}


def _quantised(setting: Setting, checkpoint: str, format: str, clips: Sequence[str]) -> Mapping[str, Any]:
    """What ``lt-quantize --json`` says; a refusal is an answer, too."""
    with tempfile.TemporaryDirectory(dir=setting.folder) as folder:
        words = (checkpoint, *clips, "--format", format, "-o", f"{folder}/int8", "--json", "-q")
        result: dict[str, Any] = json.loads(setting.lt("quantize", *words, codes=(0, 1)))
    return result


def _lines(tracker: str, result: Mapping[str, Any]) -> Iterator[str]:
    """A line for each of its models, and one that says why nothing in int8 was published."""
    for point in result["points"]:
        if point["name"].startswith("int8") and point["name"] != result["chosen"]:
            continue
        worst = min(point["clips"], key=lambda clip: clip["free_running_mean"] - clip["floor"])
        cells = (
            f"{point['bytes'] / 1e6:.2f}",
            f"{point['int8_share']:.0%}" if point["int8_share"] else NOTHING,
            f"{min(clip['one_step_mean'] for clip in point['clips']):.4f}",
            f"{min(clip['one_step_smallest'] for clip in point['clips']):.3f}",
            f"{worst['free_running_mean']:.3f} ({worst['floor']:.3f})",
        )
        passed = all(clip["passed"] for clip in point["clips"])
        yield FORM.format(
            tracker, result["format"], point["name"].split()[0], *cells, "passed" if passed else "refused"
        )
    if result["verdict"] == "refused":
        yield FORM.format(tracker, result["format"], "int8", *[NOTHING] * 5, "refused")


def _first_box(track: Path) -> str:
    """x,y,w,h in the first frame."""
    with track.open(encoding="utf-8") as file:
        first = next(csv.DictReader(file))
    return ",".join(first[key] for key in ("x", "y", "w", "h"))
