"""A dump against its golden tensor: figures, and what explains it without running the network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from converter.checks.dumps import causes
from converter.checks.dumps.causes import Cause
from converter.checks.dumps.fitting import Fit, far_better, fits, scale_of, simplest
from converter.checks.dumps.layouts import Layout, layouts, right_layouts
from converter.checks.dumps.loading import Dump
from converter.checks.dumps.mistakes import NONE, Mistake, taken_for
from converter.checks.dumps.reference import Reference
from converter.proof.compare import OutputReport, compare
from converter.spec.tensors import Tolerance

_MOST_CAUSES = 3


@dataclass(eq=False)
class Examined:
    """A dump and what explains it.

    Attributes:
        right: the golden tensor, NCHW float32.
        images: those that the tensor is computed from, or that it is.
        report: figures against the golden tensor, in ``layout``, the better of NCHW and NHWC.
        fits: explanations that fit equally well; without causes when the dump is right, none when nothing fits.
        loose: where nothing fits, what does as half precision would let it.
    """

    dump: Dump
    right: np.ndarray
    images: frozenset[str]
    report: OutputReport
    layout: Layout
    fits: list[Fit] = field(default_factory=list)
    loose: Fit | None = None

    @property
    def meaning(self) -> str:
        return self.dump.tensor.meaning

    @property
    def is_image(self) -> bool:
        return self.images == {self.meaning}

    @property
    def open(self) -> bool:
        """Whether it is computed and only a wrong input can explain it."""
        computed = self.dump.tensor.role != "intermediate" and not self.is_image
        return computed and not self.fits and not self.dump.problem

    @property
    def plain(self) -> float:
        """Share of the range by which the dump misses the right tensor."""
        return float("inf") if self.report.max_abs is None else self.report.max_abs / scale_of(self.right)


def examine(dump: Dump, case: str, reference: Reference) -> Examined:
    """What can be said of a dump of a case without running the network."""
    meaning = dump.tensor.meaning
    arrays = {other: reference.array(other, *dump.key) for other in reference.titles}
    right = arrays[case]
    images = reference.depends.get(meaning, frozenset())
    examined = Examined(dump, right, images, *_compared(dump, right, reference.tolerance(meaning)))
    if dump.problem:
        return examined
    if cause := _degenerate(dump.values, right):
        examined.fits = [Fit((cause,), examined.layout, cosine=0.0)]
        return examined
    # an image's mistakes include the order in which it was fed
    orders = right_layouts if examined.is_image else layouts
    stale = reference.stale(case, arrays, causes.STALE_INPUT if examined.is_image else causes.STALE)
    explanations = _explanations(examined, stale, reference.answers[case], reference)
    near = fits(dump.values, right, explanations, _MOST_CAUSES, orders=orders)
    if report := examined.report:
        as_it_is = Fit((), examined.layout, report.relative or 0.0, report.cosine or 0.0)
        examined.fits = [fit for fit in near if not fit.causes][:1] or [as_it_is]
    else:
        examined.fits = simplest([fit for fit in near if fit.causes], examined.plain)
    examined.loose = None if examined.fits else far_better(near)
    return examined


def exchanged(meaning: str, answers: Mapping[str, np.ndarray]) -> list[Mistake]:
    """The other outputs, in case a file holds one of them."""
    mistakes = []
    for other, array in answers.items():
        if other != meaning:
            first, second = sorted((meaning, other))
            mistakes.append(taken_for(array, causes.EXCHANGED.filled(first=first, second=second)))
    return mistakes


def correlation(values: np.ndarray, right: np.ndarray) -> tuple[float, Layout]:
    """How much a dump resembles a tensor, 0 to 1, whatever its scale and offset, in the better of NCHW and NHWC."""
    tried = right_layouts(right.shape)
    if values.size != right.size or not np.isfinite(values).all():
        return 0.0, tried[0]
    flat = right.ravel().astype(np.float64) - right.mean(dtype=np.float64)
    around = values.astype(np.float64) - values.mean(dtype=np.float64)
    norms = float(np.linalg.norm(flat) * np.linalg.norm(around)) or 1.0
    return max(
        ((abs(float(around[layout.order] @ flat)) / norms, layout) for layout in tried), key=lambda pair: pair[0]
    )


def _compared(dump: Dump, right: np.ndarray, tolerance: Tolerance) -> tuple[OutputReport, Layout]:
    """The dump against its golden tensor, in the better of NCHW and NHWC."""
    name, tried = dump.tensor.name, right_layouts(right.shape)
    if dump.values.size != right.size:
        problem = dump.problem or f"holds {dump.values.size} numbers, expected {right.size}"
        return OutputReport(name=name, problem=problem, atol=tolerance.atol, rtol=tolerance.rtol), tried[0]
    reports = [
        (compare(name, dump.values[layout.order].reshape(right.shape), right, tolerance), layout) for layout in tried
    ]
    return min(reports, key=lambda pair: float("inf") if pair[0].max_abs is None else pair[0].max_abs)


def _degenerate(values: np.ndarray, right: np.ndarray) -> Cause | None:
    """What is wrong with numbers that are not finite, or all the same."""
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        return causes.NOT_FINITE.filled(bad=bad, size=values.size)
    if np.ptp(values) == 0 and (values.size != right.size or np.ptp(right) > 0):
        return causes.CONSTANT if values[0] else causes.ZEROS
    return None


def _explanations(
    examined: Examined, stale: Sequence[Mistake], answers: Mapping[str, np.ndarray], reference: Reference
) -> list[Mistake]:
    """What the tensor may have become on the way into the file."""
    meaning = examined.meaning
    if examined.is_image:
        single, colours, orders = reference.image_mistakes
        return [NONE, *(mistake.of((meaning,)) for mistake in (*single, *colours, *orders, *stale))]
    if examined.dump.tensor.role != "output":
        return [NONE, *stale]
    single, pairs = reference.value_mistakes if meaning in reference.final else ([], [])
    contents = (NONE, *exchanged(meaning, answers), *stale)
    return [content.then(mistake) for content in contents for mistake in (NONE, *single, *pairs)]
