"""What the documents' figures are measured with: the commands themselves, a section of the figures file each."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pnnx
import yaml

from benchmarks import picture
from converter.bench.machine import this_machine
from converter.folder.listing import tool_versions

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "run.svg"
DEMO, DEMO_EXPORT = "demo/LightTrackM_seeded.pth", "demo/export"
OTHER = "other.pth"
HALF_LARGEST = 65504
ARM_MODES = ("fp32", "fp16s", "fp16", "bf16")
BENCH_SIZE, BENCH_ROUNDS = 256, 20


class MeasuringError(RuntimeError):
    """Something could not be measured; the text says what is missing or what failed."""


@dataclass(frozen=True)
class Setting:
    """What is measured.

    Attributes:
        folder: where the commands are called and leave what they write.
        trained: a trained LightTrack-Mobile checkpoint; None where there is none.
        clip: a video for it.
        box: of its target in the first frame, x,y,w,h.
    """

    folder: Path
    trained: Path | None = None
    clip: Path | None = None
    box: str | None = None

    def checkpoint(self) -> str:
        if self.trained is None:
            raise MeasuringError("--trained is missing, a trained LightTrack-Mobile checkpoint")
        return str(self.trained)

    def clip_options(self) -> tuple[str, ...]:
        if self.clip is None or self.box is None:
            raise MeasuringError("--clip and --box are missing, a video and where its target is in the first frame")
        return ("--clip", str(self.clip), "--box", self.box)

    def run(self, *command: str, code: int = 0) -> str:
        """The command's stdout.

        Raises:
            MeasuringError: with its output, when it ends otherwise than with ``code``.
        """
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        if done.returncode != code:
            shown = f"{done.stdout}{done.stderr}{' '.join(command)}"
            raise MeasuringError(f"{shown}: exit code {done.returncode}, expected {code}")
        return done.stdout

    def lt(self, name: str, *words: str, code: int = 0) -> str:
        return self.run(sys.executable, "-m", f"converter.cli.{name}", *words, code=code)

    def demo_checkpoint(self) -> str:
        if not (self.folder / DEMO).exists():
            self.run(sys.executable, "-m", "converter.network.demo", DEMO)
        return DEMO


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
    return {"lines": setting.lt("verify", DEMO_EXPORT, "--resume", OTHER, code=1).splitlines()}


def run(setting: Setting) -> dict[str, Any]:
    """The picture of a run."""
    words = ("lt-export", "--resume", setting.demo_checkpoint(), "-o", DEMO_EXPORT)
    command = (sys.executable, "-m", "converter.cli.export", *words[1:])
    lines = picture.screen_of(command, setting.folder)
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
    theirs = json.loads(setting.lt("verify", *loose, *resume, "--json", code=1))
    return {"ours": _of_range(ours), "pnnx": _of_range(theirs), **_versions()}


def overflow(setting: Setting) -> dict[str, Any]:
    """How many times the nearest sum of the trained tracker would have to grow to leave the range of a half."""
    words = (*_trained_export(setting), "--fp16-report", *setting.clip_options(), "--json")
    layers = json.loads(setting.lt("verify", *words))["fp16"]["layers"]
    return {"headroom": min(HALF_LARGEST / layer["sum_bound"] for layer in layers if layer["sum_bound"])}


def arm(setting: Setting) -> dict[str, Any]:
    """Differences of the trained tracker from PyTorch in every mode of the emulated kernels, on crops of a clip."""
    modes = [word for mode in ARM_MODES for word in ("--arm-mode", mode)]
    words = (*_trained_export(setting), "--runtime", "ncnn-arm64", *modes, *setting.clip_options(), "--json")
    section = json.loads(setting.lt("verify", *words))["arm"]
    return {"modes": {mode["mode"]: _arm_mode(mode["checks"]) for mode in section["modes"]}, "about": section["about"]}


def bench(setting: Setting) -> dict[str, Any]:
    """The trained tracker on this machine."""
    words = (*_trained_export(setting), "--rounds", str(BENCH_ROUNDS))
    table = [line.rstrip() for line in setting.lt("bench", *words).splitlines()]
    first = next(number for number, line in enumerate(table) if line.startswith("Runtime"))
    rows = table[first : first + 1 + table[first:].index("")] if "" in table[first:] else table[first:]
    return {"lines": [row for row in rows if row], **_versions()}


def counts(_: Setting) -> dict[str, Any]:
    """What is counted in the project itself."""
    mutants = yaml.safe_load((ROOT / "tests/mutants/mutants.yaml").read_text(encoding="utf-8"))
    return {"mutants": len(mutants)}


SECTIONS: Mapping[str, Callable[[Setting], dict[str, Any]]] = {
    each.__name__: each for each in (demo, failed, run, counts, half, overflow, arm, bench)
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


def _arm_mode(checks: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    checks = list(checks)
    boxes = [check["best_box"]["moved"] for check in checks if check["best_box"]]
    return {**_largest(checks, "max_abs"), "box": max(boxes)}


def _versions() -> dict[str, Any]:
    machine = this_machine()
    return {
        "machine": f"{machine.cpu}, {machine.cores} cores, {machine.system}",
        "versions": tool_versions(["torch", "pnnx", "ncnn", "onnxruntime"]),
    }
