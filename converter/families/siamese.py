"""What siamese trackers share, LightTrack and NanoTrack among them: their procedure but for a few steps.

Around the box of the last frame a square is cut out and shown to the network, which answers for a grid of
cells: how much each looks like the target, and how far the target's edges are from it. Cells that would
change the box's size or shape a lot count less, cells near the middle count more; the best one moves the box,
and its score says how fast the size follows.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from converter.families.family import BestCell, Estimate, Looked, Reading, constants_of
from converter.families.tracking import check_answer, square
from converter.proof.boxes import Box
from converter.proof.chain import Arrays, TrackedModel
from converter.proof.feeds import normalised
from converter.spec.dimensions import Dimensions
from converter.spec.network import NetworkSpec
from converter.spec.tensors import Finite, NonNegative
from converter.util.opencv import opencv

# Of width + height, in what the penalty calls a box's size; the official codes have it apart from context_amount.
PENALTY_CONTEXT = 0.5

Pair = tuple[float, float]
Corner = tuple[int, int]
Sides = float | np.ndarray
Share = Annotated[Finite, Field(ge=0, le=1)]


class Constants(BaseModel):
    """What the procedure takes from the config's section ``tracker``.

    Attributes:
        penalty_k: how much a change of size and shape costs.
        lr: how fast the size follows a cell of score 1.
        window_influence: the share of the cosine window in a cell's rank.
        context_amount: how much of width + height is added to each side to make a crop.
        smallest_side: of the box, in pixels of the frame.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    penalty_k: NonNegative
    lr: Share
    window_influence: Share
    context_amount: NonNegative
    smallest_side: Annotated[Finite, Field(gt=0)]


@dataclass(frozen=True)
class State:
    """Between two frames.

    Attributes:
        centre, sides: of the box, (x, y) and (width, height).
        fill: colour of what lies outside the frame, RGB: the first frame's mean.
    """

    centre: Pair
    sides: Pair
    fill: np.ndarray


@dataclass(frozen=True, eq=False)
class Choice:
    """What one cell of an answer proposes.

    Attributes:
        centre, sides: of its box, in pixels of the frame, before any smoothing.
        score: 0 to 1.
        rate: how fast the size follows.
        ranks: (cells, cells), of all cells.
    """

    centre: Pair
    sides: Pair
    score: float
    rate: float
    ranks: np.ndarray


@dataclass(frozen=True, eq=False)
class Cells:
    """What all cells of an answer propose, each (cells, cells).

    Attributes:
        lefts, tops, rights, bottoms: of their boxes, in pixels of the search crop.
        scores: 0 to 1.
        penalties: 1 for a box of the old size and shape, less for others.
        ranks: the largest is the best cell's.
    """

    lefts: np.ndarray
    tops: np.ndarray
    rights: np.ndarray
    bottoms: np.ndarray
    scores: np.ndarray
    penalties: np.ndarray
    ranks: np.ndarray


@dataclass(frozen=True)
class Outputs:
    """How a family's outputs are read.

    Attributes:
        edges: the name of the one that holds the distances of a box's edges from its cell; the other is "cls".
        channels: of cls.
        ranks: cls, (1, channels, H, W), to one score map, (1, 1, H, W), whose largest value is the best cell.
        scores: (cls, whether it holds logits) to the scores of all cells, (H, W), 0 to 1.
    """

    edges: str
    channels: int
    ranks: Callable[[np.ndarray], np.ndarray]
    scores: Callable[[np.ndarray, bool], np.ndarray]

    def best(
        self, outputs: Arrays, spec: NetworkSpec, dimensions: Dimensions, cell: tuple[int, ...] | None = None
    ) -> BestCell | None:
        """The box and the score of the best cell, or of ``cell``; None without both outputs of one size, all finite."""
        cls, edges = outputs.get("cls"), outputs.get(self.edges)
        if cls is None or edges is None:
            return None
        cells = cls.shape[-2:]
        if cls.shape != (1, self.channels, *cells) or edges.shape != (1, 4, *cells):
            return None
        if not (np.isfinite(cls).all() and np.isfinite(edges).all()):
            return None
        chosen = np.unravel_index(int(self.ranks(cls).argmax()), cells) if cell is None else cell
        row, column = (int(index) for index in chosen)
        x, y = (column - cells[1] // 2) * dimensions.stride, (row - cells[0] // 2) * dimensions.stride
        left, top, right, bottom = (float(edge) for edge in edges[0, :, row, column])
        score = float(self.scores(cls, "cls" not in spec.activations)[row, column])
        return BestCell((x - left, y - top, x + right, y + bottom), score)


class SiameseProcedure(ABC):
    """One tracker on its way through a clip.

    Attributes:
        outputs: how they are read.
        cells: along a side of the score map.
        state: since it was started.

    Raises:
        UsageError: for tracker constants that are missing or do not fit.
    """

    outputs: ClassVar[Outputs]
    state: State

    def __init__(self, model: TrackedModel, spec: NetworkSpec, dimensions: Dimensions) -> None:
        self.model = model
        self.preprocess = spec.preprocess
        self.constants = constants_of(spec, Constants)
        self.logits = "cls" not in spec.activations
        self.template_size = dimensions.template_size
        self.search_size = dimensions.search_size
        self.cells = dimensions.score_size
        self.grid = grid(self.cells, dimensions.stride, self.search_size)
        self.window = np.outer(np.hanning(self.cells), np.hanning(self.cells))

    @abstractmethod
    def middle(self, box: Box) -> Pair:
        """(x, y) of the pixel that a box is started from."""

    @abstractmethod
    def search_side(self, context: float) -> int:
        """Side of the search crop in pixels of the frame, of a context's."""

    @abstractmethod
    def corner(self, centre: Pair, side: int) -> Corner:
        """Left and top of a square around a point."""

    @abstractmethod
    def followed(self, old: float, new: float, rate: float) -> float:
        """A side of the box, of the last one's and the chosen cell's."""

    def start(self, frame: np.ndarray, box: Box) -> Estimate:
        """Show the model the target.

        Args:
            frame: (H, W, 3) uint8 RGB.
            box: around the target.
        """
        self.state = State(self.middle(box), (box.w, box.h), frame.mean(axis=(0, 1)))
        self.model.template(normalised(self.looked(frame, template=True).pixels, self.preprocess))
        return Estimate(box, 1.0)

    def step(self, frame: np.ndarray) -> Estimate:
        """Find the target in the next frame.

        Raises:
            VerificationError: when the model's answer is not finite or has another shape.
        """
        return self.follow(self.model.track(*self.look(frame)), frame)

    def look(self, frame: np.ndarray) -> tuple[np.ndarray, ...]:
        return (normalised(self.looked(frame).pixels, self.preprocess),)

    def read(self, answer: Arrays, cell: tuple[int, ...] | None = None) -> Reading:
        choice = self._choice(answer, cell)
        return Reading(Box.around(choice.centre, choice.sides), choice.score, choice.ranks[np.newaxis, np.newaxis])

    def follow(self, answer: Arrays, frame: np.ndarray) -> Estimate:
        choice = self._choice(answer)
        height, width = frame.shape[:2]
        smallest = self.constants.smallest_side
        sides = [self.followed(*pair, choice.rate) for pair in zip(self.state.sides, choice.sides, strict=True)]
        self.state = replace(
            self.state,
            centre=(clamped(choice.centre[0], 0, width), clamped(choice.centre[1], 0, height)),
            sides=(clamped(sides[0], smallest, width), clamped(sides[1], smallest, height)),
        )
        return Estimate(Box.around(self.state.centre, self.state.sides), choice.score)

    def _context(self) -> float:
        width, height = self.state.sides
        return float(context_side(width, height, self.constants.context_amount))

    def _scale(self) -> float:
        """Crop pixels per frame pixel."""
        return self.template_size / self._context()

    def resume(self, box: Box) -> None:
        self.state = replace(self.state, centre=box.centre, sides=(box.w, box.h))

    def looked(self, frame: np.ndarray, template: bool = False) -> Looked:
        context = self._context()
        size = self.template_size if template else self.search_size
        side = round(context) if template else self.search_side(context)
        corner = self.corner(self.state.centre, side)
        return Looked((*corner, side), self.state.fill, crop(frame, corner, side, size, self.state.fill))

    def decided(self, answer: Arrays) -> dict[str, np.ndarray]:
        cells = self._cells(answer)
        edges = (cells.lefts, cells.tops, cells.rights, cells.bottoms, cells.scores)
        return {"decode": np.stack(edges), "penalty": cells.penalties, "window": cells.ranks}

    def _cells(self, answer: Arrays) -> Cells:
        cells = (self.cells, self.cells)
        edges = self.outputs.edges
        check_answer(answer, {"cls": (1, self.outputs.channels, *cells), edges: (1, 4, *cells)})
        scores, distances = self.outputs.scores(answer["cls"], self.logits), answer[edges][0]
        lefts, tops = self.grid[0] - distances[0], self.grid[1] - distances[1]
        rights, bottoms = self.grid[0] + distances[2], self.grid[1] + distances[3]
        scale, (old_width, old_height) = self._scale(), self.state.sides
        before = (old_width * scale, old_height * scale)
        penalties = change_penalties(rights - lefts, bottoms - tops, before, self.constants.penalty_k)
        influence = self.constants.window_influence
        ranks = penalties * scores * (1 - influence) + self.window * influence
        return Cells(lefts, tops, rights, bottoms, scores, penalties, ranks)

    def _choice(self, answer: Arrays, cell: tuple[int, ...] | None = None) -> Choice:
        """What a cell proposes; the best one where none is named."""
        cells, scale = self._cells(answer), self._scale()
        at = cell or np.unravel_index(int(cells.ranks.argmax()), cells.ranks.shape)
        left, top, right, bottom = (each[at] for each in (cells.lefts, cells.tops, cells.rights, cells.bottoms))
        x, y = (left + right) / 2, (top + bottom) / 2
        old_x, old_y = self.state.centre
        middle = self.search_size // 2
        return Choice(
            centre=(float(old_x + (x - middle) / scale), float(old_y + (y - middle) / scale)),
            sides=(float(right - left) / scale, float(bottom - top) / scale),
            score=float(cells.scores[at]),
            rate=float(cells.penalties[at] * cells.scores[at] * self.constants.lr),
            ranks=cells.ranks,
        )


def grid(cells: int, stride: int, search_size: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y of every cell in pixels of the search crop, each (cells, cells); cell ``cells // 2`` is the middle."""
    along = (np.arange(cells) - cells // 2) * stride + search_size // 2
    xs, ys = np.meshgrid(along, along)
    return xs, ys


def context_side(width: Sides, height: Sides, amount: float) -> np.ndarray:
    """The side of a square with the area of a box and its context, which is ``amount`` of width + height.

    Args:
        width, height: numbers or arrays, in any one unit.
    """
    context = amount * (width + height)
    return np.asarray(np.sqrt((width + context) * (height + context)))


def crop(frame: np.ndarray, corner: Corner, side: int, size: int, fill: np.ndarray) -> np.ndarray:
    """A square of a frame, resized; what lies outside the frame has one colour.

    Args:
        frame: (H, W, 3) uint8.
        corner: left and top of the square, in pixels of the frame.
        side: of the square, likewise.
        size: of the result.
        fill: the colour, three numbers; their fractions are cut off.

    Returns:
        (size, size, 3) uint8
    """
    pixels, _ = square(frame, *corner, side, fill)
    return pixels if side == size else np.asarray(opencv().resize(pixels, (size, size)))


def change_penalties(widths: np.ndarray, heights: np.ndarray, before: Pair, k: float) -> np.ndarray:
    """1 for a box of the old size and shape, less for others; 0 for one without area.

    Args:
        widths, heights: of the proposed boxes.
        before: (width, height) of the old one, in the same unit.
        k: how fast the penalty falls.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        sizes = change(context_side(widths, heights, PENALTY_CONTEXT) / context_side(*before, PENALTY_CONTEXT))
        shapes = change((before[0] / before[1]) / (widths / heights))
        penalties = np.exp(-(shapes * sizes - 1) * k)
    return np.where((widths > 0) & (heights > 0), penalties, 0.0)


def change(ratio: np.ndarray) -> np.ndarray:
    """How many times larger or smaller: never below 1."""
    return np.asarray(np.maximum(ratio, 1 / ratio))


def clamped(value: float, low: float, high: float) -> float:
    return max(low, min(high, value))
