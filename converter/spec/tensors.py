"""Tensors and graphs, and what they are described with."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SMALLEST_SIZE, LARGEST_SIZE = 16, 1024

Size = Annotated[int, Field(ge=SMALLEST_SIZE, le=LARGEST_SIZE)]
Side = Annotated[int, Field(ge=1, le=4096)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Activation = Literal["sigmoid", "softmax"]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class TensorSpec(Frozen):
    """A named input or output, batch of one, NCHW.

    Attributes:
        name: the blob or tensor in the exported file.
        meaning: the config's name for it: z, x, zf, xf, cls, reg.
        about: the meaning in words.
        activation: what the graph does to the network's own output before it gives it.
        mask_of: meaning of the image whose cells it marks: 1 where there is no image, else 0.
    """

    name: str
    meaning: str
    about: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    activation: Activation | None = None
    mask_of: str | None = None


class GraphSpec(Frozen):
    """One exported graph: the forward mode of its family that is traced, its inputs and outputs in order."""

    name: str
    family: str
    mode: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class Tolerance(Frozen):
    """What passes: ``max |difference| <= atol + rtol * (max - min of the reference)``."""

    atol: NonNegative = 0.0
    rtol: NonNegative = 0.0

    def __str__(self) -> str:
        parts = [f"{name} {value:g}" for name, value in (("atol", self.atol), ("rtol", self.rtol)) if value]
        return " and ".join(parts) or "0"

    def or_wider(self, other: "Tolerance") -> "Tolerance":
        """What passes by either."""
        return Tolerance(atol=max(self.atol, other.atol), rtol=max(self.rtol, other.rtol))


class StepLimits(Frozen):
    """What passes in one step of the tracker on a clip.

    Attributes:
        iou: the least mean overlap of the boxes.
        score: by how much the score of a frame may differ.
        other_cells: the largest share of frames with another best cell.
        smallest: the least overlap of the boxes in a single frame.
        below_floor: by how much the mean overlap of free running may be below its floor; None where it decides nothing.
    """

    iou: Annotated[Finite, Field(ge=0, le=1)] = 0.999
    score: NonNegative = 0.001
    other_cells: Annotated[Finite, Field(ge=0, le=1)] = 0.0
    smallest: Annotated[Finite, Field(ge=0, le=1)] = 0.0
    below_floor: NonNegative | None = None

    def or_wider(self, other: "StepLimits") -> "StepLimits":
        """What passes by either, figure by figure."""
        return StepLimits(
            iou=min(self.iou, other.iou),
            score=max(self.score, other.score),
            other_cells=max(self.other_cells, other.other_cells),
            smallest=min(self.smallest, other.smallest),
            below_floor=None
            if self.below_floor is None or other.below_floor is None
            else max(self.below_floor, other.below_floor),
        )
