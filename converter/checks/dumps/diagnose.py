"""diagnose_dumps(): a folder of dumps and golden vectors in, a report with causes out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from converter.checks.dumps.causes import STALE_COPY, Cause, computed_from
from converter.checks.dumps.comparing import correlation, misread
from converter.checks.dumps.fitting import EXACT, Fit, linear_fit
from converter.checks.dumps.hypotheses import Hypothesis
from converter.checks.dumps.layouts import right_layouts
from converter.checks.dumps.loading import Dump, check_one_each, load_dumps
from converter.checks.dumps.reference import Reference
from converter.checks.dumps.report import DumpsReport, TensorReport
from converter.checks.dumps.search import CaseSearch, Run, Runs
from converter.checks.dumps.values import value_faults
from converter.folder.golden import Golden
from converter.spec.network import Preprocess, Tolerance

# A run takes some 50 ms; all hypotheses on one case are about as many.
MOST_RUNS = 120


def diagnose_dumps(
    folder: Path,
    golden: Golden,
    tolerances: Mapping[str, Tolerance],
    preprocess: Preprocess,
    run: Run | None,
    names: Mapping[str, str] | None = None,
    most_runs: int = MOST_RUNS,
) -> DumpsReport:
    """Compare what a device wrote with golden vectors, and find out why it differs.

    Args:
        folder: of .npy, raw (.bin, .raw) and text (.txt, .csv, .dat) files, see :mod:`converter.checks.dumps.names`.
        tolerances: of every output by meaning; inputs and inner tensors get the loosest of them.
        preprocess: how a picture becomes z and x.
        run: {"z", "x"} (NCHW float32, normalised) to every output by meaning. Without it causes that lie in the
            images are found only where the images were dumped.
        names: other names of tensors, such as blobs, to their meaning; ``update/out0`` where a graph has to be told.
        most_runs: how often ``run`` may be called.

    Raises:
        UsageError: when the folder holds no dump, or two of one tensor.
        VerificationError: when the golden vectors were changed.
    """
    reference = Reference(golden)
    dumps, others = load_dumps(folder, reference, names or {})
    faults = value_faults(golden.index.tracker.model_dump())
    runs = Runs(run, most_runs)

    def search(case: str, of: Sequence[Dump]) -> CaseSearch:
        return CaseSearch(case, of, reference, preprocess, tolerances, faults)

    searches, notes = _by_case(dumps, reference, search, runs)
    _mark_stale_copies(searches)
    first: list[Hypothesis] = []
    for one in sorted(searches, key=lambda one: -len(one.open)):
        _explain(one, first, runs)
        first += [found] if (found := one.working_hypothesis()) else []
    for one in searches:
        one.conclude()
    if run is not None and runs.left <= 0:
        notes.append(f"the search for causes in the images was ended after {runs.used} runs of the network")
    return _report(folder, searches, reference, others, notes, runs)


def _explain(search, first, runs):
    for stage in search.stages(first):
        if search.done:
            return
        search.advance(stage, runs)


def _by_case(dumps, reference, search, runs) -> tuple[list[CaseSearch], list[str]]:
    """A search for every case with dumps; those whose names say no case go to the one that fits best."""
    unnamed = [dump for dump in dumps if dump.case is None]
    notes = []
    if unnamed:
        case = _best_case(unnamed, reference, search, runs)
        notes.append(f"{unnamed[0].file} names no case: taken for {reference.titles[case]!r}, which it fits best")
        dumps = [dump.of(case) if dump.case is None else dump for dump in dumps]
        check_one_each(dumps)
    cases = [case for case in reference.cases if any(dump.case == case for dump in dumps)]
    return [search(case, [dump for dump in dumps if dump.case == case]) for case in cases], notes


def _best_case(unnamed, reference, search, runs) -> str:
    """The case for which the dumps have the simplest explanation, else the one they resemble most."""
    likeness = {case: _likeness(unnamed, reference, case) for case in reference.cases}
    searches = [search(case, [dump.of(case) for dump in unnamed]) for case in reference.cases]
    ranked = sorted(searches, key=lambda one: (*one.score, -likeness[one.case]))
    if not ranked[0].open or ranked[0].score[0] < ranked[1].score[0]:
        return ranked[0].case
    for together in zip(*(one.stages([]) for one in ranked), strict=False):
        for one, stage in zip(ranked, together, strict=True):
            one.advance(stage, runs)
        if ready := [one for one in ranked if one.done]:
            return min(ready, key=lambda one: one.stands).case
    return min(ranked, key=lambda one: (one.stands, -likeness[one.case])).case


def _likeness(dumps, reference, case):
    return sum(correlation(dump.values, reference.array(case, *dump.key)) for dump in dumps if not dump.problem)


def _mark_stale_copies(searches: Sequence[CaseSearch]) -> None:
    """A dump that nothing explains and that equals the dump of an earlier case."""
    seen: dict[tuple, list[tuple[str, Dump]]] = {}
    for search in searches:
        for dump in list(search.open):
            for case, earlier in seen.get(dump.key, ()):
                array = search.reference.array
                same = np.array_equal(earlier.values, dump.values)
                if same and not np.array_equal(array(case, *dump.key), array(search.case, *dump.key)):
                    layout = right_layouts(dump.tensor.shape)[0]
                    search.found[dump.file] = [Fit((STALE_COPY,), layout, 0.0, 1.0)]
                    search.open.remove(dump)
                    break
            seen.setdefault(dump.key, []).append((search.case, dump))


def _report(folder, searches, reference, others, notes, runs):
    order = {key: position for position, key in enumerate(reference.entries)}
    tensors = [_tensor(dump, search) for search in searches for dump in search.dumps]
    dumped = {(tensor.case, tensor.graph, tensor.name) for tensor in tensors}
    seen = {(tensor.case, tensor.meaning) for tensor in tensors}
    missing = [
        (entry.case, entry.graph, entry.name, entry.role)
        for key, entry in reference.entries.items()
        if key not in dumped and (entry.case, entry.meaning) not in seen
    ]
    return DumpsReport(
        folder=str(folder),
        tensors=tuple(sorted(tensors, key=lambda tensor: order[tensor.case, tensor.graph, tensor.name])),
        missing=tuple(missing),
        others=tuple(others),
        notes=tuple(notes),
        runs=runs.used,
    )


def _tensor(dump: Dump, search: CaseSearch) -> TensorReport:
    report, found = search.reports[dump.file], search.found.get(dump.file, [])
    beside = list(dump.causes)
    if found and (wrong := misread(dump, found[0])):
        beside.append(wrong)
    explanations = [(*beside, *fit.causes) for fit in found]
    if dump.problem:
        explanations = [(Cause("unreadable", f"{dump.file} {dump.problem}"),)]
    elif not found:
        explanations = [(*beside, _unknown(dump, search))]
    layout = found[0].layout.name if found else None
    notes = [*dump.notes, *([f"written as {layout}"] if layout == "NHWC" else [])]
    return TensorReport(
        file=dump.file,
        case=search.case,
        title=search.reference.titles[search.case],
        graph=dump.tensor.graph,
        name=dump.tensor.name,
        meaning=dump.tensor.meaning,
        role=dump.tensor.role,
        layout=layout,
        figures=report,
        explanations=tuple(explanation for explanation in dict.fromkeys(explanations) if explanation),
        notes=tuple(notes),
    )


def _unknown(dump, search):
    """Figures that may help where no cause is known."""
    if dump.tensor.role == "intermediate" and (images := search.images_off(dump.tensor.graph)):
        return computed_from(images)
    right = search.reference.array(search.case, *dump.key)
    if dump.values.size != right.size:
        return Cause(
            "unknown", f"{dump.file} holds {dump.values.size} numbers, expected {right.size}; no cause is known"
        )
    best = max(right_layouts(right.shape), key=lambda layout: correlation(dump.values[layout.order], right))
    a, b, rest = linear_fit(dump.values[best.order], right)
    fitted = f"{a:.4g} times the right numbers {'+' if b >= 0 else '-'} {abs(b):.3g}"
    if rest <= EXACT:
        return Cause("unknown", f"it is {fitted}; no known cause explains that")
    cosine = search.reports[dump.file].cosine
    return Cause(
        "unknown",
        f"no known cause explains it; cosine {cosine:.4f}, at best {fitted}, up to {rest:.1%} of its range beside that",
    )
