"""Results of lt-bench with made-up times, for the tests of its table, notes, page and picture."""

import io
from pathlib import Path
from types import SimpleNamespace

from rich.console import Console

from converter.bench.candidates import candidates_for
from converter.bench.exports import Export
from converter.bench.measure import PARTS, Turn
from converter.bench.options import BenchOptions
from converter.bench.result import BenchResult, PartTimes
from converter.folder.listing import tool_versions
from converter.folder.manifest import FormatEntry, VerificationEntry
from converter.report.terminal import print_section
from converter.spec.dimensions import Dimensions
from converter.util.machine import Machine

SIZES = (127, 256)


def an_export(
    name="export", weights="fp32", formats=("ncnn", "onnx"), *, sha256="0", overlaps=None, settings=None, **more
):
    """One whose manifest says so much.

    Args:
        overlaps: format to the mean IoU that is said of its models.
        settings: of onnxruntime.
        more: bytes by format, status, problems.
    """
    pictures = tuple(
        {"format": format, "sizes": list(SIZES), "passed": True, "iou_mean": mean, "iou_smallest": mean - 0.1}
        for format, mean in (overlaps or {}).items()
    )
    manifest = SimpleNamespace(
        arch="LightTrackM_Subnet",
        path_name="back",
        precision=weights,
        checkpoint=SimpleNamespace(sha256=sha256, model_dump=lambda mode: {"file": "a.pth", "sha256": sha256}),
        formats={format: FormatEntry(session_options=settings or {}) for format in formats},
        verification=VerificationEntry(status=more.get("status", "passed"), pictures=pictures),
    )
    tracker = SimpleNamespace(
        formats=formats, dimensions=Dimensions(*SIZES, 16, 96, 8, 16), network=SimpleNamespace(sizes=SIZES)
    )
    size = more.get("bytes", {})
    sizes = {format: size.get(format, 12_850_000) for format in formats}
    return Export(name, Path(name), manifest, tracker, sizes, tuple(more.get("problems", ())))


def options_of(checkpoint="a.pth", **options):
    return BenchOptions(subject=SimpleNamespace(folder=Path("export"), checkpoint=checkpoint), **options)


BASE = {"ncnn": 0.010, "onnx": 0.020, None: 0.040}


def a_result(rounds=12, factor=lambda candidate, number: 1.0, loads=(0.1, 0.2), **more):
    """The result of made-up times: ncnn 10 ms, onnxruntime 20 ms, torch 40 ms, times a factor; init takes half."""
    options = options_of("a.pth" if more.get("torch", True) else None, threads=more.get("threads", (1,)))
    exports = more.get("exports", [an_export()])
    there, left_out = candidates_for(exports, options)

    def turn(candidate, number):
        time = BASE[candidate.format] * factor(candidate, number)
        graphs = {"ncnn": ["update"], "onnx": ["backbone", "neck_head"]}.get(candidate.format, [])
        return {
            "init": Turn((time / 2,) * 3, {"init": (time / 2,) * 3} if graphs else {}),
            "update": Turn((time,) * 3, {name: (time / len(graphs),) * 3 for name in graphs}),
        }

    turns = {candidate: [turn(candidate, number) for number in range(rounds)] for candidate in there}
    return BenchResult(
        options=options,
        exports=exports,
        machine=Machine("A CPU", 2, more.get("half", False), "Linux 6.1, x86_64"),
        loads=loads,
        versions=tool_versions(["numpy"]),
        times=[PartTimes(each, part, [turn[part] for turn in turns[each]]) for each in there for part in PARTS],
        left_out=left_out,
        late=[each for each in there if each.format == "onnx"] if more.get("late") else [],
        not_finite=more.get("not_finite", {}),
    )


def printed(result, width=160, per_graph=False, verbose=False):
    console = Console(width=width, file=io.StringIO())
    print_section(console, result.section(per_graph), verbose)
    return console.file.getvalue()
