"""Explaining the dumps of one case: first from the golden vectors alone, then by running the network."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from converter.checks.dumps import causes
from converter.checks.dumps.comparing import as_it_is, degenerate, exchanged_contents, far_better, figures
from converter.checks.dumps.fitting import ARITHMETIC, FAR_BETTER, Content, Fit, bound, fits, plain_error, simplest
from converter.checks.dumps.hypotheses import Hypothesis, stages, stale_input
from converter.checks.dumps.layouts import layouts, right_layouts
from converter.checks.dumps.loading import Dump
from converter.checks.dumps.preprocessing import mistakes
from converter.checks.dumps.reference import Reference
from converter.checks.dumps.values import ValueFault
from converter.proof.compare import OutputReport
from converter.spec.network import Preprocess, Tolerance

Run = Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]]
# Causes in one tensor's explanation: without the network, and beside those of its input.
_MOST, _MOST_BESIDE = 3, 2
_STAGES_WHEN_NEAR = 1


@dataclass
class Runs:
    """The network, and how often it may still be asked."""

    run: Run | None
    left: int
    used: int = 0

    def __call__(self, feed: dict[str, np.ndarray]) -> Mapping[str, np.ndarray] | None:
        if self.run is None or self.left <= 0:
            return None
        self.left -= 1
        self.used += 1
        return self.run(feed)


@dataclass(frozen=True)
class Outcome:
    """What a hypothesis explains: dumps, by file, exactly or as half precision would let it."""

    hypothesis: Hypothesis
    exact: dict[str, list[Fit]]
    loose: dict[str, Fit]

    @property
    def rank(self) -> tuple[int, int]:
        beside = sum(found[0].cost - len(self.hypothesis.causes) for found in self.exact.values())
        return -len(self.exact), len(self.hypothesis.causes) + beside

    @property
    def worst(self) -> float:
        return max(found[0].error for found in self.exact.values())

    @property
    def nearness(self) -> tuple[int, int, int]:
        """Smaller is better: how many dumps it explains nearly, how nearly by orders of magnitude, and its causes."""
        errors = [fit.error for fit in self.loose.values()]
        magnitude = math.floor(math.log10(max(*errors, ARITHMETIC))) if errors else 0
        return -len(errors), magnitude, len(self.hypothesis.causes)


@dataclass
class CaseSearch:
    """The dumps of one case and what explains them.

    Attributes:
        reports: file to figures against the golden tensor, in the better of NCHW and NHWC.
        found: file to explanations that fit equally well; without causes when the dump is right.
        open: files of computed tensors that only a wrong input can explain.
    """

    case: str
    dumps: Sequence[Dump]
    reference: Reference
    preprocess: Preprocess
    tolerances: Mapping[str, Tolerance]
    faults: tuple[list[ValueFault], list[ValueFault]]
    reports: dict[str, OutputReport] = field(default_factory=dict)
    found: dict[str, list[Fit]] = field(default_factory=dict)
    open: list[Dump] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=lambda: [Outcome(Hypothesis((), {}), {}, {})])

    def __post_init__(self):
        for dump in self.dumps:
            self._look_at(dump)
        self.base, self.base_causes = self._base()

    def _look_at(self, dump):
        right = self.reference.array(self.case, *dump.key)
        self.reports[dump.file] = report = figures(dump, right, self.tolerances)
        if dump.problem:
            return
        if cause := degenerate(dump.values, right):
            self.found[dump.file] = [Fit((cause,), right_layouts(right.shape)[0], 0.0, 0.0)]
            return
        # an image's mistakes include the order in which it was fed
        orders = right_layouts if dump.tensor.meaning in self.reference.images else layouts
        found = fits(dump.values, self._contents(dump, right), self._faults(dump), _MOST, orders=orders)
        if report:
            exact = [fit for fit in found if not fit.causes][:1] or [as_it_is(dump, right, report)]
        else:
            exact = simplest([fit for fit in found if fit.causes], bound(plain_error(dump.values, right)))
        if exact:
            self.found[dump.file] = exact
            return
        if loose := far_better(found):
            self.outcomes[0].loose[dump.file] = loose
        if dump.tensor.role != "intermediate" and dump.tensor.meaning not in self.reference.images:
            self.open.append(dump)

    def _faults(self, dump):
        if dump.tensor.role != "output" or dump.tensor.meaning not in self.reference.final:
            return []
        return [*self.faults[0], *self.faults[1]]

    def _contents(self, dump, right):
        meaning, others = dump.tensor.meaning, [case for case in self.reference.cases if case != self.case]
        titles = self.reference.titles
        contents = [Content(right)]
        if meaning in self.reference.images:
            for mistake in chain(*mistakes(self.preprocess)):
                contents.append(Content(mistake.change(right.astype(np.float64)), mistake.causes((meaning,))))
            contents += [
                Content(self.reference.feeds[case][meaning], (stale_input(meaning, titles[case]),)) for case in others
            ]
            return contents
        if dump.tensor.role == "output":
            contents += exchanged_contents(meaning, self.reference.answers[self.case])
        return contents + [
            Content(self.reference.array(case, *dump.key), (causes.stale(titles[case]),)) for case in others
        ]

    def _base(self):
        """The golden images with those that were dumped in their place, and why these are off."""
        base, why = dict(self.reference.feeds[self.case]), {}
        for dump in self.dumps:
            image = dump.tensor.meaning
            if image not in base or dump.problem or self.reports[dump.file] or not np.isfinite(dump.values).all():
                continue
            known = self.found.get(dump.file)
            layout = known[0].layout if known else right_layouts(base[image].shape)[0]
            base[image] = np.ascontiguousarray(dump.values[layout.order].reshape(base[image].shape))
            why[image] = known[0].causes if known else (causes.follows([image]),)
        return base, why

    @property
    def score(self) -> tuple[int, int]:
        """Smaller is better: how likely it is that the dumps are of this case."""
        return -len(self.found), sum(found[0].cost for found in self.found.values())

    @property
    def stands(self) -> tuple[int, int]:
        """As :attr:`score`, with what running the network explained."""
        best = self._best()
        return (self.score[0] + best.rank[0], self.score[1] + best.rank[1]) if best else self.score

    @property
    def done(self) -> bool:
        best = self._best()
        return all(best is not None and dump.file in best.exact for dump in self.open)

    def _right_images(self):
        """Images that were dumped, and those whose preprocessing an explained output shows to be right.

        An image dumped channels-last may have been fed like that too, which only the outputs tell.
        """
        sure = set()
        for dump in self.dumps:
            meaning = dump.tensor.meaning
            if meaning in self.reference.images and not dump.problem:
                known = self.found.get(dump.file)
                sure |= {meaning} if not known or known[0].layout.name == "NCHW" else set()
            elif dump.tensor.role == "output" and (found := self.found.get(dump.file)):
                telling = not any(cause.cause in ("constant_output", "not_finite") for cause in found[0].causes)
                sure |= self.reference.depends[meaning] if telling else set()
        return sure

    def stages(self, first: Sequence[Hypothesis]) -> list[list[Hypothesis]]:
        """What is to be tried, ``first`` before everything else."""
        if not self.open:
            return []
        seen = frozenset().union(*(self.reference.depends[dump.tensor.meaning] for dump in self.open))
        sure = self._right_images()
        dumped = {dump.tensor.meaning for dump in self.dumps if dump.tensor.meaning in self.reference.images}
        finals = {dump.tensor.meaning for dump in self.dumps if dump.file in self.found} & self.reference.final
        free = [image for image in self.reference.images if image in seen - sure]
        replaceable = [] if finals else [image for image in self.reference.images if image in seen - dumped]
        others = {
            self.reference.titles[case]: self.reference.feeds[case]
            for case in self.reference.cases
            if case != self.case
        }
        own = [[Hypothesis((), {})]] if self.base_causes else []
        near = all(dump.file in self.outcomes[0].loose for dump in self.open)
        usable = [hypothesis for hypothesis in first if hypothesis.changes.keys() <= {*free, *replaceable}]
        # where half precision would do for everything, only what a single mistake explains far better is worth a run
        return [
            *own,
            usable,
            *stages(self.preprocess, free, replaceable, others)[: _STAGES_WHEN_NEAR if near else None],
        ]

    def advance(self, stage: Sequence[Hypothesis], runs: Runs) -> None:
        """Try all hypotheses of a stage, as long as there are runs left.

        A mistake that explains some dumps and not others may be in one of the images only: that is tried at once.
        """
        before = len(self.outcomes)
        self._try(stage, runs)
        partial = [one.hypothesis for one in self.outcomes[before:] if one.exact and len(one.exact) < len(self.open)]
        if not self.done:
            self._try([apart for hypothesis in partial for apart in hypothesis.apart()], runs)

    def _try(self, hypotheses, runs):
        for hypothesis in hypotheses:
            changed = frozenset(hypothesis.changes) | self.base_causes.keys()
            concerned = [dump for dump in self.open if self.reference.depends[dump.tensor.meaning] & changed]
            answer = runs(hypothesis.feed(self.base)) if concerned else None
            if answer is None:
                continue
            exact, loose = {}, {}
            for dump in concerned:
                found = self._fits_beside(dump, hypothesis, answer)
                if best := simplest(found, bound(plain_error(dump.values, self._right(dump)))):
                    exact[dump.file] = best
                elif near := far_better(found, plain_error(dump.values, self._right(dump))):
                    loose[dump.file] = near
            if exact or loose:
                self.outcomes.append(Outcome(hypothesis, exact, loose))

    def _right(self, dump):
        return self.reference.array(self.case, *dump.key)

    def _fits_beside(self, dump, hypothesis, answer):
        meaning = dump.tensor.meaning
        if meaning not in answer:
            return []
        because = [
            cause
            for image, why in self.base_causes.items()
            if image in self.reference.depends[meaning]
            for cause in why
        ]
        contents = [Content(answer[meaning])]
        faults = []
        if dump.tensor.role == "output":
            contents += exchanged_contents(meaning, answer)
            faults = self.faults[0] if meaning in self.reference.final else []
        return fits(dump.values, contents, faults, _MOST_BESIDE, (*because, *hypothesis.causes))

    def _best(self) -> Outcome | None:
        return min((outcome for outcome in self.outcomes if outcome.exact), key=lambda one: one.rank, default=None)

    def images_off(self, graph: str) -> list[str]:
        """Images that are known to be off and that a graph's tensors are computed from."""
        best = self._best()
        off = {*self.base_causes, *(best.hypothesis.changes if best else ())}
        taken = [
            entry.meaning for entry in self.reference.entries.values() if (entry.graph, entry.role) == (graph, "input")
        ]
        seen = frozenset().union(*(self.reference.depends[meaning] for meaning in taken))
        return [image for image in self.reference.images if image in off & seen]

    def working_hypothesis(self) -> Hypothesis | None:
        """What explained this case, to be tried on the next."""
        return best.hypothesis if (best := self._best()) else None

    def conclude(self) -> None:
        """Take over the best outcome: exact where there is one, else as near as half precision comes."""
        best = self._best()
        equal = [one for one in self.outcomes if best and one.exact and one.rank == best.rank]
        for outcome in equal:
            if outcome.worst > max(FAR_BETTER * best.worst, ARITHMETIC):
                continue
            for file, fits_of_file in outcome.exact.items():
                known = self.found.setdefault(file, [])
                known += [fit for fit in fits_of_file if fit.causes not in [other.causes for other in known]]
        near = sorted(self.outcomes, key=lambda one: (one is not best, *one.nearness))
        for file in {file: None for one in near for file in one.loose if file not in self.found}:
            fit = next(one.loose[file] for one in near if file in one.loose)
            half = causes.half_precision(fit.error, fit.cosine)
            self.found[file] = [Fit((*fit.causes, half), fit.layout, fit.error, fit.cosine)]
