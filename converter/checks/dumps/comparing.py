"""A dump against its golden tensor: figures, and what can be seen without searching."""

from collections.abc import Mapping, Sequence

import numpy as np

from converter.checks.dumps import causes
from converter.checks.dumps.causes import Cause
from converter.checks.dumps.fitting import FAR_BETTER, Content, Fit
from converter.checks.dumps.layouts import contradicts, right_layouts
from converter.checks.dumps.loading import Dump
from converter.proof.compare import OutputReport, compare
from converter.spec.network import Tolerance


def exchanged_contents(meaning: str, answers: Mapping[str, np.ndarray]) -> list[Content]:
    """The other outputs, in case a file holds one of them."""
    return [
        Content(array, (causes.exchanged({meaning, other}),)) for other, array in answers.items() if other != meaning
    ]


def figures(dump: Dump, right: np.ndarray, tolerances: Mapping[str, Tolerance]) -> OutputReport:
    """The dump against its golden tensor, in the better of NCHW and NHWC."""
    tolerance = tolerances.get(dump.tensor.meaning) or loosest(tolerances)
    name = dump.tensor.name
    if dump.values.size != right.size:
        problem = dump.problem or f"holds {dump.values.size} numbers, expected {right.size}"
        return OutputReport(name=name, problem=problem, atol=tolerance.atol, rtol=tolerance.rtol)
    reports = [
        compare(name, dump.values[layout.order].reshape(right.shape), right, tolerance)
        for layout in right_layouts(right.shape)
    ]
    return min(reports, key=lambda report: report.max_abs if report.problem is None else float("inf"))


def loosest(tolerances: Mapping[str, Tolerance]) -> Tolerance:
    """For inputs and inner tensors, which the config gives no tolerance of their own."""
    return Tolerance(
        atol=max((tolerance.atol for tolerance in tolerances.values()), default=0.0),
        rtol=max((tolerance.rtol for tolerance in tolerances.values()), default=0.0),
    )


def as_it_is(dump: Dump, right: np.ndarray, report: OutputReport) -> Fit:
    """A dump within its tolerance, in the layout in which it is."""
    layout = min(
        right_layouts(right.shape), key=lambda one: float(np.abs(dump.values[one.order] - right.ravel()).max())
    )
    return Fit((), layout, report.relative or 0.0, report.cosine or 0.0)


def misread(dump: Dump, fit: Fit) -> Cause | None:
    """Numbers in the order of the one layout in a file that says it is the other."""
    return causes.MISREAD if contradicts(dump.shape, dump.tensor.shape, fit.layout) else None


def degenerate(values: np.ndarray, right: np.ndarray) -> Cause | None:
    """What is wrong with numbers that are not finite, or all the same."""
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        return causes.not_finite(bad, values.size)
    if np.ptp(values) == 0 and (values.size != right.size or np.ptp(right) > 0):
        return causes.CONSTANT if values[0] else causes.ZEROS
    return None


def far_better(found: Sequence[Fit], plain: float | None = None) -> Fit | None:
    """The simplest of the near fits, unless a costlier one is far better; with ``plain`` only those far better."""
    best = None
    for fit in found:
        worth = fit.like_half and (plain is None or not fit.causes or fit.error * FAR_BETTER <= plain)
        if worth and (best is None or fit.error * FAR_BETTER <= best.error):
            best = fit
    return best


def correlation(values: np.ndarray, right: np.ndarray) -> float:
    """How much a dump resembles a tensor, 0 to 1, whatever its scale and offset, in the better of NCHW and NHWC."""
    if values.size != right.size or not np.isfinite(values).all():
        return 0.0
    flat = right.ravel().astype(np.float64) - right.mean(dtype=np.float64)
    around = values.astype(np.float64) - values.mean(dtype=np.float64)
    norms = float(np.linalg.norm(flat) * np.linalg.norm(around))
    if not norms:
        return 0.0
    return max(abs(float(around[layout.order] @ flat)) / norms for layout in right_layouts(right.shape))
