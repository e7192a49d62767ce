"""What a format offers to those who search for the layers that may compute in int8."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Int8Layer:
    """A layer that can compute in int8.

    Attributes:
        name: "graph layer", as in the files; no other layer of the tracker has it.
        graph: its graph.
        block: of layers between two tensors through which everything flows; they are chosen together.
        multiply_adds: of one run of it.
    """

    name: str
    graph: str
    block: str
    multiply_adds: int


class Quantiser(Protocol):
    """A tracker's float32 models of one format with what calibration has shown of them.

    Attributes:
        layers: that can compute in int8, in the order in which they run. Graphs that run once for a target have none:
            their weights are in a byte each where the format has that, and nothing else of them changes.
    """

    layers: Sequence[Int8Layer]

    def write(self, int8: Collection[str], corrected: bool, folder: Path) -> None:
        """Write all models into a folder, named as they are; weights of all other layers in a byte each where the
        format has that.

        Args:
            int8: names of the layers that compute in int8.
            corrected: whether biases make up for the mean of what int8 is off by.

        Raises:
            ConversionError: where that fails.
        """

    def draft(self, int8: Collection[str], corrected: bool, folder: Path) -> None:
        """Write what stands for the models while sets of layers are tried: those of their files that ``load_draft`` of
        the format takes, and that are made at once; the models themselves where it has none.

        Args:
            int8, corrected: as for :meth:`write`.

        Raises:
            ConversionError: where that fails.
        """

    def prove(self, int8: Collection[str], folder: Path) -> "Sequence[LayerProof]":
        """Run what :meth:`write` wrote and hold every int8 layer against what it should compute.

        Args:
            int8, folder: as they were given to :meth:`write`.

        Raises:
            ConversionError: where the models cannot be read or run, or other layers are int8.
        """

    def beside(self, int8: Collection[str]) -> Mapping[str, str]:
        """Texts for whoever makes the int8 models with other tools: names of files to their content, maybe none."""


@dataclass(frozen=True)
class LayerProof:
    """A layer in int8 beside the same in whole numbers of numpy; true when they agree.

    Attributes:
        name: as of its :class:`Int8Layer`.
        difference: the largest, of the largest number that it adds up.
        tolerance: what is allowed.
    """

    name: str
    difference: float
    tolerance: float

    def __bool__(self) -> bool:
        return self.difference <= self.tolerance  # not for NaN
