"""Explaining the dumps of one case: first from the golden vectors alone, then by running the network."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from converter.checks.dumps.causes import HALF_PRECISION, INPUT_DUMPED, STALE_INPUT, Cause
from converter.checks.dumps.examining import Examined, correlation, examine, exchanged
from converter.checks.dumps.fitting import ARITHMETIC, FAR_BETTER, Fit, far_better, fits, simplest
from converter.checks.dumps.hypotheses import Hypothesis, stages
from converter.checks.dumps.loading import Dump
from converter.checks.dumps.mistakes import NONE
from converter.checks.dumps.reference import Reference

Run = Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]]
# A run takes some 50 ms; all hypotheses on one case are about as many.
MOST_RUNS = 120
_MOST_CAUSES_BESIDE = 2  # those of the input
_STAGES_WHEN_NEAR = 1


@dataclass
class Runs:
    """The network, and how often it was asked."""

    run: Run | None
    used: int = 0

    @property
    def ended(self) -> bool:
        """Whether it may not be asked again."""
        return self.used >= MOST_RUNS

    def __call__(self, feed: dict[str, np.ndarray]) -> Mapping[str, np.ndarray] | None:
        if self.run is None or self.ended:
            return None
        self.used += 1
        return self.run(feed)


@dataclass(frozen=True)
class Outcome:
    """What a hypothesis explains: dumps exactly, or as half precision would let it."""

    hypothesis: Hypothesis
    exact: dict[Examined, list[Fit]]
    loose: dict[Examined, Fit]

    @property
    def rank(self) -> tuple[int, int]:
        beside = sum(fitting[0].cost - len(self.hypothesis.causes) for fitting in self.exact.values())
        return -len(self.exact), len(self.hypothesis.causes) + beside

    @property
    def worst(self) -> float:
        return max(fitting[0].error for fitting in self.exact.values())

    @property
    def nearness(self) -> tuple[int, int, int]:
        """Smaller is better: how many dumps it explains nearly, how nearly by orders of magnitude, and its causes."""
        errors = [fit.error for fit in self.loose.values()]
        magnitude = math.floor(math.log10(max(*errors, ARITHMETIC))) if errors else 0
        return -len(errors), magnitude, len(self.hypothesis.causes)


class CaseSearch:
    """The dumps of one case and what explains them.

    Attributes:
        case: its name.
        examined: the dumps.
        outcomes: what hypotheses explain; that nothing is wrong with the images is the first.
        base: the golden images with those that were dumped in their place.
        base_causes: why these are off, image by image.
    """

    def __init__(self, case: str, dumps: Sequence[Dump], reference: Reference) -> None:
        self.case, self.reference = case, reference
        self.examined = [examine(dump, case, reference) for dump in dumps]
        loose = {examined: examined.loose for examined in self.examined if examined.loose}
        self.outcomes = [Outcome(Hypothesis(), {}, loose)]
        self.base = dict(reference.feeds[case])
        self.base_causes: dict[str, tuple[Cause, ...]] = {}
        for examined in self.examined:
            values, image = examined.dump.values, examined.meaning
            if examined.is_image and not examined.report and values.size and np.isfinite(values).all():
                best = examined.fits[0] if examined.fits else None
                values = values[best.layout.order] if best else values
                self.base[image] = values.reshape(examined.right.shape)
                self.base_causes[image] = best.causes if best else (INPUT_DUMPED.filled(image=image),)

    @property
    def open(self) -> list[Examined]:
        """Dumps that only a wrong input can explain."""
        return [examined for examined in self.examined if examined.open]

    @property
    def best(self) -> Outcome | None:
        return min(
            (outcome for outcome in self.outcomes if outcome.exact), key=lambda outcome: outcome.rank, default=None
        )

    @property
    def score(self) -> tuple[int, int]:
        """Smaller is better: how likely it is that the dumps are of this case."""
        costs = [examined.fits[0].cost for examined in self.examined if examined.fits]
        number, cost = self.best.rank if self.best else (0, 0)
        return number - len(costs), cost + sum(costs)

    @property
    def likeness(self) -> float:
        """Larger is better: how much the dumps resemble this case, whether anything explains them or not."""
        return sum(correlation(each.dump.values, each.right)[0] for each in self.examined if not each.dump.problem)

    @property
    def done(self) -> bool:
        explained = self.best.exact if self.best else {}
        return all(examined in explained for examined in self.open)

    def stages(self, first: Sequence[Hypothesis]) -> list[list[Hypothesis]]:
        """What is to be tried, ``first`` before everything else."""
        if not self.open:
            return []
        reference = self.reference
        seen = frozenset().union(*(examined.images for examined in self.open))
        sure = self._right_images()
        dumped = {examined.meaning for examined in self.examined if examined.is_image}
        explained = {examined.meaning for examined in self.examined if examined.fits}
        free = [image for image in reference.images if image in seen - sure]
        replaceable = [image for image in reference.images if image in seen - dumped]
        if explained & reference.final:
            replaceable = []
        stale = {}
        for image in replaceable:
            images = {case: feed[image] for case, feed in reference.feeds.items()}
            stale[image] = reference.stale(self.case, images, STALE_INPUT)
        # where half precision would do for everything, only what a single mistake explains far better is worth a run
        near = all(examined.loose for examined in self.open)
        return [
            *([[Hypothesis()]] if self.base_causes else []),
            [hypothesis for hypothesis in first if hypothesis.images <= {*free, *replaceable}],
            *stages(reference.image_mistakes, free, stale)[: _STAGES_WHEN_NEAR if near else None],
        ]

    def _right_images(self) -> set[str]:
        """Images that were dumped, and those whose preprocessing an explained output shows to be right.

        An image dumped channels-last may have been fed like that too, which only the outputs tell.
        """
        sure: set[str] = set()
        for examined in self.examined:
            best = examined.fits[0] if examined.fits else None
            if examined.is_image:
                if not examined.dump.problem and (best is None or best.layout.name == "NCHW"):
                    sure.add(examined.meaning)
            elif examined.dump.tensor.role == "output" and best and not best.says_nothing:
                sure |= examined.images
        return sure

    def advance(self, stage: Sequence[Hypothesis], runs: Runs) -> None:
        """Try all hypotheses of a stage, as long as there are runs left.

        A mistake that explains some dumps and not others may be in one of the images only: that is tried at once.
        """
        before = len(self.outcomes)
        self._try(stage, runs)
        partial = [tried.hypothesis for tried in self.outcomes[before:] if 0 < len(tried.exact) < len(self.open)]
        if not self.done:
            self._try([apart for hypothesis in partial for apart in hypothesis.apart()], runs)

    def _try(self, hypotheses: Sequence[Hypothesis], runs: Runs) -> None:
        for hypothesis in hypotheses:
            changed = hypothesis.images | self.base_causes.keys()
            concerned = [examined for examined in self.open if examined.images & changed]
            answer = runs(hypothesis.feed(self.base)) if concerned else None
            if answer is None:
                continue
            outcome = Outcome(hypothesis, {}, {})
            for examined in concerned:
                near = self._fits_beside(examined, hypothesis, answer)
                if exact := simplest(near, examined.plain):
                    outcome.exact[examined] = exact
                elif loose := far_better(near, examined.plain):
                    outcome.loose[examined] = loose
            if outcome.exact or outcome.loose:
                self.outcomes.append(outcome)

    def _fits_beside(self, examined: Examined, hypothesis: Hypothesis, answer: Mapping[str, np.ndarray]) -> list[Fit]:
        meaning = examined.meaning
        if meaning not in answer:
            return []
        images = [image for image in self.base_causes if image in examined.images]
        because = [cause for image in images for cause in self.base_causes[image]]
        explanations = [NONE]
        if examined.dump.tensor.role == "output":
            single = self.reference.value_mistakes[0] if meaning in self.reference.final else []
            contents = [NONE, *exchanged(meaning, answer)]
            explanations = [content.then(mistake) for content in contents for mistake in (NONE, *single)]
        extra = (*because, *hypothesis.causes)
        return fits(examined.dump.values, answer[meaning], explanations, _MOST_CAUSES_BESIDE, extra)

    def images_off(self, graph: str) -> list[str]:
        """Images that are known to be off and that a graph's tensors are computed from."""
        off = self.base_causes.keys() | (self.best.hypothesis.images if self.best else frozenset())
        seen = self.reference.images_of_graph(graph, self.reference.depends)
        return [image for image in self.reference.images if image in off & seen]

    def conclude(self) -> None:
        """Take over the best outcome: exact where there is one, else as near as half precision comes."""
        best = self.best
        for outcome in [outcome for outcome in self.outcomes if best and outcome.exact and outcome.rank == best.rank]:
            if best and outcome.worst <= max(FAR_BETTER * best.worst, ARITHMETIC):
                for examined, exact in outcome.exact.items():
                    causes = [fit.causes for fit in examined.fits]
                    examined.fits += [fit for fit in exact if fit.causes not in causes]
        for outcome in sorted(self.outcomes, key=lambda outcome: (outcome is not best, *outcome.nearness)):
            for examined, fit in outcome.loose.items():
                if not examined.fits:
                    half = HALF_PRECISION.filled(error=fit.error, cosine=fit.cosine)
                    examined.fits = [Fit((*fit.causes, half), fit.layout, fit.error, fit.cosine)]
