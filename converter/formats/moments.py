"""What goes into the layers of a model on some inputs, as far as errors of weights depend on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converter.spec.tensors import GraphSpec

RAISED = 1e-4  # of the mean variance: what a channel counts for that is constant in all inputs


@dataclass(frozen=True, eq=False)
class Fed:
    """A model and what it is shown.

    Attributes:
        files: of it.
        graph: its inputs and outputs.
        feeds: tensor name to array, float32, NCHW, for every input.
    """

    files: tuple[Path, ...]
    graph: GraphSpec
    feeds: Sequence[Mapping[str, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Moments:
    """Of what every input channel of a layer holds; those of several inputs are added.

    Attributes:
        count: of numbers in a channel.
        total, squares: their sum, and that of their squares, (channels,) float64.
    """

    count: int
    total: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, channels: np.ndarray) -> "Moments":
        """Of an array (channels, numbers)."""
        wide = channels.astype(np.float64)
        return cls(wide.shape[1], wide.sum(1), (wide * wide).sum(1))

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(self.count + other.count, self.total + other.total, self.squares + other.squares)

    @property
    def means(self) -> np.ndarray:
        """(channels,)"""
        return self.total / self.count

    @property
    def importance(self) -> np.ndarray:
        """How much the square of a weight's error counts, (channels,): variances, for the bias makes up for means."""
        variance = np.maximum(self.squares / self.count - self.means**2, 0)
        return np.asarray(variance + RAISED * variance.mean())


def by_channel(array: np.ndarray, channels: int) -> np.ndarray | None:
    """An input without the batch axis as (channels, numbers); None where it has no such channels.

    Args:
        array: a picture (C, H, W), rows of features (rows, C), or features (C,); what a matrix product flattens.
    """
    if array.ndim == 3 and len(array) == channels:
        return array.reshape(channels, -1)
    if array.size == channels:
        return array.reshape(channels, 1)
    return array.reshape(-1, channels).T if array.shape[-1] == channels else None
