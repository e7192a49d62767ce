"""What a device computed, beside what is right; numbers only, nothing here runs anything."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from converter.checks.device.decision import Best
from converter.checks.device.modes import Mode
from converter.checks.device.probe import Proof
from converter.checks.device.runtime import Runtime
from converter.proof.compare import OutputReport
from converter.proof.section import badness
from converter.proof.verify import Check, advice_on
from converter.spec.network import ModeTolerances


@dataclass(frozen=True)
class Counts:
    """How many values an array has, and how many of them are NaN and infinite."""

    size: int
    nan: int
    inf: int


@dataclass(frozen=True)
class ModeCheck:
    """One run of one graph in one mode; true when it passed.

    Attributes:
        check: the outputs and the best cell.
        best: box and score of the best cell, where the graph has them.
        counts: by output.
    """

    runtime: Runtime
    mode: str
    check: Check
    best: Best | None
    counts: Mapping[str, Counts]

    def __bool__(self) -> bool:
        return bool(self.check) and (self.best is None or bool(self.best))

    def failure(self) -> str:
        check, decision = self.check, self.check.decision
        if wrong := [output for output in check.outputs if not output]:
            worst = max(wrong, key=badness)
            reason = f"{worst.name} {self._figures(worst)}"
        elif decision is not None and not decision:
            reason = f"best cell is {decision.candidate}, expected {decision.reference}"
        elif self.best is not None and not self.best:
            reason = f"{self.best.failure()} (config: {self.runtime.section}.{self.mode})"
        else:
            reason = "no output was compared"
        return f"{check.graph} ({check.how}, {check.feed}): {reason}"

    def _figures(self, output: OutputReport) -> str:
        counts = self.counts[output.name]
        if output.problem and (counts.nan or counts.inf):
            return f"holds {counts.nan} NaN and {counts.inf} infinite of {counts.size} values"
        if output.problem:
            return output.problem
        advice = advice_on(output, self.runtime.option("rtol"), self.runtime.computes)
        return f"is off by {output.max_abs:.2e}, allowed {output.allowed:.2e}{advice}"

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.check.as_dict(),
            "format": f"{self.runtime.name} {self.mode}",
            "passed": bool(self),
            # not by its truth: one that failed is the one to show
            "best_box": None if self.best is None else self.best.as_dict(),
            "counts": {name: asdict(counts) for name, counts in self.counts.items()},
        }


@dataclass(frozen=True)
class Blob:
    """A blob and the layer that gives it; ``largest`` is the largest finite magnitude in it."""

    layer: str
    type: str
    blob: str
    size: int
    nan: int
    inf: int
    largest: float | None


@dataclass(frozen=True)
class BlobCounts:
    """Every blob of a graph on one input, in the order of the layers."""

    graph: str
    feed: str
    rows: tuple[Blob, ...]

    @property
    def bad(self) -> list[Blob]:
        return [row for row in self.rows if row.nan or row.inf]

    def as_dict(self) -> dict[str, Any]:
        return {
            "graph": self.graph,
            "feed": self.feed,
            "first_bad": asdict(self.bad[0]) if self.bad else None,
            "bad": len(self.bad),
            "blobs": [asdict(row) for row in self.rows],
        }


@dataclass(frozen=True)
class ModeResult:
    """All runs in one mode; true when it was proved to be that mode, something was compared, and all passed.

    Attributes:
        proof: what the process was seen to compute in; None where it did not get so far.
        problem: why nothing, or not everything, was run.
        allowed: the tolerances.
    """

    mode: Mode
    proof: Proof | None
    problem: str | None
    checks: tuple[ModeCheck, ...]
    blobs: tuple[BlobCounts, ...]
    allowed: ModeTolerances

    def __bool__(self) -> bool:
        return self.problem is None and bool(self.checks) and all(self.checks)

    def failure(self) -> str:
        """What failed, beginning with the mode's name; the first graph on the way of the data comes first."""
        if self.problem:
            return f"{self.mode.name}: {self.problem}"
        failed = [check for check in self.checks if not check]
        if not failed:
            return f"{self.mode.name}: nothing was compared, so nothing is proved"
        where = next((self._first_bad(blobs) for blobs in self.blobs if blobs.bad), "")
        return f"{self.mode.name}: {len(failed)} of {len(self.checks)} checks, {failed[0].failure()}{where}"

    @staticmethod
    def _first_bad(blobs: BlobCounts) -> str:
        first = blobs.bad[0]
        return f"; layer {first.layer} ({first.type}) of {blobs.graph} is the first with values that are not finite"

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.mode.name,
            "about": self.mode.about,
            "passed": bool(self),
            "failure": None if self else self.failure(),
            "proof": asdict(self.proof) if self.proof else None,
            "tolerances": self.allowed.model_dump(),
            "checks": [check.as_dict() for check in self.checks],
            "blobs": [blobs.as_dict() for blobs in self.blobs],
        }
