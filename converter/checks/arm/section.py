"""What the emulated ARM cpu computed, beside what is right; numbers only, nothing here runs anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from converter.checks.arm.blocks import arm_section
from converter.checks.arm.decision import Best
from converter.checks.arm.modes import Mode
from converter.checks.arm.probe import Proof
from converter.checks.half.masks import DangerousMask
from converter.proof.compare import Decision, OutputReport
from converter.report.blocks import Section
from converter.report.text import rounded_up

FORMAT = "ncnn-arm64"


@dataclass(frozen=True)
class ArmCheck:
    """One run of one graph in one mode.

    Attributes:
        graph, how, feed, outputs, decision: as of :class:`converter.proof.verify.Check`.
        best: box and score of the best cell, where the graph has them.
        counts: output to {size, nan, inf}.
    """

    mode: str
    graph: str
    how: str
    feed: str
    outputs: tuple[OutputReport, ...]
    decision: Decision | None
    best: Best | None
    counts: Mapping[str, Mapping[str, int]]

    def __bool__(self):
        return bool(self.outputs) and all(self.outputs) and all(part is None or part for part in self._decided)

    @property
    def _decided(self):
        return self.decision, self.best

    @property
    def not_finite(self) -> bool:
        return any(count["nan"] or count["inf"] for count in self.counts.values())

    def failure(self) -> str:
        wrong = [output for output in self.outputs if not output]
        if wrong:
            worst = max(wrong, key=self.excess)
            what = f"{worst.name} {self._figures(worst)}"
        elif self.decision is not None and not self.decision:
            what = f"best cell is {self.decision.candidate}, expected {self.decision.reference}"
        elif self.best is not None and not self.best:
            what = f"{self.best.failure()} (config: arm.{self.mode})"
        else:
            what = "no output was compared"
        return f"{self.graph} ({self.how}, {self.feed}): {what}"

    @staticmethod
    def excess(output: OutputReport) -> float:
        """How many times its tolerance an output is off; infinite where that cannot be said."""
        if output.problem or not output.allowed:
            return float("inf")
        return output.max_abs / output.allowed

    def _figures(self, output):
        count = self.counts.get(output.name, {})
        if output.problem and (count.get("nan") or count.get("inf")):
            return f"holds {count['nan']} NaN and {count['inf']} infinite of {count['size']} values"
        if output.problem:
            return output.problem
        needed = (
            "" if output.needed_rtol is None else f", --arm-rtol {rounded_up(output.needed_rtol)} would have passed"
        )
        return f"is off by {output.max_abs:.2e}, allowed {output.allowed:.2e}{needed}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "format": f"{FORMAT} {self.mode}",
            "graph": self.graph,
            "how": self.how,
            "feed": self.feed,
            "passed": bool(self),
            "outputs": [output.as_dict() for output in self.outputs],
            # not by their truth: one that failed is the one to show
            "best_cell": None if self.decision is None else self.decision.as_dict(),
            "best_box": None if self.best is None else self.best.as_dict(),
            "counts": {name: dict(count) for name, count in self.counts.items()},
        }


@dataclass(frozen=True)
class BlobCounts:
    """Every blob of a graph on one input, as :meth:`converter.checks.arm.runner.ArmRunner.count` gives them."""

    graph: str
    feed: str
    rows: tuple[Mapping[str, Any], ...]

    @property
    def bad(self) -> list[Mapping[str, Any]]:
        return [row for row in self.rows if row["nan"] or row["inf"]]

    def first_bad(self) -> str | None:
        """The layer in which it begins, in words."""
        if not self.bad:
            return None
        row = self.bad[0]
        return f"layer {row['layer']} ({row['type']}) of {self.graph} is the first with values that are not finite"

    def as_dict(self) -> dict[str, Any]:
        return {
            "graph": self.graph,
            "feed": self.feed,
            "first_bad": dict(self.bad[0]) if self.bad else None,
            "bad": len(self.bad),
            "blobs": [dict(row) for row in self.rows],
        }


@dataclass(frozen=True)
class ModeResult:
    """All runs in one mode; true when it was proved to be that mode, something was compared, and all passed.

    Attributes:
        proof: what the process was seen to compute in; None where it did not get so far.
        problem: why nothing, or not everything, was run.
        allowed: the tolerances, as in the config.
    """

    mode: Mode
    proof: Proof | None
    problem: str | None
    checks: tuple[ArmCheck, ...]
    blobs: tuple[BlobCounts, ...]
    allowed: Mapping[str, Any]

    def __bool__(self):
        return self.problem is None and bool(self.checks) and all(self.checks)

    def failure(self) -> str:
        """What failed, beginning with the mode's name; the first graph on the way of the data comes first."""
        if self.problem:
            return f"{self.mode.name}: {self.problem}"
        failed = [check for check in self.checks if not check]
        if not failed:
            return f"{self.mode.name}: nothing was compared, so nothing is proved"
        first = next((words for blobs in self.blobs if (words := blobs.first_bad())), None)
        where = f"; {first}" if first else ""
        return f"{self.mode.name}: {len(failed)} of {len(self.checks)} checks, {failed[0].failure()}{where}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.mode.name,
            "about": self.mode.about,
            "passed": bool(self),
            "failure": None if self else self.failure(),
            "proof": self.proof.as_dict() if self.proof else None,
            "tolerances": dict(self.allowed),
            "checks": [check.as_dict() for check in self.checks],
            "blobs": [blobs.as_dict() for blobs in self.blobs],
        }


@dataclass(frozen=True)
class ArmSection:
    """Every mode on one emulated cpu; true when all passed and no mask in the files is dangerous.

    Attributes:
        cpu: that qemu was.
        half_cpu: whether it says that it has half arithmetic; None where none could be asked.
        versions: of ncnn, numpy and Python there.
        feeds: names of the inputs.
        masks: layers whose mask corrupts memory in the modes that store halves.
    """

    cpu: str
    half_cpu: bool | None
    versions: Mapping[str, str]
    feeds: tuple[str, ...]
    modes: tuple[ModeResult, ...]
    masks: tuple[DangerousMask, ...] = ()

    def __bool__(self):
        return bool(self.modes) and all(self.modes) and not self.masks

    @property
    def about(self) -> str:
        """What was run, in words."""
        ncnn = f"ncnn {self.versions['ncnn']}" if "ncnn" in self.versions else "ncnn"
        return f"emulated aarch64: {ncnn} in qemu user mode, {self.cpu_words}"

    @property
    def cpu_words(self) -> str:
        known = {True: "has half arithmetic", False: "has no half arithmetic"}.get(self.half_cpu)
        return f"cpu {self.cpu}" + (f", which {known}" if known else "")

    def failure(self) -> str:
        parts = [str(mask) for mask in self.masks] + [mode.failure() for mode in self.modes if not mode]
        return f"{FORMAT} (emulated aarch64): {'; '.join(parts) or 'nothing was run'}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "about": self.about,
            "cpu": self.cpu,
            "half_arithmetic": self.half_cpu,
            "versions": dict(self.versions),
            "passed": bool(self),
            "failure": None if self else self.failure(),
            "feeds": list(self.feeds),
            "modes": [mode.as_dict() for mode in self.modes],
            "masks": [mask.as_dict() for mask in self.masks],
        }

    def section(self) -> Section:
        return arm_section(self)
