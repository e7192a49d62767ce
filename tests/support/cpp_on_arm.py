"""The C++ tracker of one export for this CPU and for an emulated ARM cpu."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cpp_tracks import Track, beside, guide, tracked
from cross_arm import Cross

from commands import lt_cpp
from converter.checks.arm.root import ArmRoot
from converter.checks.clip.one_step import Steps
from converter.checks.cpp.program import Program, built
from converter.checks.vulkan.clip import limits_of
from converter.spec.network import NetworkSpec
from converter.track.cpp.api import open_described

HALF = "--half"
LEAST_STEP = 0.9999  # overlap in every frame of one step in float32


@dataclass(frozen=True)
class Both:
    """Both programs, and what passes."""

    here: Program
    arm: Program
    network: NetworkSpec

    def steps(self, frames: Sequence[np.ndarray], box: str, work: Path, half: bool) -> tuple[Steps, Track]:
        """ARM in float32 or half beside this CPU in float32, every step from the same box; and what ARM saw."""
        own = tracked(self.here, frames, box, work)
        words = ("--boxes", str(guide(own, box, work / "guide")), *([HALF] if half else []))
        found = tracked(self.arm, frames, box, work, *words)
        limits = limits_of(self.network.modes("arm")["fp16"], None) if half else self.network.step_limits("fp32")
        return beside(found, own, limits, self.network.tie("fp16") if half else 0.0), found


@contextmanager
def both(export: Path, folder: Path, cross: Cross, root: ArmRoot) -> Iterator[Both]:
    """Build them, in folders in another one."""
    assert lt_cpp(export, "-o", folder / "cpp", "-q").code == 0
    arm = cross.build(folder / "cpp", folder / "arm", root, export)
    about, _ = open_described(export, None, None)
    with built(folder / "cpp", export) as here:
        yield Both(here, arm, about.network)
