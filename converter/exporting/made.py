"""A finished export, before it is described and published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.checks.pictures import PICTURES
from converter.exporting.fitted import Fitted
from converter.exporting.page import report_of, verdict_line
from converter.folder.golden_index import GoldenIndex
from converter.folder.manifest import Manifest, VerificationEntry
from converter.formats.format import notes_on
from converter.proof.comparison import Comparison
from converter.proof.verify import Report
from converter.report.text import now
from converter.spec.model import TrackerModels
from converter.spec.options import ExportOptions
from converter.spec.tensors import GraphSpec
from converter.util.content import Contents

if TYPE_CHECKING:
    from converter.checks.arm.section import ArmSection
    from converter.checks.pictures.steps import PicturesReport
    from converter.network.load import LoadedNetwork


@dataclass(frozen=True)
class Made:
    """What a finished export consists of.

    Attributes:
        comparisons: one for each size, the network's own first.
        network: with the trained weights.
        folder: the model files are there.
        contents: what was read of it for the proof.
        multiply_adds: of one run of each graph.
        verification: the proof's figures, or that there are none; ``report`` is what they are of.
        protected: ncnn graph to layers without half arithmetic; None where nobody asked for it.
        arm: what the emulated ARM cpu computed; None where nobody asked for it.
        golden: the index of the golden vectors.
        fitted: what the models are that were not converted; None where they were.
    """

    comparisons: Sequence[Comparison]
    network: "LoadedNetwork"
    folder: Path
    contents: Contents
    multiply_adds: Mapping[GraphSpec, int]
    verification: VerificationEntry
    report: Report | None
    protected: dict[str, tuple[str, ...]] | None
    arm: "ArmSection | None"
    golden: GoldenIndex | None
    fitted: Fitted | None = None

    @property
    def trackers(self) -> list[TrackerModels]:
        return [comparison.tracker for comparison in self.comparisons]

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of the models on their device, a line each."""
        models = dict.fromkeys(model for tracker in self.trackers for model in tracker.models)
        return notes_on({model: self.contents.of(model.paths(self.folder)) for model in models})


@dataclass(frozen=True, repr=False)
class Exported:
    """A published export; true when it was verified.

    Attributes:
        folder: where it is.
        manifest: of the folder.
        report: every comparison; None without proof.
        arm: what the emulated ARM cpu computed; None where nobody asked for it.
        options: what it was made from.
        notes: what is to be known of the models on their device, a line each.
        steps: one step on the package's pictures; None of models that are not judged by their boxes.
    """

    folder: Path
    manifest: Manifest
    report: Report | None
    arm: "ArmSection | None"
    options: ExportOptions
    notes: tuple[str, ...] = ()
    steps: "PicturesReport | None" = None

    def __bool__(self) -> bool:
        return bool(self.report)

    def __repr__(self) -> str:
        return f"<{verdict_line(self)}>"

    def _repr_html_(self) -> str:
        """The report, for a notebook."""
        from converter.report.html import frame_of  # Jinja2, which nothing else of an export needs

        return frame_of(report_of(self, now()))

    @property
    def max_of_range(self) -> float | None:
        """The largest difference of all outputs as a share of the output's range; None without proof."""
        return self.report.max_of_range if self.report else None


@dataclass(frozen=True)
class Refused:
    """Models whose outputs passed and that were not published, for a :class:`converter.errors.VerificationError`.

    Attributes:
        report: the comparisons of outputs on this machine.
        steps: one step on the package's pictures, where models are judged by their boxes.
        arm: what the emulated ARM cpu computed, where it was asked for and they got so far.
    """

    report: Report | None
    steps: "PicturesReport | None" = None
    arm: "ArmSection | None" = None

    def as_dict(self) -> dict[str, Any]:
        found = {PICTURES: self.steps, "arm": self.arm}
        return {name: each.as_dict() for name, each in found.items() if each is not None}
