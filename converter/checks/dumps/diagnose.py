"""diagnose_dumps(): a folder of dumps and golden vectors in, a report with causes out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from converter.checks.dumps import causes
from converter.checks.dumps.causes import Cause
from converter.checks.dumps.examining import Examined, correlation
from converter.checks.dumps.fitting import EXACT, Fit, linear_fit
from converter.checks.dumps.hypotheses import Hypothesis
from converter.checks.dumps.layouts import contradicts, right_layouts
from converter.checks.dumps.loading import Dump, check_no_two_alike, load_dumps
from converter.checks.dumps.reference import Reference
from converter.checks.dumps.report import DumpsReport, TensorReport
from converter.checks.dumps.search import CaseSearch, Run, Runs
from converter.folder.golden import Golden
from converter.spec.network import NetworkSpec
from converter.spec.tensors import Tolerance


def diagnose_dumps(
    folder: Path,
    golden: Golden,
    tolerances: Mapping[str, Tolerance],
    network: NetworkSpec,
    run: Run | None,
    names: Mapping[str, str] | None = None,
) -> DumpsReport:
    """Compare what a device wrote with golden vectors, and find out why it differs.

    Args:
        folder: of .npy, raw (.bin, .raw) and text (.txt, .csv, .dat) files, see :mod:`converter.checks.dumps.names`.
        tolerances: of every output by meaning; inputs and inner tensors get the loosest of them.
        network: how a picture becomes an image, what stands behind its last layers, how its files are called.
        run: the images ({"z", "x"}, NCHW float32, normalised) to every output by meaning. Without it causes that lie
            in the images are found only where the images were dumped.
        names: other names of tensors, such as blobs, to their meaning; ``update/out0`` where a graph has to be told.

    Raises:
        UsageError: when the folder holds no dump, or two of one tensor.
        VerificationError: when the golden vectors were changed.
    """
    reference = Reference(golden, network, tolerances)
    dumps, others = load_dumps(folder, reference, names or {})
    runs = Runs(run)
    searches, notes = _by_case(dumps, reference, runs)
    _mark_stale_copies(searches)
    first: list[Hypothesis] = []
    for search in sorted(searches, key=lambda search: -len(search.open)):
        for stage in search.stages(first):
            if not search.done:
                search.advance(stage, runs)
        first += [search.best.hypothesis] if search.best else []
    for search in searches:
        search.conclude()
    if runs.ended:
        notes.append(f"the search for causes in the images was ended after {runs.used} runs of the network")
    tensors = {
        (examined.dump.case, *examined.dump.key): _tensor(examined, search)
        for search in searches
        for examined in search.examined
    }
    dumped = {(tensor.case, tensor.meaning) for tensor in tensors.values()}
    missing = [entry for entry in reference.entries.values() if (entry.case, entry.meaning) not in dumped]
    in_order = (tensors[key] for key in reference.entries if key in tensors)
    return DumpsReport(str(folder), tuple(in_order), tuple(missing), tuple(others), tuple(notes), runs.used)


def _by_case(dumps: Sequence[Dump], reference: Reference, runs: Runs) -> tuple[list[CaseSearch], list[str]]:
    """A search for every case with dumps; those whose names say no case go to the one that fits best."""
    unnamed = [dump for dump in dumps if dump.case is None]
    notes = []
    if unnamed:
        case = _best_case(unnamed, reference, runs)
        notes.append(f"{unnamed[0].file} names no case: taken for {reference.titles[case]!r}, which it fits best")
        dumps = [replace(dump, case=case) if dump.case is None else dump for dump in dumps]
        check_no_two_alike(dumps)
    of_case = {case: [dump for dump in dumps if dump.case == case] for case in reference.titles}
    return [CaseSearch(case, of, reference) for case, of in of_case.items() if of], notes


def _best_case(unnamed: Sequence[Dump], reference: Reference, runs: Runs) -> str:
    """The case for which the dumps have the simplest explanation, else the one they resemble most."""
    searches = [
        CaseSearch(case, [replace(dump, case=case) for dump in unnamed], reference) for case in reference.titles
    ]
    ranked = sorted(searches, key=lambda search: (search.score, -search.likeness))
    if not ranked[0].open or ranked[0].score[0] < ranked[1].score[0]:
        return ranked[0].case
    for together in zip(*(search.stages([]) for search in ranked), strict=False):
        for search, stage in zip(ranked, together, strict=True):
            search.advance(stage, runs)
        if ready := [search for search in ranked if search.done]:
            return min(ready, key=lambda search: search.score).case
    return min(ranked, key=lambda search: (search.score, -search.likeness)).case


def _mark_stale_copies(searches: Sequence[CaseSearch]) -> None:
    """A dump that nothing explains and that equals the dump of an earlier case."""
    earlier: list[Examined] = []
    for search in searches:
        unexplained = search.open
        for examined, other in product(unexplained, earlier):
            same = other.dump.key == examined.dump.key and np.array_equal(other.dump.values, examined.dump.values)
            if same and not np.array_equal(other.right, examined.right):
                examined.fits = [Fit((causes.STALE_COPY,), right_layouts(examined.right.shape)[0])]
        earlier += unexplained


def _tensor(examined: Examined, search: CaseSearch) -> TensorReport:
    dump, fits = examined.dump, examined.fits
    beside = list(dump.causes)
    if fits and contradicts(dump.shape, dump.tensor.shape, fits[0].layout):
        beside.append(causes.MISREAD)  # in the order of the one layout, in a file that says it is the other
    explanations = [(*beside, *fit.causes) for fit in fits]
    if dump.problem:
        explanations = [(causes.UNREADABLE.filled(file=dump.file, problem=dump.problem),)]
    elif not fits:
        explanations = [(*beside, _unknown(examined, search))]
    layout = fits[0].layout.name if fits else None
    return TensorReport(
        file=dump.file,
        case=search.case,
        title=search.reference.titles[search.case],
        graph=dump.tensor.graph,
        name=dump.tensor.name,
        meaning=dump.tensor.meaning,
        role=dump.tensor.role,
        layout=layout,
        figures=examined.report,
        explanations=tuple(explanation for explanation in dict.fromkeys(explanations) if explanation),
        notes=(*dump.notes, *(["written as NHWC"] if layout == "NHWC" else [])),
    )


def _unknown(examined: Examined, search: CaseSearch) -> Cause:
    """Figures that may help where no cause is known."""
    dump, right = examined.dump, examined.right
    if dump.tensor.role == "intermediate" and (images := search.images_off(dump.tensor.graph)):
        return causes.INPUT_WRONG.filled(images=" and ".join(images))
    if dump.values.size != right.size:
        return causes.OTHER_SIZE.filled(file=dump.file, size=dump.values.size, expected=right.size)
    _, layout = correlation(dump.values, right)
    a, b, rest = linear_fit(dump.values[layout.order], right)
    fitted = f"{a:.4g} times the right numbers {'+' if b >= 0 else '-'} {abs(b):.3g}"
    if rest <= EXACT:
        return causes.OTHER_SCALE.filled(fitted=fitted)
    return causes.UNKNOWN.filled(cosine=examined.report.cosine, fitted=fitted, rest=rest)
