"""Whether models put their boxes where the network does, in one step on the package's pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converter.checks.clip.one_step import Step, Steps, one_step, steps_of
from converter.checks.pictures import PICTURES
from converter.checks.pictures.pairs import pairs_of, procedure_around
from converter.errors import VerificationError
from converter.proof.chain import Arrays, GraphModel
from converter.proof.runner import Runner
from converter.report.blocks import BAD, OK, Row, Section, Table, columns
from converter.report.text import count, error, listed, overlap
from converter.spec.model import Model, TrackerModels


@dataclass(frozen=True)
class OnPictures:
    """The models of one format at one size; true when they pass.

    Attributes:
        format: of the models.
        sizes: of template and search crop.
        steps: frame n is pair n of the pictures.
        names: of the pairs.
        problem: why an answer could not be used, or None.
    """

    format: str
    sizes: tuple[int, int]
    steps: Steps
    names: tuple[str, ...]
    problem: str | None = None

    def __bool__(self) -> bool:
        return self.problem is None and bool(self.steps)

    @property
    def worst(self) -> str:
        """The pair with the smallest overlap."""
        place = self.steps.iou_smallest_frame
        return "" if place is None else self.names[place]

    def failure(self) -> str:
        where = f"{self.format} at {self.sizes[0]}/{self.sizes[1]} on the package's pictures"
        return "" if self else f"{where}: {self.problem or listed(self.steps.reasons())}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "sizes": list(self.sizes),
            "passed": bool(self),
            "problem": self.problem,
            "limits": self.steps.limits.model_dump(),
            "worst": self.worst,
            **self.steps.as_dict(),
        }


@dataclass(frozen=True)
class PicturesReport:
    """All formats and sizes; true when there are some and all passed."""

    results: tuple[OnPictures, ...]

    def __bool__(self) -> bool:
        return bool(self.results) and all(self.results)

    def failure(self) -> str:
        """Why it is false, in a line."""
        if not self.results:
            return "no step on the package's pictures was compared"
        return "; ".join(result.failure() for result in self.results if not result)

    def as_dict(self) -> list[dict[str, Any]]:
        return [result.as_dict() for result in self.results]

    def sentence(self) -> str:
        """The mean and the smallest overlap of every format."""
        return " ".join(map(_sentence, self.results))

    def section(self) -> Section:
        summary = self.sentence() or "Nothing was compared."
        titles = ("Verdict", "Models", ">Steps", ">Mean IoU", ">Smallest", "In", ">Other cell", ">Score max |Δ|")
        table = Table(columns(*titles), tuple(map(_row, self.results)), _about(self.results))
        return Section(PICTURES, "On the package's pictures", OK if self else BAD, summary, (table,), folded=False)


def on_pictures(
    format: str, tracker: TrackerModels, precision: str, runners: Mapping[Model, Runner], outputs: Sequence[Arrays]
) -> OnPictures:
    """One step of the models of a format on every pair of the package's pictures.

    Args:
        precision: whose limits hold.
        outputs: the reference's tensors for each of the pairs.
    """
    model, network = GraphModel(tracker.of(format), runners), tracker.network
    procedure, tie = procedure_around(model, tracker), network.box_tie(precision)
    steps: dict[int, Step] = {}
    names: list[str] = []
    problem = None
    for index, (pair, expected) in enumerate(zip(pairs_of(tracker.dimensions.template_size), outputs, strict=True)):
        names.append(pair.name)
        try:
            procedure.start(pair.first, pair.box)
            steps[index] = one_step(procedure, model.track(*procedure.look(pair.second)), expected, tie)
        except VerificationError as failed:
            problem = problem or f"{pair.name}: {failed}"
    return OnPictures(format, network.sizes, steps_of(steps, network.step_limits(precision)), tuple(names), problem)


def _sentence(result: OnPictures) -> str:
    if result.problem or result.steps.iou_mean is None:
        return f"{result.format}: {result.problem or 'no step was compared'}."
    return (
        f"{result.format} at {result.sizes[0]}/{result.sizes[1]}: mean overlap in one step "
        f"{overlap(result.steps.iou_mean)} over {count(result.steps.frames, 'pair')} of the package's pictures, "
        f"smallest {overlap(result.steps.iou_smallest)} in {result.worst}."
    )


def _row(result: OnPictures) -> Row:
    steps = result.steps
    cells = (
        "ok" if result else "FAILED",
        f"{result.format} {result.sizes[0]}/{result.sizes[1]}",
        str(steps.frames),
        overlap(steps.iou_mean),
        overlap(steps.iou_smallest),
        result.worst,
        str(steps.other_cells),
        error(steps.score_max),
    )
    return Row(cells, OK if result else BAD)


def _about(results: Sequence[OnPictures]) -> str:
    if not results:
        return ""
    limits = results[0].steps.limits
    return (
        "A piece of one picture moves over another; boxes before smoothing, beside the network's. It passes with a "
        f"mean overlap of {limits.iou:g} and none below {limits.smallest:g}."
    )
