"""What the documents' figures are measured with: the commands themselves, a section of the figures file each."""

import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import pnnx
import yaml

from benchmarks import picture
from benchmarks.measure import MEGABYTE
from benchmarks.setting import ROOT, MeasuringError, Setting, command_of, versions
from benchmarks.small_models import small
from converter.checks.arm.setup import setup_arm
from converter.checks.arm.wheels import platforms
from converter.util.stages import Silent, Stages

PICTURE = ROOT / "docs" / "run.svg"
DEMO_EXPORT = "demo/export"
OTHER = "other.pth"
HALF_LARGEST = 65504
NEWEST_GLIBC = 40
ARM_MODES = ("fp32", "fp16s", "fp16", "bf16")
ARM_UPDATE = r": update on .+ took ([\d.]+) s"  # on stderr, with -v
BENCH_SIZE, BENCH_ROUNDS, BENCH_SECONDS = 256, 20, 900
MEMORY_RUNS = 5


def demo(setting: Setting) -> dict[str, Any]:
    """The proof of ``make demo``, and how much smaller one model for both is."""
    words = ("--resume", setting.demo_checkpoint())
    lines = setting.lt("export", *words, "-o", DEMO_EXPORT).splitlines()
    setting.lt("export", *words, "--split", "one", "-o", "one", "-q")
    two, one = (_bytes(setting.folder / name) for name in (DEMO_EXPORT, "one"))
    return {"lines": lines, "share_of_one_model": one / two}


def failed(setting: Setting) -> dict[str, Any]:
    """What a failed proof looks like: the demo's export beside other weights."""
    setting.lt("export", "--resume", setting.demo_checkpoint(), "-o", DEMO_EXPORT, "-q")
    setting.run(sys.executable, "-m", "converter.network.demo", OTHER, "--seed", "1")
    return {"lines": setting.lt("verify", DEMO_EXPORT, "--resume", OTHER, codes=(1,)).splitlines()}


def run(setting: Setting) -> dict[str, Any]:
    """The picture of a run."""
    words = ("lt-export", setting.demo_checkpoint(), "-o", DEMO_EXPORT)
    lines = picture.screen_of((*command_of("export"), *words[1:]), setting.folder)
    picture.draw(PICTURE, words[0], [(" ".join(words), lines)])
    return {"command": " ".join(words), "lines": [line.plain for line in lines]}


def half(setting: Setting) -> dict[str, Any]:
    """The largest error of the trained tracker with half weights, as a share of the output's range."""
    resume = ("--resume", setting.checkpoint())
    ours = json.loads(setting.lt("export", *resume, "--half", "-o", "half", "--json"))
    setting.run(sys.executable, "-m", "benchmarks.hand_made", setting.checkpoint(), str(setting.folder / "pnnx"))
    loose = []
    for graph, shapes in (("init", "[1,3,127,127]"), ("update", "[1,96,8,8],[1,3,288,288]")):
        setting.run(pnnx.EXEC_PATH, f"pnnx/lighttrack_{graph}.pt", f"inputshape={shapes}", "fp16=1")
        loose += [f"--{graph}", f"pnnx/lighttrack_{graph}.ncnn.param"]
    theirs = json.loads(setting.lt("verify", *loose, *resume, "--json", codes=(1,)))
    return {"ours": _of_range(ours), "pnnx": _of_range(theirs), **versions()}


def overflow(setting: Setting) -> dict[str, Any]:
    """How many times the nearest sum of the trained tracker would have to grow to leave the range of a half."""
    words = (*_trained_export(setting), "--fp16-report", *setting.clip_options(), "--json")
    layers = json.loads(setting.lt("verify", *words))["fp16"]["layers"]
    return {"headroom": min(HALF_LARGEST / layer["sum_bound"] for layer in layers if layer["sum_bound"])}


def arm(setting: Setting) -> dict[str, Any]:
    """Differences of the trained tracker from PyTorch in every mode of the emulated kernels, on crops of a clip."""
    modes = [word for mode in ARM_MODES for word in ("--arm-mode", mode)]
    words = (
        *_trained_export(setting),
        "--runtime",
        "ncnn-arm64",
        "--arm-inputs",
        "1",
        *modes,
        *setting.clip_options(),
        "--json",
        "-v",
    )
    done = setting.run(*command_of("verify"), *words)
    return _arm_figures(json.loads(done.stdout), done.stderr)


def arm_setup(setting: Setting) -> dict[str, Any]:
    """Megabytes and seconds of ``lt-verify --setup-arm``."""
    folder, fetched = setting.folder / "arm64", _Fetched(setting.folder)
    start = time.perf_counter()
    root, _ = setup_arm(folder, Stages(fetched))
    seconds = time.perf_counter() - start
    assert root.record is not None  # as in every root that is set up
    words = ["--no-deps", "--only-binary=:all:", "--python-version", root.record.python, "-d", "wheels"]
    words += [word for platform in platforms(NEWEST_GLIBC) for word in ("--platform", platform)]
    wanted = [f"{name}=={version}" for name, version in root.record.wheels.items()]
    setting.run(sys.executable, "-m", "pip", "download", "-q", *words, *wanted)
    return {
        "download": (fetched.bytes + _bytes(setting.folder / "wheels")) / MEGABYTE,
        "qemu": fetched.qemu / MEGABYTE,
        "disk": sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / MEGABYTE,
        "seconds": seconds,
    }


class _Fetched(Silent):
    """A Progress that adds up the packages of an ARM root before they are unpacked and deleted."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bytes, self.qemu = folder, 0, 0

    def begin(self, stage: str) -> None:
        if stage == "unpack":
            for path in self.folder.glob(".arm64.*.part/work/**/*"):
                if path.is_file() and not path.is_symlink():
                    self.bytes += path.stat().st_size
                    self.qemu += path.stat().st_size if path.name.startswith("qemu") else 0


def bench(setting: Setting) -> dict[str, Any]:
    """The trained tracker on this machine, which had better be idle."""
    words = (*_trained_export(setting), "--rounds", str(BENCH_ROUNDS), "--seconds", str(BENCH_SECONDS))
    shown = setting.lt("bench", *words).splitlines()
    first = next(number for number, line in enumerate(shown) if line.startswith("Runtime "))
    last = next(number for number, line in enumerate(shown) if line.startswith(("- ", "median ")))
    return {"lines": [line.rstrip() for line in shown[first:last]], **versions()}


def wrong_models(setting: Setting) -> dict[str, Any]:
    """How many models made wrong on purpose the proof fails on its default inputs."""
    if not setting.tracked:
        raise MeasuringError("--tracked CLIP CSV is missing, a clip and the box of its target in every frame")
    clips, tracks = ([str(path) for path in paths] for paths in zip(*setting.tracked, strict=True))
    file = setting.folder / "wrong_models.json"
    drawn = ("--seed", "11", "--faults", "600", "--crops", "2", "--confirm", "30")
    words = ("--resume", setting.checkpoint(), "--clips", *clips, "--tracks", *tracks, *drawn, "--json", str(file))
    setting.run(sys.executable, "-m", "benchmarks.wrong_models", *words)
    measured: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return measured


def counts(_: Setting) -> dict[str, Any]:
    """What is counted in the project itself."""
    mutants = yaml.safe_load((ROOT / "tests/mutants/mutants.yaml").read_text(encoding="utf-8"))
    return {"mutants": len(mutants)}


def smaller(setting: Setting) -> dict[str, Any]:
    """Bytes and memory of the trained tracker's models apart, with one weights file, and as one model."""
    formats = {"ncnn": ("two", "one"), "onnx": ("two",)}
    form = "{:<16}  {:<5}  {:>8}  {:>10}"
    lines = [form.format("models", "", "bytes", "memory")]
    for format, splits in formats.items():
        asked = {f"--split {split}": ("--split", split) for split in splits}
        asked["--share-weights"] = ("--split", "two", "--share-weights")
        for name, words in asked.items():
            folder = f"{format}{name.replace(' ', '')}"
            resume = ("--resume", setting.checkpoint(), "--search-size", str(BENCH_SIZE))
            setting.lt("export", *resume, "--format", format, *words, "-o", folder, "-q")
            command = (sys.executable, "-m", "benchmarks.memory", folder, format)
            memory = [int(setting.run(*command).stdout) / MEGABYTE for _ in range(MEMORY_RUNS)]
            size = _bytes(setting.folder / folder) / MEGABYTE
            lines.append(form.format(name, format, f"{size:.2f} MB", f"{median(memory):.1f} MB"))
    return {"lines": lines, **versions()}


SECTIONS: Mapping[str, Callable[[Setting], dict[str, Any]]] = {
    each.__name__: each
    for each in (demo, failed, run, counts, half, smaller, small, overflow, arm, arm_setup, bench, wrong_models)
}


def _trained_export(setting: Setting) -> tuple[str, ...]:
    """Words for a command about an export of the trained checkpoint."""
    resume = ("--resume", setting.checkpoint())
    if not (setting.folder / "trained").exists():
        setting.lt("export", *resume, "--search-size", str(BENCH_SIZE), "-o", "trained", "-q")
    return ("trained", *resume)


def _bytes(export: Path) -> int:
    return sum(path.stat().st_size for path in export.iterdir() if path.name != "manifest.json")


def _of_range(result: Mapping[str, Any]) -> dict[str, float]:
    return _largest(result["verification"]["checks"], "relative")


def _largest(checks: Iterable[Mapping[str, Any]], figure: str) -> dict[str, float]:
    """Output -> its largest figure in all checks."""
    largest: dict[str, float] = {}
    for check in checks:
        for output in check["outputs"]:
            largest[output["name"]] = max(largest.get(output["name"], 0.0), output[figure])
    return largest


def _arm_figures(result: Mapping[str, Any], messages: str) -> dict[str, Any]:
    """What ``lt-verify --json`` says of the modes, and its messages of the seconds that an update took."""
    seconds = [float(number) for number in re.findall(ARM_UPDATE, messages)]
    measured = {mode["name"]: _arm_mode(mode["checks"]) for mode in result["arm"]["modes"]}
    ranges = _largest(result["verification"]["checks"], "range")
    form = "{:<6}  {:>14}  {:>14}  {:>14}  {:>11}"
    heads = (f"{name}, range {ranges[name]:.0f}" for name in ("zf", "cls", "reg"))
    lines = [form.format("mode", *heads, "box, pixels")]
    for mode, largest in measured.items():
        digits, of_box = (5, 3) if mode == "fp32" else (2, 2)
        cells = (f"{largest[name]:.{digits}f}" for name in ("zf", "cls", "reg"))
        lines.append(form.format(mode, *cells, f"{largest['box']:.{of_box}f}"))
    return {"modes": measured, "ranges": ranges, "lines": lines, "update_seconds": [min(seconds), max(seconds)]}


def _arm_mode(checks: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    checks = list(checks)
    boxes = [check["best_box"]["moved"] for check in checks if check["best_box"]]
    return {**_largest(checks, "max_abs"), "box": max(boxes)}
