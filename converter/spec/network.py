"""What is to be exported: frozen descriptions, read from ``configs/*.yaml``. No torch here."""

from collections.abc import Collection, Mapping
from math import prod
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from converter.errors import UsageError, did_you_mean
from converter.spec.choices import FULL, JUDGED_BY_BOXES
from converter.spec.contradiction import contradiction
from converter.spec.dimensions import Dimensions
from converter.spec.read_from import ReadFrom
from converter.spec.scores import IN_WORDS, Scores
from converter.spec.tensors import (
    Activation,
    Finite,
    Frozen,
    GraphSpec,
    NonNegative,
    Side,
    Size,
    StepLimits,
    TensorSpec,
    Tolerance,
)

SMALLEST_OPSET, LARGEST_OPSET = 11, 17
SMALLEST_OPSET_OF_BYTES = 13  # the first whose DequantizeLinear has a scale for every channel

LEVELS = 256  # of a pixel
TIE = 1e-5  # of two cells, as a share of the reference's range

LARGEST_TENSOR = 2**27  # numbers
MOST_FEEDS = 1000

# of pixels: no normalisation goes beyond, and what does leaves no finite number in a manifest
Level = Annotated[float, Field(ge=-1e6, le=1e6)]
Spread = Annotated[float, Field(ge=1e-6, le=1e6)]
GraphName = Annotated[str, Field(pattern=r"^\w{1,60}$")]
ModulePattern = Annotated[str, Field(pattern=r"^[\w*?!\[\]-]+(\.[\w*?!\[\]-]+)*$")]


class TensorEntry(Frozen):
    about: str
    shape: Annotated[list[Side | str], Field(min_length=1, max_length=8)]
    mask_of: str | None = None


class GraphEntry(Frozen):
    mode: str
    inputs: Annotated[list[str], Field(min_length=1)]
    masks: list[str] = Field(default_factory=list)
    outputs: Annotated[list[str], Field(min_length=1)]


class Preprocess(Frozen):
    """How an image becomes z or x: channel order, then ``(pixel - mean) / std`` on pixels of ``pixel_range``."""

    colour_order: Literal["RGB", "BGR"]
    pixel_range: Annotated[list[Level], Field(min_length=2, max_length=2)]
    mean: Annotated[list[Level], Field(min_length=3, max_length=3)]
    std: Annotated[list[Spread], Field(min_length=3, max_length=3)]

    def of_bytes(self) -> tuple[list[float], list[float]]:
        """Mean and std of pixels of 0 to 255."""
        low, high = self.pixel_range
        per_unit = 255.0 / (high - low)
        mean = [round((value - low) * per_unit, 6) for value in self.mean]
        return mean, [round(value * per_unit, 6) for value in self.std]

    @model_validator(mode="after")
    def _range_is_one(self) -> "Preprocess":
        low, high = self.pixel_range
        if high - low < 1e-3:
            raise ValueError(f"preprocess.pixel_range is {self.pixel_range}, expected a low and a higher value")
        if outside := [value for value in self.mean if not low <= value <= high]:
            raise ValueError(f"preprocess.mean has {outside[0]}, expected values within pixel_range, {low} to {high}")
        smallest, largest = (high - low) / LEVELS, high - low
        if outside := [value for value in self.std if not smallest <= value <= largest]:
            raise ValueError(
                f"preprocess.std has {outside[0]}, expected {smallest:g} to {largest:g} for the pixel_range {low} to "
                f"{high}"
            )
        return self


class ModeTolerances(Frozen):
    """What passes in one mode on the emulated ARM cpu, or on a Vulkan device.

    Attributes:
        tolerances: output to tolerance, against the network in float32.
        box_pixels: how far an edge of the best cell's box may move.
        score: by how much the best cell's score may differ.
        one_step: what passes in one step of the tracker on a clip; ``score`` and 0.95 of overlap where it is absent.
    """

    tolerances: dict[str, Tolerance]
    box_pixels: NonNegative
    score: NonNegative
    one_step: StepLimits | None = None

    def or_wider(self, other: "ModeTolerances") -> "ModeTolerances":
        """What passes by either, figure by figure."""
        steps = self.one_step.or_wider(other.one_step) if self.one_step and other.one_step else None
        return ModeTolerances(
            tolerances={
                name: tolerance.or_wider(other.tolerances.get(name, tolerance))
                for name, tolerance in self.tolerances.items()
            },
            box_pixels=max(self.box_pixels, other.box_pixels),
            score=max(self.score, other.score),
            one_step=steps,
        )


class UsualMistake(Frozen):
    """A mistake in an output's numbers that --dumps recognises.

    Attributes:
        cause, text: its short name and what to do; ``{factor}`` in the text stands for the factor.
        change: what it makes of the right numbers: divides or multiplies them by the factor, leaves out the ReLU
            behind them, has factor * exp(number / factor) in its place, a softmax over the cells of every map, or
            the logarithms of the distances that an exp behind them gives.
        factors: numbers, or names in the tracker's section; with each of them it is a mistake of its own.
    """

    cause: str
    text: str
    change: Literal["divided", "multiplied", "no_relu", "exp_for_relu", "softmax", "log"]
    factors: Annotated[list[Annotated[Finite, Field(gt=0)] | str], Field(min_length=1)]


class NetworkSpec(Frozen):
    """A network's config file; see ``configs/lighttrack_mobile.yaml`` for what each key means."""

    family: str
    archs: Annotated[list[Annotated[str, Field(pattern=r"^\w{1,100}$")]], Field(min_length=1)]
    path_name: Annotated[str, Field(max_length=200)]
    template_size: Size
    search_size: Size
    tensors: dict[str, TensorEntry]
    graphs: dict[GraphName, GraphEntry]
    splits: dict[str, Annotated[list[str], Field(min_length=1)]]
    read_from: dict[str, ReadFrom] = Field(default_factory=dict)
    default_splits: dict[str, str] = Field(default_factory=dict)
    tolerances: dict[str, dict[str, Tolerance]]
    decision: str
    ties: dict[str, NonNegative] = Field(default_factory=dict)
    one_step: dict[str, StepLimits] = Field(default_factory=dict)
    logits: dict[str, str] = Field(default_factory=dict)
    activation: Activation = "sigmoid"
    activations: dict[str, Activation] = Field(default_factory=dict)
    dynamic_search: list[Size] = Field(default_factory=list)
    arm: dict[str, ModeTolerances] = Field(default_factory=dict)
    vulkan: dict[str, ModeTolerances] = Field(default_factory=dict)
    usual_mistakes: list[UsualMistake] = Field(default_factory=list)
    noise_feeds: Annotated[int, Field(ge=1, le=MOST_FEEDS)]
    intermediates: list[ModulePattern] = Field(default_factory=list)
    preprocess: Preprocess
    tracker: dict[str, Any]
    file_prefix: Annotated[str, Field(pattern=r"^\w{1,100}$")]
    one_size: bool = False
    masks: bool = False

    @model_validator(mode="after")
    def _is_consistent(self) -> "NetworkSpec":
        if problem := contradiction(self):
            raise ValueError(problem)
        return self

    def graph_specs(self, split: str, dimensions: Dimensions) -> tuple[GraphSpec, ...]:
        """The graphs of a split with their shapes filled in.

        Args:
            split: a key of ``splits``.
            dimensions: of the network at its sizes.
        """
        return tuple(self.graph_spec(name, dimensions) for name in self.splits[split])

    def default_split(self, format: str) -> str:
        """The one of a format; the config's first where it does not say."""
        return self.default_splits.get(format, next(iter(self.splits)))

    @property
    def sizes(self) -> tuple[int, int]:
        """Of the template and the search crop."""
        return self.template_size, self.search_size

    def tie(self, precision: str) -> float:
        """Two cells whose reference scores differ by less than this share of the range are the same decision."""
        return self.ties.get(precision, TIE)

    def box_tie(self, precision: str) -> float:
        """Likewise, in one step of a tracker: models that are judged by their boxes get no wider one than halves."""
        return self.tie("half" if precision in JUDGED_BY_BOXES else precision)

    def noise(self, precision: str) -> Mapping[str, Tolerance]:
        """Of every output, as large as the noise that the network is compared with itself under, free running.

        Models that are judged by their boxes are expected to follow as those in float32 do, whatever their outputs may
        be off by.
        """
        return self.tolerances.get(FULL if precision in JUDGED_BY_BOXES else precision) or self.tolerances[FULL]

    def modes(self, section: str) -> dict[str, ModeTolerances]:
        """What passes in ncnn's modes on a device: "arm" or "vulkan", which has arm's where it has none of its own."""
        return {**self.arm, **self.vulkan} if section == "vulkan" else self.arm

    def step_limits(self, precision: str, iou: float | None = None) -> StepLimits:
        """What passes in one step of the tracker; as in float32 where the config has nothing of the precision.

        Args:
            iou: replaces the least mean overlap.
        """
        limits = self.one_step.get(precision) or self.one_step.get("fp32") or StepLimits()
        return limits if iou is None else limits.model_copy(update={"iou": iou})

    def converted(self, split: str) -> list[str]:
        """The graphs that become files: those of the split, or those that they are read from.

        Raises:
            UsageError: when there is no such split.
        """
        if split not in self.splits:
            nearest = did_you_mean(split, self.splits)
            raise UsageError(f"--split {split}: expected one of {', '.join(self.splits)}{nearest}")
        graphs = self.splits[split]
        return self.read_from[split].graphs(graphs) if split in self.read_from else graphs

    def missing_graphs(self, modes: Collection[str], split: str | None = None) -> tuple[str, ...]:
        """The graphs that models with these forward modes lack for a whole tracker; none where they make up a split.

        Args:
            split: the one that counts where the models have as many graphs of another.
        """

        def lacking(name: str) -> list[str]:
            return [graph for graph in self.splits[name] if self.graphs[graph].mode not in modes]

        def preference(name: str) -> tuple[bool, int, bool]:
            graphs = lacking(name)
            return bool(graphs), len(graphs) - len(self.splits[name]), name != split

        return tuple(lacking(min(self.splits, key=preference)))

    def graph_spec(self, name: str, dimensions: Dimensions) -> GraphSpec:
        """One graph, as :meth:`graph_specs`."""
        entry = self.graphs[name]
        return GraphSpec(
            name=name,
            family=self.family,
            mode=entry.mode,
            inputs=tuple(self.tensor_spec(tensor, dimensions) for tensor in self.inputs_of(name)),
            outputs=tuple(self.tensor_spec(tensor, dimensions) for tensor in entry.outputs),
        )

    def images(self, dimensions: Dimensions) -> tuple[TensorSpec, ...]:
        """The inputs that no graph produces: template and search crop, and their masks where the graphs take some."""
        graphs = self.graph_specs(next(iter(self.splits)), dimensions)
        produced = {tensor.meaning for graph in graphs for tensor in graph.outputs}
        inputs = {tensor.meaning: tensor for graph in graphs for tensor in graph.inputs}
        return tuple(tensor for meaning, tensor in inputs.items() if meaning not in produced)

    def inputs_of(self, graph: str) -> list[str]:
        """The tensors that a graph takes; its masks among them where the graphs are to have masks."""
        entry = self.graphs[graph]
        return [*entry.inputs, *(entry.masks if self.masks else ())]

    def tensor_spec(self, name: str, dimensions: Dimensions) -> TensorSpec:
        """One tensor; a probability where its activation makes it one."""
        entry, activation = self.tensors[name], self.activations.get(name)
        return TensorSpec(
            name=name,
            meaning=name,
            about=self.logits[name] if activation else entry.about,
            shape=self._shape(name, entry, dimensions),
            activation=activation,
            mask_of=entry.mask_of,
        )

    def with_scores(self, scores: Scores | None) -> "NetworkSpec":
        """The same network with logits as they are, or as the probabilities that they become.

        Raises:
            UsageError: when it has no logits, or they become others.
        """
        if scores is None or scores == "logits":
            return self
        if not self.logits:
            raise UsageError(f"--{scores}: {', '.join(self.archs)}: no output of it is a logit")
        if scores != self.activation:
            about = f"{self.archs[0]}'s scores are {IN_WORDS[self.activation]}"
            raise UsageError(f"--{scores}: {about}; use --{self.activation}")
        return self.model_copy(update={"activations": dict.fromkeys(self.logits, scores)})

    def with_masks(self) -> "NetworkSpec":
        """The same network with its masks as inputs.

        Raises:
            UsageError: when it has none.
        """
        if not any(graph.masks for graph in self.graphs.values()):
            raise UsageError(f"--masks: no graph of {self.archs[0]} takes a mask; leave it out")
        return self.model_copy(update={"masks": True})

    def with_default_splits(self, of_formats: Mapping[str, str]) -> "NetworkSpec":
        """The same network with these splits (format to split) where it has them and its config does not say."""
        fitting = {format: split for format, split in of_formats.items() if split in self.splits}
        return self.model_copy(update={"default_splits": {**fitting, **self.default_splits}})

    def at(self, template_size: int, search_size: int) -> "NetworkSpec":
        """The same network with other crops."""
        return self.model_copy(update={"template_size": template_size, "search_size": search_size})

    def _shape(self, name: str, entry: TensorEntry, dimensions: Dimensions) -> tuple[int, ...]:
        numbers = dimensions.numbers()
        for size in entry.shape:
            if isinstance(size, str) and size not in numbers:
                raise UsageError(f"config: the shape of tensor {name!r} names {size!r}, known are {', '.join(numbers)}")
        shape = tuple(numbers[size] if isinstance(size, str) else size for size in entry.shape)
        if prod(shape) > LARGEST_TENSOR:
            sides = "x".join(map(str, shape))
            raise UsageError(
                f"config: the shape of tensor {name!r} is {sides}, expected {LARGEST_TENSOR} numbers at most"
            )
        return shape
