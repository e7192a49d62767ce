"""STARK-Lightning's tracking procedure, as ``lib/test/tracker/stark_lightning_X_trt.py`` of researchmm/Stark @ 162e1d3.

Around the box of the last frame a square is cut out, some times as large as the box, and shown to the network,
which answers with the box in it. There is no window and no smoothing.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from converter.errors import VerificationError
from converter.families.family import Estimate, Looked, Reading, constants_of
from converter.families.tracking import check_answer, square
from converter.proof.boxes import Box
from converter.proof.chain import Arrays, TrackedModel
from converter.proof.feeds import normalised
from converter.spec.dimensions import Dimensions
from converter.spec.network import NetworkSpec
from converter.spec.tensors import Finite
from converter.util.opencv import opencv

BLACK = np.zeros(3)


class Constants(BaseModel):
    """What the procedure takes from the config's section ``tracker``.

    Attributes:
        template_factor, search_factor: sides of the crops, as multiples of the root of the box's area.
        margin: of the box, how much has to stay in the frame, in pixels; also its smallest width and height.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    template_factor: Annotated[Finite, Field(gt=0)]
    search_factor: Annotated[Finite, Field(gt=0)]
    margin: Annotated[Finite, Field(gt=0)]


@dataclass(frozen=True)
class Crop:
    """A square of a frame, resized.

    Attributes:
        square: left, top and side, in pixels of the frame.
        pixels: (size, size, 3) uint8.
        outside: (size, size) bool, true where there was no frame.
    """

    square: tuple[int, int, int]
    pixels: np.ndarray
    outside: np.ndarray


class StarkProcedure:
    """One tracker on its way through a clip.

    Where the graphs take masks, what lies outside the frame is black and masked, as the official tracker has it;
    where they do not, it has the first frame's mean colour, as in deployments.

    Attributes:
        box: in the last frame, since it was started.
        fill: colour of what lies outside, RGB.

    Raises:
        UsageError: for tracker constants that are missing or do not fit.
    """

    box: Box
    fill: np.ndarray

    def __init__(self, model: TrackedModel, spec: NetworkSpec, dimensions: Dimensions) -> None:
        self.model = model
        self.preprocess = spec.preprocess
        self.masks = spec.masks
        self.constants = constants_of(spec, Constants)
        self.dimensions = dimensions

    def start(self, frame: np.ndarray, box: Box) -> Estimate:
        """Show the model the target.

        Args:
            frame: (H, W, 3) uint8 RGB.
            box: around the target.
        """
        self.box = box
        self.fill = BLACK if self.masks else frame.mean(axis=(0, 1))
        self.model.template(*self._shown(self.looked(frame, template=True)))
        return Estimate(box, 1.0)

    def step(self, frame: np.ndarray) -> Estimate:
        """Find the target in the next frame.

        Raises:
            VerificationError: when the model's answer is not finite or has another shape.
        """
        return self.follow(self.model.track(*self.look(frame)), frame)

    def look(self, frame: np.ndarray) -> tuple[np.ndarray, ...]:
        return self._shown(self.looked(frame))

    def read(self, answer: Arrays, cell: tuple[int, ...] | None = None) -> Reading:
        """One box for the whole crop: ``cell`` changes nothing."""
        size, cells = self.dimensions.search_size, self.dimensions.search_cells
        check_answer(answer, {"box": (1, 4), "score": (1, 2, cells, cells)})
        side = crop_side(self.box, self.constants.search_factor)
        centre_x, centre_y, width, height = (float(value) for value in answer["box"][0] * size / (size / side))
        left, top = (middle - 0.5 * size / (size / side) for middle in self.box.centre)
        box = Box(left + centre_x - 0.5 * width, top + centre_y - 0.5 * height, width, height)
        return Reading(box, certainty(answer["score"][0]), answer["score"])

    def follow(self, answer: Arrays, frame: np.ndarray) -> Estimate:
        reading = self.read(answer)
        self.box = clipped(reading.box, frame.shape[1], frame.shape[0], self.constants.margin)
        return Estimate(self.box, reading.score)

    def resume(self, box: Box) -> None:
        self.box = box

    def looked(self, frame: np.ndarray, template: bool = False) -> Looked:
        constants, sizes = self.constants, self.dimensions
        factor, size = constants.search_factor, sizes.search_size
        if template:
            factor, size = constants.template_factor, sizes.template_size
        cut = crop(frame, self.box, factor, size, self.fill)
        stride = sizes.stride
        mask = cut.outside[::stride, ::stride].reshape(1, -1).astype(np.float32) if self.masks else None
        return Looked(cut.square, self.fill, cut.pixels, mask)

    def decided(self, answer: Arrays) -> dict[str, np.ndarray]:
        reading = self.read(answer)
        return {"decode": np.array([*reading.box.values, reading.score])}

    def _shown(self, looked: Looked) -> tuple[np.ndarray, ...]:
        """What the model takes of a crop: the image and, where it knows masks, one value per cell."""
        image = normalised(looked.pixels, self.preprocess)
        return (image,) if looked.mask is None else (image, looked.mask)


def crop_side(box: Box, factor: float) -> int:
    """Of the square around a box, in pixels of the frame."""
    return math.ceil(math.sqrt(box.w * box.h) * factor)


def crop(frame: np.ndarray, box: Box, factor: float, size: int, fill: np.ndarray) -> Crop:
    """A square around a box, resized; the last column and row of the frame count as outside where it reaches them.

    Args:
        frame: (H, W, 3) uint8.
        factor: side of the square as a multiple of the root of the box's area.
        size: of the result.
        fill: colour of what lies outside, three numbers; their fractions are cut off.

    Raises:
        VerificationError: for a box without area.
    """
    side = crop_side(box, factor)
    if side < 1:
        raise VerificationError(f"box {box.values} has no area to cut out")
    left, top = round(box.x + 0.5 * box.w - side * 0.5), round(box.y + 0.5 * box.h - side * 0.5)
    pixels, outside = square(frame[:-1, :-1], left, top, side, fill)
    resize = opencv().resize
    return Crop((left, top, side), resize(pixels, (size, size)), resize(outside, (size, size)) != 0)


def clipped(box: Box, width: int, height: int, margin: float) -> Box:
    """The box cut off at the frame's edges, of which at least ``margin`` pixels each way stay inside."""
    left, right = _ends(box.x, box.x + box.w, width, margin)
    top, bottom = _ends(box.y, box.y + box.h, height, margin)
    return Box(left, top, max(margin, right - left), max(margin, bottom - top))


def _ends(low: float, high: float, length: int, margin: float) -> tuple[float, float]:
    return min(max(0.0, low), length - margin), min(max(margin, high), length)


def certainty(scores: np.ndarray) -> float:
    """0 to 1: the share of the best cell in its map, of the less certain corner. The official tracker has none.

    Args:
        scores: (2, cells, cells).
    """
    flat = scores.reshape(2, -1).astype(np.float64)
    return float(min(1 / np.exp(row - row.max()).sum() for row in flat))
