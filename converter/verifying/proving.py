"""The proof of an export, once more."""

from collections.abc import Sequence

from converter.errors import ConversionError
from converter.folder.subject import Runners, Subject, isolated_runners
from converter.formats.format import format_of
from converter.proof.comparison import Comparison
from converter.proof.histogram import ErrorHistograms
from converter.proof.verify import Check, Report, verify
from converter.verifying.result import Verification
from converter.verifying.run import Run

Failures = list[tuple[str, str]]  # a format whose models did not run, and why


def prove(run: Run) -> tuple[Verification, list[str]]:
    """Every comparison at every size, and what failed; a model that does not load or crashes has failed."""
    histograms, failures = ErrorHistograms(), Failures()
    checks = _checks(run.comparison, run.runners, histograms, failures)
    for comparison in run.comparisons[1:]:
        with isolated_runners(run.subject, comparison.tracker.models) as others:
            checks += _checks(comparison, others, histograms, failures)
    report, failed = Report(tuple(checks), run.reference.about), frozenset(format for format, _ in failures)
    # a file that serves several sizes fails alike at each
    problems = list(dict.fromkeys(reason for _, reason in failures))
    if checks and not report:
        problems.append(report.failure())
    problems += _not_compared(run.subject, checks, failed)
    verification = Verification(
        report=report,
        failed=failed,
        candidates={name: format_of(name).runtime for name in run.subject.tracker.formats},
        sizes=tuple(comparison.tracker.network.sizes for comparison in run.comparisons),
        feeds=tuple(feed.name for comparison in run.comparisons for feed in comparison.feeds),
        tolerances=run.comparison.tolerances,
        histograms=histograms.rows(),
    )
    return verification, problems


def _checks(comparison: Comparison, runners: Runners, histograms: ErrorHistograms, failures: Failures) -> list[Check]:
    """The checks at one size; formats whose models did not run are added to ``failures``."""
    checks = []
    for format in comparison.tracker.formats:
        try:
            for model in comparison.tracker.of(format):
                runners[model].load()
            checks += verify(comparison, format, runners, histograms.observe)
        except ConversionError as error:
            failures.append((format, str(error)))
    return checks


def _not_compared(subject: Subject, checks: Sequence[Check], failed: frozenset[str]) -> list[str]:
    """A model whose outputs were compared with nothing is not verified, whatever became of the others."""
    compared = {(check.format, check.graph) for check in checks}
    models = [model for tracker in subject.trackers for model in tracker.models if model.format not in failed]
    names = dict.fromkeys((model.format, model.graph.name) for model in models)
    return [
        f"{format} {graph} was compared with nothing, so nothing is proved about it"
        for format, graph in names
        if (format, graph) not in compared
    ]
