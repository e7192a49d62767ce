"""The export that tracks: its models, checked against its manifest, each to be run in a process of its own."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from converter.errors import VerificationError
from converter.families.family import Procedure, family_of
from converter.folder.stated import read_files
from converter.folder.subject import Subject, isolated_runners, subject_of
from converter.formats.format import check_runtime, format_of
from converter.proof.chain import GraphModel, TrackedModel
from converter.report.text import listed
from converter.spec.options import VerifyOptions
from converter.util.packages import is_installed

PASSED = "passed"


@dataclass(frozen=True)
class TrackingExport:
    """An export whose files are those that its manifest lists.

    Attributes:
        subject: what was read of it.
        format: of the models that track.
        wider: that it had passed with wider tolerances than it would be judged by, in a line; None where it had not.
    """

    subject: Subject
    format: str
    wider: str | None

    @property
    def stated(self) -> str:
        """What its manifest says of its proof, "passed" for one."""
        return self.subject.manifest.verification.status if self.subject.manifest else "unknown"

    @property
    def status(self) -> str:
        """The same in words."""
        if self.stated != PASSED:
            return "not verified"
        return "verified with wider tolerances" if self.wider else "verified"

    def procedure(self, running: ExitStack) -> tuple[Procedure, "TimedModel"]:
        """The family's tracker around the models, which are loaded.

        Args:
            running: ends their processes.

        Raises:
            ConversionError: when one does not load, or they do not fit together.
            UsageError: when the family's procedure does not fit.
        """
        tracker = self.subject.tracker
        models = tracker.of(self.format)
        runners = running.enter_context(isolated_runners(self.subject, models))
        for runner in runners.values():
            runner.load()
        model = TimedModel(GraphModel(models, runners))
        procedure = family_of(tracker.network.family).procedure(model, tracker.network, tracker.dimensions)
        return procedure, model

    def as_dict(self) -> dict[str, Any]:
        manifest, tracker = self.subject.manifest, self.subject.tracker
        return {
            "folder": str(self.subject.folder),
            "arch": manifest.arch if manifest else None,
            "path_name": tracker.network.path_name,
            "checkpoint": manifest.checkpoint.model_dump(mode="json") if manifest else None,
            "format": self.format,
            "precision": self.subject.precision,
            "sizes": tracker.dimensions.numbers(),
            "verification": {"status": self.stated, "wider_tolerances": self.wider},
        }


class TimedModel:
    """A model with a clock.

    Attributes:
        seconds: of every answer to a search crop.
    """

    def __init__(self, model: TrackedModel) -> None:
        self.seconds: list[float] = []
        self._model = model

    def template(self, z: np.ndarray, mask: np.ndarray | None = None) -> None:
        self._model.template(z, mask)

    def track(self, x: np.ndarray, mask: np.ndarray | None = None) -> Mapping[str, np.ndarray]:
        begin = time.perf_counter()
        answer = self._model.track(x, mask)
        self.seconds.append(time.perf_counter() - begin)
        return answer


def open_export(options: VerifyOptions) -> TrackingExport:
    """Read the models.

    Raises:
        UsageError: when it is no export, or has no such format or size.
        VerificationError: when a file or the manifest is not what it was, or a graph is missing.
        DependencyError: when nothing here runs the models.
    """
    subject = subject_of(options)
    format = _format_of(subject)
    _, problems = read_files(subject)
    if problems:
        raise VerificationError("; ".join(map(str, problems)))
    for each in subject.missing:
        if each.format == format and each.sizes == subject.tracker.network.sizes:
            raise VerificationError(
                f"{listed(each.graphs)} of {format} is missing, and without it this is no tracker; export again"
            )
    check_runtime(format)
    return TrackingExport(subject, format, subject.passed_with_wider(subject.tolerances(options)))


def _format_of(subject: Subject) -> str:
    """The first format of the export that can be run here; the first one where none can."""
    formats = subject.tracker.formats
    return next((name for name in formats if is_installed(format_of(name).packages[-1])), formats[0])
