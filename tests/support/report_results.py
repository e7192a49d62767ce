"""Results of lt-verify, small but with every section, for the tests of the reports."""

import base64
from dataclasses import replace
from pathlib import Path

import numpy as np
from clips import report as clip_report
from clips import row as clip_row
from comparisons import tracker_of

from converter.checks.arm import ARM
from converter.checks.arm.section import ArmSection
from converter.checks.device.decision import best_of
from converter.checks.device.modes import MODES
from converter.checks.device.probe import Proof
from converter.checks.device.section import Blob, BlobCounts, Counts, ModeCheck, ModeResult
from converter.checks.dumps.causes import SIGMOID
from converter.checks.dumps.report import DumpsReport, TensorReport
from converter.checks.half.report import HalfReport, LayerReport
from converter.checks.layers.figures import Figures
from converter.checks.layers.walk import FirstBad, LayerRow, LayerWalk
from converter.checks.layers.walks import Walks
from converter.folder.exported import FileProblem
from converter.folder.listing import CheckpointEntry
from converter.folder.manifest import Manifest
from converter.folder.subject import Subject
from converter.proof.compare import Decision, OutputReport, compare
from converter.proof.histogram import Histogram
from converter.proof.verify import Check, Report
from converter.spec.config import network_for
from converter.spec.dimensions import Dimensions
from converter.spec.model import Model, TrackerModels
from converter.spec.network import ModeTolerances
from converter.spec.tensors import Tolerance
from converter.verifying.result import Verification, VerifyResult

JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQEAYABgAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4z"
    "NDL/wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAACf/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AVN//2Q=="
)
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="
)
OUTPUTS = {"init": ("zf",), "update": ("cls", "reg")}
NETWORK = network_for(None)[1]
DIMENSIONS = Dimensions(127, 256, 16, 96, 8, 16)
EXPORT = Path("/exports/e1")


def output(name: str, max_abs: float = 1e-5, problem: str | None = None) -> OutputReport:
    """Figures of an output whose tolerance is 1e-3."""
    if problem:
        return OutputReport(name=name, problem=problem, atol=0.0, rtol=1e-4)
    figures = {"mean_abs": max_abs / 3, "range": 10.0, "relative": max_abs / 10, "cosine": 0.99999997}
    limits = {"atol": 0.0, "rtol": 1e-4, "allowed": 1e-3, "needed_rtol": max_abs / 10}
    return OutputReport(name=name, problem=None, max_abs=max_abs, **figures, **limits)


def check(graph: str, feed: str, *outputs: OutputReport, same: bool = True) -> Check:
    """A comparison of an ncnn graph, run alone."""
    decision = Decision("cls", (8, 6), (8, 6) if same else (2, 3), same, False)
    return Check("ncnn", graph, "alone", feed, outputs, decision if graph == "update" else None)


def checks() -> list[Check]:
    return [
        check(graph, feed, *map(output, names)) for feed in ("noise 0", "noise 1") for graph, names in OUTPUTS.items()
    ]


def subject(manifest: bool = True, names_from: str = "manifest") -> Subject:
    models = tuple(
        Model(graph, "ncnn", tuple(f"lighttrack_{graph.name}.{end}" for end in ("param", "bin")), names_from)
        for graph in NETWORK.graph_specs("two", DIMENSIONS)
    )
    tracker = TrackerModels(NETWORK, DIMENSIONS, models)
    return Subject(_manifest(models) if manifest else None, EXPORT, (tracker,))


def _manifest(models: tuple[Model, ...]) -> Manifest:
    checkpoint = {"file": "LightTrackM.pth", "sha256": "37c3" * 16, "epoch": 30}
    graphs = [
        {
            "name": model.graph.name,
            "format": model.format,
            "files": [{"name": name, "sha256": "ab12" * 16, "bytes": 1} for name in model.files],
            "inputs": model.graph.inputs,
            "outputs": model.graph.outputs,
        }
        for model in models
    ]
    return Manifest.model_validate(
        {
            "schema_version": 1,
            "generator": {"name": "lighttrack-export", "version": "0.1.0"},
            "arch": "LightTrackM_Subnet",
            "path_name": NETWORK.path_name,
            "checkpoint": checkpoint,
            "precision": "fp32",
            "graphs": graphs,
            "tracker": {"template_size": 127, "search_size": 256},
            "verification": {"status": "passed"},
        }
    )


def verification(*compared: Check, failed: tuple[str, ...] = ()) -> Verification:
    return Verification(
        report=Report(compared),
        failed=frozenset(failed),
        candidates={"ncnn": "ncnn on the CPU, fp32"},
        sizes=((127, 256),),
        feeds=("noise 0", "noise 1"),
        tolerances={name: Tolerance(rtol=1e-4) for name in ("zf", "cls", "reg")},
        histograms=tuple(
            Histogram("ncnn", graph, "alone", name, -10, (5, 0, 10, 200, 80, 1, 0, 0, 0, 0, 0))
            for graph, names in OUTPUTS.items()
            for name in names
        ),
    )


WEIGHTS = CheckpointEntry(file="LightTrackM.pth", sha256="37c3" * 16)


def result(**more) -> VerifyResult:
    """A passed run of an export, without anything that has to be asked for.

    Args:
        more: attributes, or the result of a check under its key.
    """
    asked = {key: more.pop(key) for key in ("layers", "clip", "dumps", "fp16", "arm") if key in more}
    about = more.pop("subject", subject())
    paths = [path for model in about.tracker.models for path in model.paths(about.folder)]
    values = {
        "arch": "LightTrackM_Subnet",
        "export": EXPORT,
        "subject": about,
        "files": (),
        "checksums": dict.fromkeys(paths, "ab12" * 16),
        "reference": "unpatched template() and track(), weights of LightTrackM.pth",
        "weights": WEIGHTS,
        "verification": verification(*checks()),
        "checks": asked,
        "problems": tuple(one.failure() for one in asked.values() if not one),
        "warnings": tuple(filter(None, [about.other_checkpoint(more.get("weights", WEIGHTS))])),
        "tools": {"python": "3.11.7", "ncnn": "1.0.20261020"},
    }
    return VerifyResult(**{**values, **more})


def full(passed: bool = True) -> VerifyResult:
    """A run that was asked for everything; of one that failed, every section has."""
    asked = {"layers": layers(passed), "clip": clip(passed), "dumps": dumps(passed), "fp16": half(passed)}
    asked["arm"] = arm(passed)
    if passed:
        return result(**asked)
    wrong = check("update", "noise 2", output("cls", 0.5), output("reg", 0.5), same=False)
    return result(
        **asked,
        files=(FileProblem("lighttrack_init.bin", "is missing"),),
        problems=("lighttrack_init.bin is missing", "cls is off"),
        verification=verification(*checks(), wrong),
    )


def layer_row(index: int, relative: float | None = 1e-6, passed: bool = True, problem: str | None = None) -> LayerRow:
    figures = Figures(problem, relative and relative * 10, 1e-3, relative, 0.999999, -5.0, 5.0)
    place = {"type": "Convolution", "blob": str(index), "module": f"features.{index}", "operation": "convolution"}
    return LayerRow(layer=f"conv_{index}", **place, figures=figures, matched=True, passed=passed)


def layers(passed: bool = True, number: int = 12, walks: int = 1) -> Walks:
    rows = [layer_row(index, 1e-7 * (1 + index % 5)) for index in range(number)]
    first = None
    if not passed:
        rows[7] = layer_row(7, 0.2, False)
        rows[8] = layer_row(8, None, False, problem="3 of 9 values are NaN or infinite")
        why = "its inputs are right, its output is not"
        first = FirstBad("conv_7", "Convolution", "features.7", "convolution", why, rows[7])
    walk = LayerWalk("update", "ncnn", tuple(rows), 0, first, passed)
    return Walks((walk,) * walks)


def clip(passed: bool = True, number: int = 40):
    """One candidate; of one that failed, two frames of three are off."""
    overlaps = [1.0 if index == 0 else 0.99 - (0.5 if not passed and index % 3 else 0.0) for index in range(number)]
    found = clip_report([clip_row(index, ncnn=overlap) for index, overlap in enumerate(overlaps)])
    return replace(found, thumbnails=((2, JPEG), (5, PNG)))


def dumps(passed: bool = True) -> DumpsReport:
    right = np.linspace(0, 1, 8, dtype=np.float32)
    tolerance = Tolerance(rtol=1e-4)
    place = {"case": "case_0", "title": "noise 0", "graph": "update", "layout": "NHWC", "notes": ()}

    def tensor(name: str, role: str, off: float) -> TensorReport:
        figures = compare(name, right + np.float32(off), right, tolerance)
        explanations = ((SIGMOID,),) if off else ()
        about = {"file": f"noise_0/{name}.bin", "name": name, "meaning": name, "role": role}
        return TensorReport(**place, **about, figures=figures, explanations=explanations)

    tensors = (tensor("cls", "output", 0.0 if passed else 3.0), tensor("tower.1", "intermediate", 0.0))
    return DumpsReport("/device/dumps", tensors, (), ("readme.txt",), (), 0)


def half(passed: bool = True, number: int = 12) -> HalfReport:
    rows = [
        LayerReport(
            *("init", f"conv_{index}", "Convolution", str(index), -20.0, 40.0, 40.0, 1e-6, 0.001, 0.0),
            *(90.0 if index % 2 else None, False, None),
        )
        for index in range(number)
    ]
    if not passed:
        rows[4] = replace(rows[4], largest=float("inf"))
    return HalfReport(("noise 0",), tuple(rows))


def arm(passed: bool = True) -> ArmSection:
    """One mode on one input; of one that failed, the scores are NaN from the first layer on."""
    right = {"cls": np.full((1, 1, 6, 6), -5.0, np.float32), "reg": np.ones((1, 4, 6, 6), np.float32)}
    right["cls"][0, 0, 2, 3] = 2.0
    given = right if passed else {**right, "cls": np.full_like(right["cls"], np.nan)}
    outputs = tuple(compare(name, given[name], right[name], Tolerance(rtol=0.02)) for name in right)
    counts = {name: Counts(array.size, int(np.isnan(array).sum()), 0) for name, array in given.items()}
    allowed = ModeTolerances(tolerances={}, box_pixels=1.0, score=0.05)
    best = best_of(given, right, tracker_of(()), allowed)
    checked = ModeCheck(ARM, "fp16", Check("ncnn", "update", "chained", "noise 0", outputs, None), best, counts)
    blob = Blob("conv_0", "Convolution", "1", 36, 0, 0 if passed else 36, None)
    blobs = BlobCounts("update", "noise 0", (blob,))
    mode = ModeResult(MODES["fp16"], Proof(True, "half", "half"), None, (checked,), (blobs,), allowed)
    return ArmSection("max", True, {"ncnn": "1.0", "numpy": "2", "python": "3"}, ("noise 0",), (mode,), ())
