"""Tracker families: what a config's ``family`` names, found by that name.

A family is its config, its network, its patches and its tracking procedure. Importing one does not import torch;
building a network does.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from converter import families
from converter.errors import UsageError, did_you_mean
from converter.proof.boxes import Box
from converter.proof.chain import Arrays, TrackedModel
from converter.proof.comparison import ScoreMaps, as_they_are
from converter.spec.dimensions import Dimensions
from converter.spec.network import NetworkSpec
from converter.util.folders import packages_in

if TYPE_CHECKING:
    from torch import Tensor, nn

    from converter.families.supernet import Supernet

Constants = TypeVar("Constants", bound=BaseModel)
Shapes = Mapping[str, tuple[int, ...]]
Sizes = tuple[int, int]
Tensors = Mapping[str, "Tensor"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Where a tracker sees the target, and how sure it is (0 to 1)."""

    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class BestCell:
    """What the best cell of an answer says, before any smoothing.

    Attributes:
        box: left, top, right, bottom in pixels of the search crop, from its middle.
        score: 0 to 1.
    """

    box: tuple[float, float, float, float]
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What an answer says to a tracker in its state, before the tracker smooths the box or keeps it in the frame.

    Attributes:
        box: in pixels of the frame.
        score: 0 to 1.
        ranks: (1, maps, H, W): the tracker chooses the largest value of each map.
    """

    box: Box
    score: float
    ranks: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """A crop before it is normalised, and where it is from.

    Attributes:
        square: left, top and side, in pixels of the frame.
        fill: colour of what lies outside the frame, RGB, with fractions that are cut off.
        pixels: (size, size, 3) uint8 RGB.
        mask: (1, cells) float32, where the graphs take one.
    """

    square: tuple[int, int, int]
    fill: np.ndarray
    pixels: np.ndarray
    mask: np.ndarray | None = None


class Procedure(Protocol):
    """A tracker with its own state; frames are (H, W, 3) uint8 RGB.

    ``step`` is ``look``, the model's ``track`` and ``follow``; between the three the state does not change.
    """

    def start(self, frame: np.ndarray, box: Box) -> Estimate:
        """Show the model the target, in the box."""

    def step(self, frame: np.ndarray) -> Estimate:
        """Find the target in the next frame. Raises VerificationError where the model's answer cannot be used."""

    def look(self, frame: np.ndarray) -> tuple[np.ndarray, ...]:
        """The search crop of the next frame, (1, 3, S, S) float32, normalised, and its mask where graphs take one."""

    def read(self, answer: Arrays, cell: tuple[int, ...] | None = None) -> Reading:
        """What an answer to that crop says; the state stays. Raises VerificationError where it cannot be used.

        Args:
            cell: (row, column) to take the box and the score from, where cells have boxes of their own; else the best.
        """

    def follow(self, answer: Arrays, frame: np.ndarray) -> Estimate:
        """Move on as an answer to that crop says. Raises VerificationError likewise."""


class Stepwise(Procedure, Protocol):
    """One that can be looked at step by step, as a family with a procedure in C++ needs it."""

    def resume(self, box: Box) -> None:
        """Go on from a box, whatever was seen before; the template stays."""

    def looked(self, frame: np.ndarray, template: bool = False) -> Looked:
        """The crop of ``look``, or with ``template`` that of ``start``, of the box that it has now."""

    def decided(self, answer: Arrays) -> dict[str, np.ndarray]:
        """What follows from an answer, stage by stage: "decode", and what ranks cells where something does. The state
        stays. Raises VerificationError likewise."""


class BestOf(Protocol):
    """See :attr:`Family.best`."""

    def __call__(
        self, outputs: Arrays, spec: NetworkSpec, dimensions: Dimensions, cell: tuple[int, ...] | None = None
    ) -> BestCell | None: ...


def no_best(
    outputs: Arrays, spec: NetworkSpec, dimensions: Dimensions, cell: tuple[int, ...] | None = None
) -> BestCell | None:
    """Of a family without boxes cell by cell."""
    return None


@dataclass(frozen=True)
class Family:
    """What the rest of the converter asks of a family.

    Tensors are by their meaning in the config: a crop is "z" or "x", and "z_mask" or "x_mask" where the config has
    masks. Shapes are by state-dict key.

    Attributes:
        dimensions: (path_name, template_size, search_size) -> its dimensions. Raises ArchitectureError,
            UsageError.
        build: (path_name, template_size, search_size) -> our own network without weights (parameters on the
            meta device).
        reference: (network, both crops) -> every tensor of the config, computed by the network's own
            unpatched methods.
        template: (network, template crop) -> what the network remembers of a template, by the same methods.
        track: (network, what ``template`` gave, search crop) -> the answer.
        recognise: (shapes) -> the path name that such weights belong to, or None.
        procedure: (model, config, dimensions) -> a tracker around the model. Raises UsageError where the config's
            section ``tracker`` does not fit.
        constants: what ``procedure`` takes from that section; None where it takes nothing.
        arch: (path_name) -> the name of the network that it asks for; the one to begin with where several are the same.
        root: the environment variable that names an official checkout.
        settle: (path_name asked for, shapes) -> the path name to build, where the asked one leaves it to the weights.
        ignores: (state-dict key) -> whether weights may have it although the network has not.
        covers: (path_name asked for, path_name that weights have) -> whether they are what was asked for.
        sizes: (shapes, template and search size asked for) -> those that weights are of: the same where they fit.
        words: (path_name) -> the option that asks for it.
        with_blocks: (path_name, blocks of the head) -> the path name with so many; None where there is no choice.
        called: what a path name is.
        methods: the methods that make the reference.
        best: (outputs, config, dimensions, cell) -> what the best cell of a graph's answer says, or ``cell``, (row,
            column); None for a graph without one, or without boxes cell by cell.
        score_maps: the config's ``decision`` output as score maps, (1, maps, H, W), whose largest values are the
            tracker's decision.
        cpp: the files in this folder that are ``procedure`` in C++, in the order in which a compiler reads them; none
            for a family without.
        supernet: the search space that its networks are from; None for a family without.
    """

    dimensions: Callable[[str, int, int], Dimensions]
    build: Callable[[str, int, int], "nn.Module"]
    reference: Callable[["nn.Module", Tensors], Tensors]
    template: Callable[["nn.Module", Tensors], Tensors]
    track: Callable[["nn.Module", Tensors, Tensors], Tensors]
    recognise: Callable[[Shapes], str | None]
    procedure: Callable[[TrackedModel, NetworkSpec, Dimensions], Procedure]
    arch: Callable[[str], str]
    root: str
    settle: Callable[[str, Shapes], str] = lambda asked, shapes: asked
    ignores: Callable[[str], bool] = lambda key: False
    covers: Callable[[str, str], bool] = lambda asked, found: asked == found
    sizes: Callable[[Shapes, Sizes], Sizes] = lambda shapes, asked: asked
    words: Callable[[str], str] = lambda name: f"--path-name {name}"
    with_blocks: Callable[[str, int], str] | None = None
    called: str = "path name"
    methods: str = "template() and track()"
    best: BestOf = no_best
    score_maps: ScoreMaps = as_they_are
    cpp: tuple[str, ...] = ()
    constants: type[BaseModel] | None = None
    supernet: "Supernet | None" = None


def family_names() -> list[str]:
    """The folders beside this file."""
    return list(packages_in(families.__name__))


def family_of(name: str) -> Family:
    """The family ``FAMILY`` of the folder with that name.

    Raises:
        UsageError: when there is none.
    """
    names = family_names()
    if name not in names:
        raise UsageError(f"config: unknown family {name!r}, known are {', '.join(names)}{did_you_mean(name, names)}")
    family: Family = import_module(f"{families.__name__}.{name}").FAMILY
    return family


@contextmanager
def outputs_of(module: "nn.Module") -> Iterator[list["Tensor"]]:
    """What a module gives while the block runs, call by call."""
    outputs: list[Tensor] = []
    hook = module.register_forward_hook(lambda _, __, output: outputs.append(output))
    try:
        yield outputs
    finally:
        hook.remove()


def constants_of(spec: NetworkSpec, kind: type[Constants]) -> Constants:
    """The config's section ``tracker``.

    Args:
        kind: what a procedure takes from it.

    Raises:
        UsageError: naming the first key that is missing or has a value that does not fit.
    """
    try:
        return kind.model_validate(spec.tracker)
    except ValidationError as problem:
        error = problem.errors()[0]
        ending = "" if error["type"] == "missing" else f", found {error['input']!r}"
        raise UsageError(f"config: tracker.{error['loc'][0]}: {error['msg'].lower()}{ending}") from None
