"""What lt-verify found: typed to the end, made into JSON once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from converter.checks.pictures import PICTURES
from converter.errors import VerificationError
from converter.folder.exported import FileProblem, describe
from converter.folder.listing import GENERATOR, SCHEMA_VERSION, CheckpointEntry
from converter.folder.subject import UNREAD, Subject
from converter.proof.histogram import Histogram
from converter.proof.verify import Report
from converter.report.blocks import Section
from converter.report.text import now
from converter.spec.choices import JUDGED_BY_BOXES
from converter.spec.tensors import Tolerance
from converter.util.version import version
from converter.verifying.page import report_of, verdict_line


class CheckResult(Protocol):
    """Of what was asked for beside the proof; true when it passed."""

    def __bool__(self) -> bool: ...

    def failure(self) -> str:
        """Why it did not, in a line."""

    def as_dict(self) -> object:
        """For the JSON."""

    def section(self) -> Section:
        """For people."""


@dataclass(frozen=True)
class Verification:
    """What the comparisons said, and nothing else.

    Attributes:
        report: every comparison.
        failed: formats whose models did not run.
        candidates: format -> what ran it.
        sizes, feeds: that were compared on.
        histograms: of the errors.
    """

    report: Report
    failed: frozenset[str]
    candidates: Mapping[str, str]
    sizes: tuple[tuple[int, int], ...]
    feeds: tuple[str, ...]
    tolerances: Mapping[str, Tolerance]
    histograms: tuple[Histogram, ...]

    def __bool__(self) -> bool:
        return bool(self.report) and not self.failed

    def as_dict(self) -> dict[str, Any]:
        return {
            "status": "passed" if self else "failed",
            "candidates": dict(self.candidates),
            "sizes": [list(sizes) for sizes in self.sizes],
            "feeds": list(self.feeds),
            "tolerances": {name: tolerance.model_dump() for name, tolerance in self.tolerances.items()},
            "checks": [check.as_dict() for check in self.report.checks],
        }


@dataclass(frozen=True, repr=False)
class VerifyResult:
    """Everything that one run found; true when nothing failed.

    Attributes:
        arch: of the network.
        export: the folder, when it is an export.
        subject: what was verified.
        files: model files that are not as the manifest says.
        checksums: path -> sha256 of the models' files as they were run, None for a missing one.
        reference: who computed the right outputs; ``weights`` are those behind it.
        checks: what was asked for besides, by the name of its JSON key.
        problems: what failed, a phrase each.
        warnings: what is to be known before anything of it is relied on.
        notes: what is to be known of the models on their device, a line each.
        undone: those of them that are about something that could not be carried out.
        tools: versions.
    """

    arch: str
    export: Path | None
    subject: Subject
    files: tuple[FileProblem, ...]
    checksums: Mapping[Path, str | None]
    reference: str
    weights: CheckpointEntry
    verification: Verification
    checks: Mapping[str, CheckResult]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    tools: Mapping[str, str]
    undone: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return not self.problems

    def __repr__(self) -> str:
        return f"<{'; '.join([verdict_line(self), *self.problems])}>"

    def _repr_html_(self) -> str:
        """The report, for a notebook."""
        from converter.report.html import frame_of  # Jinja2, which nothing else of a result needs

        return frame_of(report_of(self, now()))

    @property
    def in_part(self) -> bool:
        """Whether less is behind the verdict than a tracker's needs: graphs are missing, or models that are judged by
        their boxes were held against outputs only."""
        return bool(self.subject.missing) or not self.boxes_judged

    @property
    def boxes_judged(self) -> bool:
        """Whether a tracker's boxes were looked at; true of models that are not judged by them."""
        return self.subject.precision not in JUDGED_BY_BOXES or PICTURES in self.checks

    @property
    def max_of_range(self) -> float | None:
        """The largest difference of all outputs as a share of the output's range; None where there is none."""
        return self.verification.report.max_of_range

    def raise_if_failed(self) -> None:
        """Raises:
        VerificationError: naming the problems, with this result.
        """
        if not self:
            raise VerificationError("; ".join(self.problems), result=self)

    @property
    def unfinished(self) -> bool:
        """Whether nothing failed, but something that was asked for beside the proof could not be carried out."""
        return bool(self.undone) and set(self.problems) == set(self.undone)

    @property
    def files_status(self) -> str:
        if self.subject.manifest is None:
            return "no manifest"
        return "failed" if self.files else "passed"

    def as_dict(self) -> dict[str, Any]:
        """As ``lt-verify --json`` prints it."""
        manifest, tracker = self.subject.manifest, self.subject.tracker
        return {
            "schema_version": SCHEMA_VERSION,
            "generator": {"name": GENERATOR, "version": version(), "command": "lt-verify"},
            "verdict": "passed" if self else "failed",
            "folder": str(self.export) if self.export else None,
            "arch": self.arch,
            "path_name": tracker.network.path_name,
            "checkpoint": manifest.checkpoint.model_dump(mode="json") if manifest else None,
            "precision": None if self.subject.precision == UNREAD else self.subject.precision,
            "sizes": tracker.dimensions.numbers(),
            "models": [describe(model, self.subject.folder, self.checksums) for model in tracker.models],
            "files": {"status": self.files_status, "problems": [problem.as_dict() for problem in self.files]},
            "missing": [
                {"format": each.format, "graphs": list(each.graphs), "sizes": list(each.sizes)}
                for each in self.subject.missing
            ],
            "reference": self.reference,
            "resume": self.weights.model_dump(include={"file", "sha256"}),
            "verification": self.verification.as_dict(),
            "histograms": [histogram.as_dict() for histogram in self.verification.histograms],
            **{name: check.as_dict() for name, check in self.checks.items()},
            "notes": list(self.notes),
            "problems": list(self.problems),
            "tools": dict(self.tools),
        }
