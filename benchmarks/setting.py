"""What the figures of the documents are measured on, and how our commands are called for them."""

import os
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.folder.listing import tool_versions
from converter.util.machine import this_machine

ROOT = Path(__file__).parent.parent
DEMO = "demo/LightTrackM_seeded.pth"
COLUMNS = "140"


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
        tracked: clips, each with a CSV of its target's box in every frame.
        others: checkpoints of other trained trackers.
    """

    folder: Path
    trained: Path | None = None
    clip: Path | None = None
    box: str | None = None
    tracked: tuple[tuple[Path, Path], ...] = ()
    others: tuple[Path, ...] = ()

    def checkpoint(self) -> str:
        if self.trained is None:
            raise MeasuringError("--trained is missing, a trained LightTrack-Mobile checkpoint")
        return str(self.trained)

    def clip_options(self) -> tuple[str, ...]:
        if self.clip is None or self.box is None:
            raise MeasuringError("--clip and --box are missing, a video and where its target is in the first frame")
        return ("--clip", str(self.clip), "--box", self.box)

    def run(self, *command: str, codes: Collection[int] = (0,)) -> subprocess.CompletedProcess[str]:
        """The command when it has ended.

        Raises:
            MeasuringError: with its output, when it ends with none of ``codes``.
        """
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": COLUMNS}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        if done.returncode not in codes:
            shown = f"{done.stdout}{done.stderr}{' '.join(command)}"
            raise MeasuringError(f"{shown}: exit code {done.returncode}, expected {' or '.join(map(str, codes))}")
        return done

    def lt(self, name: str, *words: str, codes: Collection[int] = (0,)) -> str:
        """The stdout of one of our commands."""
        return self.run(*command_of(name), *words, codes=codes).stdout

    def demo_checkpoint(self) -> str:
        if not (self.folder / DEMO).exists():
            self.run(sys.executable, "-m", "converter.network.demo", DEMO)
        return DEMO


def command_of(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"converter.cli.{name}")


def versions() -> dict[str, Any]:
    machine = this_machine()
    return {
        "machine": f"{machine.cpu}, {machine.cores} cores, {machine.system}",
        "versions": tool_versions(["torch", "pnnx", "ncnn", "onnxruntime"]),
    }
