"""Converted graphs against the unpatched network: each by itself, and chained as a device runs them."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from converter.errors import VerificationError
from converter.proof.chain import Run, chain
from converter.proof.compare import FAR_OFF, Decision, OutputReport, compare
from converter.proof.comparison import Comparison
from converter.proof.runner import Runner
from converter.report.text import rounded_up
from converter.spec.model import Model

Observer = Callable[["Check", str, np.ndarray, np.ndarray], None]
AT_ONCE = 2  # feeds: the runtimes use one thread each, and most machines have a second core


@dataclass(frozen=True)
class Check:
    """One run of one graph.

    Attributes:
        format: of the model.
        graph: its name.
        how: "alone" (fed from the reference) or "chained" (fed with what the graphs before it gave).
        feed: name of the input.
        outputs: a report for every declared output.
        decision: of the score map, when the graph has it and it could be compared.
    """

    format: str
    graph: str
    how: str
    feed: str
    outputs: tuple[OutputReport, ...]
    decision: Decision | None

    def __bool__(self) -> bool:
        return bool(self.outputs) and all(self.outputs) and (self.decision is None or bool(self.decision))

    @property
    def excess(self) -> float:
        """How far the output furthest outside its tolerance is; what has no figure comes behind what has one."""
        if wrong := [_excess(output) for output in self.outputs if not output]:
            return max(wrong)
        return 0.0 if self.decision is not None and not self.decision else -1.0

    def failure(self) -> str:
        """What failed, in a line that names the output furthest outside its tolerance; empty when it passed."""
        if self:
            return ""
        if wrong := [output for output in self.outputs if not output]:
            worst = max(wrong, key=_excess)
            figures = f"{worst.name} {_figures(worst)}"
        elif self.decision is not None and not self.decision:
            figures = f"best cell is {self.decision.candidate}, expected {self.decision.reference}"
        else:
            figures = "no output was compared"
        return f"{self.format} {self.graph} ({self.how}, {self.feed}): {figures}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "graph": self.graph,
            "how": self.how,
            "feed": self.feed,
            "passed": bool(self),
            "outputs": [output.as_dict() for output in self.outputs],
            "best_cell": self.decision.as_dict() if self.decision is not None else None,
        }


@dataclass(frozen=True)
class Report:
    """All checks of an export; true when there are some and all passed.

    Attributes:
        reference: what they were compared with, in words.
    """

    checks: tuple[Check, ...]
    reference: str = ""

    def __bool__(self) -> bool:
        return bool(self.checks) and all(self.checks)

    @property
    def max_of_range(self) -> float | None:
        """The largest difference as a share of its output's range; None where one could not be computed."""
        shares = [output.relative for check in self.checks for output in check.outputs]
        known = [share for share in shares if share is not None]
        return max(known) if known and len(known) == len(shares) else None

    def failure(self) -> str:
        """What failed, in a line that names the output furthest outside its tolerance; empty when all passed."""
        if self:
            return ""
        failed = [check for check in self.checks if not check]
        if not failed:
            return "nothing was compared, so nothing is proved"
        worst = max(failed, key=lambda check: check.excess)
        return f"verification failed in {len(failed)} of {len(self.checks)} checks, worst in {worst.failure()}"

    def raise_if_failed(self) -> None:
        """Raises:
        VerificationError: with what :meth:`failure` says.
        """
        if not self.checks:
            raise VerificationError(self.failure(), self)
        if not self:
            raise VerificationError(f"{self.failure()}; nothing was published", self)


def _excess(output: OutputReport) -> float:
    if output.max_abs is None or not output.allowed:
        return float("inf")
    return output.max_abs / output.allowed


def _figures(output: OutputReport) -> str:
    if output.max_abs is None or output.allowed is None:
        return output.problem or "cannot be compared"
    beside = f"--atol {output.atol:g} " if output.atol else ""
    return f"is off by {output.max_abs:.2e}, allowed {output.allowed:.2e}{advice_on(output, f'{beside}--rtol')}"


def advice_on(output: OutputReport, option: str, wrong: str = "the model") -> str:
    """What follows from a difference, behind the figures: the option's value that would have passed, or that no
    tolerance is in question; empty where neither can be said.

    Args:
        option: that sets the tolerance.
        wrong: what is, then.
    """
    if output.far_off:
        return f", more than {FAR_OFF} times as much: {wrong} is wrong"
    return (
        f", {option} {rounded_up(output.needed_rtol)} would have passed"
        if output.needed_rtol and output.allowed
        else ""
    )


def verify(
    comparison: Comparison, format: str, runners: Mapping[Model, Runner], observe: Observer | None = None
) -> list[Check]:
    """Run every graph of a format alone and, from the second on, chained, on every feed.

    Args:
        runners: of the format's models.
        observe: told every output beside its reference.
    """
    models = comparison.tracker.of(format)

    def runs(index: int) -> list[Run]:
        return list(chain(models, runners, comparison.feeds[index], comparison.outputs[index]))

    checks = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for index, runs_of_feed in enumerate(pool.map(runs, range(len(comparison.feeds)))):
            reference = comparison.outputs[index]
            for run in runs_of_feed:
                check = check_of(comparison, comparison.feeds[index].name, run, reference)
                checks.append(check)
                if observe:
                    for name, array in run.outputs.items():
                        observe(check, name, array, reference[name])
    return checks


def check_of(comparison: Comparison, feed: str, run: Run, reference: Mapping[str, np.ndarray]) -> Check:
    """What a run gave beside the reference; ``feed`` is its input's name."""
    name, outputs = comparison.tracker.network.decision, run.outputs
    reports = tuple(
        compare(meaning, array, reference[meaning], comparison.tolerances[meaning])
        for meaning, array in outputs.items()
    )
    comparable = any(report.name == name and report.problem is None for report in reports)
    return Check(
        format=run.model.format,
        graph=run.model.graph.name,
        how=run.how,
        feed=feed,
        outputs=reports,
        decision=comparison.decision(outputs[name], reference[name]) if comparable else None,
    )
