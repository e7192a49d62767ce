"""Converted graphs against the unpatched network: each by itself, and chained as a device runs them."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from converter.errors import VerificationError
from converter.proof.compare import TIE, Decision, OutputReport, compare, compare_decision, rounded_up
from converter.proof.feeds import Feed
from converter.spec.network import GraphSpec, Tolerance

Observer = Callable[["Check", str, np.ndarray, np.ndarray], None]
AT_ONCE = 2  # feeds: the runtimes use one thread each, and most machines have a second core


class Runner(Protocol):
    """A loaded graph: named float32 arrays in, named float32 arrays out; called by several threads at once."""

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]: ...


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

    def __bool__(self):
        return bool(self.outputs) and all(self.outputs) and (self.decision is None or bool(self.decision))

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
    """All checks of an export; true when there are some and all passed."""

    checks: tuple[Check, ...]

    def __bool__(self):
        return bool(self.checks) and all(self.checks)

    def failure(self) -> str:
        """What failed, in a line that names the output furthest outside its tolerance; empty when all passed."""
        if self:
            return ""
        failed = [check for check in self.checks if not check]
        if not failed:
            return "nothing was compared, so nothing is proved"
        wrong = [(check, output) for check in failed for output in check.outputs if not output]
        undecided = [check for check in failed if check.decision is not None and not check.decision]
        if wrong:
            check, output = max(wrong, key=lambda pair: _excess(pair[1]))
            what = f"{output.name} {_figures(output)}"
        elif undecided:
            check = undecided[0]
            what = f"best cell is {check.decision.candidate}, expected {check.decision.reference}"
        else:
            check, what = failed[0], "no output was compared"
        return (
            f"verification failed in {len(failed)} of {len(self.checks)} checks, worst in {check.format} {check.graph} "
            f"({check.how}, {check.feed}): {what}"
        )

    def raise_if_failed(self) -> None:
        """Raises:
        VerificationError: with what :meth:`failure` says.
        """
        if not self.checks:
            raise VerificationError(self.failure(), self)
        if not self:
            raise VerificationError(f"{self.failure()}; nothing was published", self)


def _excess(output):
    if output.problem:
        return float("inf")
    return output.max_abs / output.allowed if output.allowed else float("inf")


def _figures(output):
    if output.problem:
        return output.problem
    beside = f"--atol {output.atol:g} " if output.atol else ""
    needed = (
        f", {beside}--rtol {rounded_up(output.needed_rtol)} would have passed" if output.needed_rtol is not None else ""
    )
    return f"is off by {output.max_abs:.2e}, allowed {output.allowed:.2e}{needed}"


def verify(
    format: str,
    graphs: Sequence[GraphSpec],
    runners: Mapping[str, Runner],
    feeds: Sequence[Feed],
    answers: Sequence[Mapping[str, np.ndarray]],
    tolerances: Mapping[str, Tolerance],
    decision: str,
    observe: Observer | None = None,
    tie: float = TIE,
) -> list[Check]:
    """Run every graph alone and, from the second on, chained, on every feed.

    Args:
        format: what to call the runners' format.
        graphs: in the order in which a device runs them; later ones take what earlier ones give.
        runners: graph name to loaded model.
        feeds: inputs; ``answers`` are the reference's tensors for each.
        tolerances: for every output; a missing one is an error, not a pass.
        decision: name of the score map.
        observe: told every output beside its reference.
        tie: of the decision, see :func:`converter.proof.compare.compare_decision`.
    """
    pairs = list(zip(feeds, answers, strict=True))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda pair: _checks(format, graphs, runners, *pair, tolerances, (decision, tie)), pairs))
    for (_, answer), checks in zip(pairs, found, strict=True):
        for check, outputs in checks if observe else ():
            for name, array in outputs.items():
                observe(check, name, array, answer[name])
    return [check for checks in found for check, _ in checks]


def _checks(format, graphs, runners, feed, answer, tolerances, decision):
    """Of one feed: every check with its outputs."""
    found = []
    exact = {**answer, **feed.tensors}
    chained = dict(feed.tensors)
    for graph in graphs:
        outputs = _run(runners[graph.name], graph, exact)
        found.append((_check(format, graph, "alone", feed.name, outputs, answer, tolerances, decision), outputs))
        needs_others = not all(tensor.meaning in feed.tensors for tensor in graph.inputs)
        if needs_others and all(tensor.meaning in chained for tensor in graph.inputs):
            if any(chained[tensor.meaning].shape != tensor.shape for tensor in graph.inputs):
                break  # the graph before has already failed on that shape
            outputs = _run(runners[graph.name], graph, chained)
            found.append((_check(format, graph, "chained", feed.name, outputs, answer, tolerances, decision), outputs))
        chained.update(outputs)
    return found


def _run(runner, graph, known):
    """Feed a graph by meaning; the answer comes back by meaning, whatever the file calls its blobs."""
    outputs = runner.infer({tensor.name: known[tensor.meaning] for tensor in graph.inputs})
    return {tensor.meaning: outputs[tensor.name] for tensor in graph.outputs}


def _check(format, graph, how, feed, outputs, answer, tolerances, decision):
    name, tie = decision
    reports = tuple(
        compare(tensor.meaning, outputs[tensor.meaning], answer[tensor.meaning], tolerances[tensor.meaning])
        for tensor in graph.outputs
    )
    comparable = any(report.name == name and report.problem is None for report in reports)
    return Check(
        format=format,
        graph=graph.name,
        how=how,
        feed=feed,
        outputs=reports,
        decision=compare_decision(name, outputs[name], answer[name], tie) if comparable else None,
    )
