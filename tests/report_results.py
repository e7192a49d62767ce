"""Results of lt-verify, small but with every section, for the tests of the reports."""

import base64
from typing import Any

JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQEAYABgAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4z"
    "NDL/wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAACf/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AVN//2Q=="
)
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="
)
OUTPUTS = {"init": ("zf",), "update": ("cls", "reg")}


def output(name: str, max_abs: float | None = 1e-5, problem: str | None = None) -> dict[str, Any]:
    """Figures of an output whose tolerance is 1e-3."""
    passed = problem is None and max_abs <= 1e-3
    found = None if problem else max_abs
    return {
        "name": name,
        "problem": problem,
        "max_abs": found,
        "mean_abs": None if problem else max_abs / 3,
        "range": None if problem else 10.0,
        "relative": None if problem else max_abs / 10,
        "cosine": None if problem else 0.99999997,
        "atol": 0.0,
        "rtol": 1e-4,
        "allowed": None if problem else 1e-3,
        "needed_rtol": None if problem else max_abs / 10,
        "passed": passed,
    }


def check(graph: str, feed: str, *outputs: dict[str, Any], same: bool = True) -> dict[str, Any]:
    """A comparison of an ncnn graph, run alone."""
    cell = {"output": "cls", "reference": [8, 6], "candidate": [8, 6] if same else [2, 3], "same": same, "tie": False}
    return {
        "format": "ncnn",
        "graph": graph,
        "how": "alone",
        "feed": feed,
        "passed": same and all(one["passed"] for one in outputs),
        "outputs": list(outputs),
        "best_cell": {**cell, "passed": same} if graph == "update" else None,
    }


def result(**more: Any) -> dict[str, Any]:
    """A passed run of an export, without anything that has to be asked for."""
    checks = [
        check(graph, feed, *(output(name) for name in names))
        for feed in ("noise 0", "noise 1")
        for graph, names in OUTPUTS.items()
    ]
    tensors = [
        {"role": "input", "name": "in0", "meaning": "z", "about": "template crop", "shape": [1, 3, 127, 127]},
        {"role": "output", "name": "out0", "meaning": "zf", "about": "template features", "shape": [1, 96, 8, 8]},
    ]
    return {
        "schema_version": 1,
        "generator": {"name": "lighttrack-export", "version": "0.1.0", "command": "lt-verify"},
        "verdict": "passed",
        "problems": [],
        "folder": "/exports/e1",
        "arch": "LightTrackM_Subnet",
        "path_name": "back_0+cls_1+reg_2_ops_32",
        "checkpoint": {"file": "LightTrackM.pth", "sha256": "37c3" * 16, "epoch": 30},
        "precision": "fp32",
        "sizes": {"template_size": 127, "search_size": 256},
        "models": [
            {
                "name": graph,
                "format": "ncnn",
                "files": [
                    {"name": f"/exports/e1/lighttrack_{graph}.{end}", "sha256": "ab12" * 16} for end in ("param", "bin")
                ],
                "names_from": "manifest",
                "tensors": tensors,
            }
            for graph in OUTPUTS
        ],
        "files": {"status": "passed", "problems": []},
        "reference": "unpatched template() and track(), weights of LightTrackM.pth",
        "verification": {
            "status": "passed",
            "candidates": {"ncnn": "ncnn on the CPU, fp32"},
            "feeds": ["noise 0", "noise 1"],
            "tolerances": {name: {"atol": 0.0, "rtol": 1e-4} for name in ("zf", "cls", "reg")},
            "checks": checks,
        },
        "histograms": [
            {
                "format": "ncnn",
                "graph": graph,
                "how": "alone",
                "output": name,
                "first_decade": -10,
                "counts": [5, 0, 10, 200, 80, 1, 0, 0, 0, 0, 0],
            }
            for graph, names in OUTPUTS.items()
            for name in names
        ],
        "tools": {"python": "3.11.7", "ncnn": "1.0.20261020"},
        **more,
    }


def arm(passed: bool = True) -> dict[str, Any]:
    """One mode on one input; of one that failed, the scores are NaN from the first layer on."""
    bad = 0 if passed else 324
    scores = output("cls") if passed else output("cls", None, problem="324 of 324 values are NaN or infinite")
    checked = {**check("update", "noise 0", scores, output("reg")), "format": "ncnn-arm64 fp16", "how": "chained"}
    box = {"reference": [1.0, 2.0, 3.0, 4.0], "candidate": [1.0, 2.0, 3.0, 4.1], "moved": 0.1, "scores": [0.9, 0.89]}
    box |= {"allowed_pixels": 0.5, "allowed_score": 0.03, "score_off": 0.01, "passed": True}
    blob = {"layer": "conv_0", "type": "Convolution", "blob": "1", "size": 324, "nan": 0, "inf": bad, "largest": None}
    counts = {"cls": {"size": 324, "nan": bad, "inf": 0}, "reg": {"size": 1296, "nan": 0, "inf": 0}}
    mode = {
        "name": "fp16",
        "about": "half storage and arithmetic, ncnn's default on ARM",
        "passed": passed,
        "failure": None if passed else "fp16: 1 of 1 checks, update (chained, noise 0): cls",
        "proof": {"half_cpu": True, "storage": "half", "arithmetic": "half"},
        "tolerances": {"box_pixels": 0.5, "score": 0.03},
        "checks": [{**checked, "best_box": box if passed else None, "counts": counts}],
        "blobs": [{"graph": "update", "feed": "noise 0", "first_bad": blob, "bad": 1, "blobs": [blob]}],
    }
    return {
        "about": "emulated aarch64: ncnn 1.0 in qemu user mode, cpu max, which has half arithmetic",
        "cpu": "max",
        "half_arithmetic": True,
        "versions": {"ncnn": "1.0"},
        "passed": passed,
        "failure": None if passed else f"ncnn-arm64 (emulated aarch64): {mode['failure']}",
        "feeds": ["noise 0"],
        "modes": [mode],
        "masks": [],
    }


def full(passed: bool = True) -> dict[str, Any]:
    """A run that was asked for everything; of one that failed, every section has."""
    sections = {"layers": layers(passed), "clip": clip(passed), "dumps": dumps(passed), "fp16": half(passed)}
    sections["arm"] = arm(passed)
    if passed:
        return result(**sections)
    files = {"status": "failed", "problems": [{"file": "lighttrack_init.bin", "problem": "is missing"}]}
    found = result(verdict="failed", problems=["lighttrack_init.bin is missing", "cls is off"], files=files, **sections)
    found["verification"]["checks"].append(
        check("update", "noise 2", output("cls", 0.5), output("reg", 0.5), same=False)
    )
    found["error"] = {"exit_code": 1, "message": "lighttrack_init.bin is missing; cls is off"}
    return found


def layer_row(index: int, relative: float | None = 1e-6, passed: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "layer": f"conv_{index}",
        "type": "Convolution",
        "blob": str(index),
        "module": f"features.{index}",
        "operation": "convolution",
        "problem": None,
        "max_abs": relative and relative * 10,
        "allowed": 1e-3,
        "relative": relative,
        "cosine": 0.999999,
        "minimum": -5.0,
        "maximum": 5.0,
        "own": None,
        "matched": True,
        "passed": passed,
        **more,
    }


def layers(passed: bool = True, number: int = 12) -> list[dict[str, Any]]:
    rows = [layer_row(index, 1e-7 * (1 + index % 5)) for index in range(number)]
    walk = {"graph": "update", "format": "ncnn", "passed": passed, "matched": number, "total": number}
    first = None
    if not passed:
        rows[7] = layer_row(7, 0.2, False)
        rows[8] = layer_row(8, None, False, problem="3 of 9 values are NaN or infinite")
        first = {
            **{key: rows[7][key] for key in ("layer", "type", "module", "operation")},
            "reason": "its inputs are right, its output is not",
            "figures": rows[7],
        }
    return [{**walk, "rounding": 0, "outputs_passed": passed, "first_bad": first, "rows": rows}]


def clip(passed: bool = True, number: int = 40) -> dict[str, Any]:
    overlaps = [1.0 if index == 0 else 0.99 - (0.5 if not passed and index % 3 else 0.0) for index in range(number)]
    mean = sum(overlaps[1:]) / (number - 1)
    place = {"box": [312.0, 146.0, 106.0, 98.0], "score": 0.97}
    smallest = min(range(number), key=overlaps.__getitem__)
    return {
        "passed": passed,
        "clip": {"name": "bag.avi", "width": 480, "height": 360, "fps": 30.0},
        "box": place["box"],
        "min_iou": 0.9,
        "notable_iou": 0.9,
        "reference": {"problem": None, "tracked": number - 1, "milliseconds": 70.1, "fps": 11.0},
        "candidates": [
            {
                "name": "ncnn",
                "passed": passed,
                "problem": None,
                "tracked": number - 1,
                "iou": {
                    "mean": mean,
                    "smallest": overlaps[smallest],
                    "smallest_frame": smallest,
                    "first_below": None if passed else 1,
                },
                "score_difference": {"max": 1e-3, "mean": 1e-5},
                "milliseconds": 39.2,
                "fps": 20.0,
            }
        ],
        "frames": [
            {"frame": index, "reference": place, "candidates": {"ncnn": {**place, "iou": overlap}}}
            for index, overlap in enumerate(overlaps)
        ],
    }


def dumps(passed: bool = True) -> dict[str, Any]:
    cause = {"cause": "sigmoid_applied", "text": "it is a probability, a logit is expected"}
    place = {"case": "case_0", "title": "noise 0", "graph": "update", "name": "cls"}
    tensor = {**place, "meaning": "cls", "role": "output", "file": "noise_0/cls.bin", "layout": "NHWC", "notes": []}
    return {
        "folder": "/device/dumps",
        "passed": passed,
        "tensors": [
            {
                **tensor,
                "passed": passed,
                "figures": output("cls", 1e-5 if passed else 3.0),
                "causes": [] if passed else [cause],
                "alternatives": [],
            },
            {
                **tensor,
                "name": "tower.1",
                "role": "intermediate",
                "passed": True,
                "figures": output("tower.1"),
                "causes": [],
                "alternatives": [],
            },
        ],
        "causes": [] if passed else [{**cause, "tensors": [place]}],
        "first_off": [] if passed else [place],
        "missing": [{"case": "case_1", "graph": "update", "name": "reg", "role": "output"}],
        "other_files": ["readme.txt"],
        "notes": [],
        "runs": 0,
    }


def half(passed: bool = True, number: int = 12) -> dict[str, Any]:
    rows = [
        {
            "graph": "init",
            "layer": f"conv_{index}",
            "type": "Convolution",
            "blob": str(index),
            "low": -20.0,
            "high": 40.0,
            "largest": 40.0,
            "smallest": 1e-6,
            "subnormal": 0.001,
            "zero": 0.0,
            "sum_bound": 90.0 if index % 2 else None,
            "masked": False,
            "problem": None,
            "headroom": 700.0,
            "verdict": "ok",
        }
        for index in range(number)
    ]
    failure = None
    if not passed:
        rows[4] = {**rows[4], "largest": None, "headroom": None, "verdict": "leaves"}
        failure = "blob 4 of layer conv_4 in init reaches infinity, beyond half's 65504"
    return {
        "passed": passed,
        "failure": failure,
        "run": "ranges of the blobs: ncnn in float32",
        "bounds": "sums: upper bounds, no half kernel was run",
        "feeds": ["noise 0"],
        "advice": [] if passed else ["no mask saves a blob, set use_fp16_storage = false"],
        "protect": {},
        "masks": [],
        "not_analysed": [],
        "layers": rows,
    }
