"""The toy's tracking procedure: the box goes where the best cell is, and keeps its size."""

from typing import Annotated

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from converter.families.family import Estimate, Reading, constants_of
from converter.proof.boxes import Box
from converter.proof.chain import Arrays, TrackedModel
from converter.proof.feeds import normalised
from converter.spec.dimensions import Dimensions
from converter.spec.network import NetworkSpec


class Constants(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    context: Annotated[float, Field(gt=1)]


class ToyProcedure:
    """One tracker on its way through a clip."""

    def __init__(self, model: TrackedModel, spec: NetworkSpec, dimensions: Dimensions) -> None:
        self.model, self.spec, self.dimensions = model, spec, dimensions
        self.context = constants_of(spec, Constants).context
        self.box = Box(0, 0, 1, 1)

    def start(self, frame: np.ndarray, box: Box) -> Estimate:
        self.box = box
        self.model.template(self._crop(frame, self.dimensions.template_size, self._side()))
        return Estimate(box, 1.0)

    def step(self, frame: np.ndarray) -> Estimate:
        return self.follow(self.model.track(*self.look(frame)), frame)

    def look(self, frame: np.ndarray) -> tuple[np.ndarray, ...]:
        return (self._crop(frame, self.dimensions.search_size, 2 * self._side()),)

    def read(self, answer: Arrays, cell: tuple[int, ...] | None = None) -> Reading:
        scores = answer["cls"][0, 0]
        row, column = cell or np.unravel_index(int(scores.argmax()), scores.shape)
        shift = (np.array([column, row]) - (scores.shape[0] - 1) / 2) * 2 * self._side() / scores.shape[0]
        x, y = self.box.centre
        box = Box.around((x + float(shift[0]), y + float(shift[1])), (self.box.w, self.box.h))
        return Reading(box, float(1 / (1 + np.exp(-scores[row, column]))), answer["cls"])

    def follow(self, answer: Arrays, frame: np.ndarray) -> Estimate:
        reading = self.read(answer)
        self.box = reading.box
        return Estimate(reading.box, reading.score)

    def _side(self) -> float:
        return self.context * max(self.box.w, self.box.h)

    def _crop(self, frame: np.ndarray, size: int, side: float) -> np.ndarray:
        x, y = self.box.centre
        corners = (round(x - side / 2), round(y - side / 2), round(x + side / 2), round(y + side / 2))
        pixels = Image.fromarray(frame).crop(corners).resize((size, size))
        return normalised(np.asarray(pixels), self.spec.preprocess)
