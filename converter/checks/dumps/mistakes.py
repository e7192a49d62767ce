"""What goes wrong before the network: each mistake as a function of the right numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np

from converter.checks.dumps import causes
from converter.checks.dumps.causes import Cause
from converter.spec.network import Preprocess

Change = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Mistake:
    """One or two mistakes.

    Attributes:
        causes: what they are called.
        change: what they make of the right tensor, float64. NaN where the right one does not tell, namely the
            numbers at which the network's ReLU cut something off.
    """

    causes: tuple[Cause, ...]
    change: Change

    def then(self, second: "Mistake") -> "Mistake":
        return Mistake((*self.causes, *second.causes), lambda right: second.change(self.change(right)))

    def of(self, images: Sequence[str]) -> "Mistake":
        """The mistake, its causes said of these images."""
        return Mistake(tuple(cause.of(images) for cause in self.causes), self.change)


NONE = Mistake((), lambda right: right)


class ImageMistakes(NamedTuple):
    """Mistakes in an image, (1, 3, H, W): single ones, and pairs with a colour order or an order of pixels."""

    single: list[Mistake]
    colours: list[Mistake]
    orders: list[Mistake]


def taken_for(array: np.ndarray, cause: Cause) -> Mistake:
    """Another array in the tensor's place."""
    return Mistake((cause,), lambda _: array.astype(np.float64))


def image_mistakes(preprocess: Preprocess) -> ImageMistakes:
    """What may go wrong between the picture and z or x."""
    low, high = preprocess.pixel_range
    mean = (np.array(preprocess.mean).reshape(1, 3, 1, 1) - low) / (high - low)
    std = np.array(preprocess.std).reshape(1, 3, 1, 1) / (high - low)
    order = {"right": preprocess.colour_order, "wrong": preprocess.colour_order[::-1]}
    colours = [
        Mistake((causes.COLOUR_ORDER.filled(**order),), lambda v: ((v * std + mean)[:, ::-1] - mean) / std),
        Mistake((causes.COLOUR_ORDER_OF_ALL.filled(**order),), lambda v: v[:, ::-1]),
    ]
    normalisations = _normalisations(mean, std)
    orders = [
        Mistake((causes.CHANNELS_LAST,), lambda v: v.transpose(0, 2, 3, 1).reshape(v.shape)),
        Mistake((causes.IMAGE_TRANSPOSED,), lambda v: v.transpose(0, 1, 3, 2)),
    ]
    return ImageMistakes(
        [*colours, *normalisations, *orders],
        [colours[0].then(normalisation) for normalisation in normalisations],
        [first.then(order) for order, first in product(orders, [colours[0], *normalisations[:4]])],
    )


def _normalisations(mean: np.ndarray, std: np.ndarray) -> list[Mistake]:
    """Mean and std are those for pixels between 0 and 1, of which the functions in the table are."""
    table: tuple[tuple[Cause, Change], ...] = (
        (causes.RAW_PIXELS, lambda p: 255 * p),
        (causes.RAW_SHARES, lambda p: p),
        (causes.STD_MISSING_ON_PIXELS, lambda p: 255 * (p - mean)),
        (causes.STD_MISSING, lambda p: p - mean),
        (causes.MEAN_MISSING, lambda p: p / std),
        (causes.STD_BEFORE_MEAN.filled(range="0-255"), lambda p: p / std - 255 * mean),
        (causes.STD_BEFORE_MEAN.filled(range="0-1"), lambda p: p / std - mean),
        (causes.MEAN_FOR_STD, lambda p: (p - std) / mean),
        (causes.MEAN_STD_COLOURS, lambda p: (p - mean[:, ::-1]) / std[:, ::-1]),
        (causes.MEAN_STD_TOO_SMALL, lambda p: (255 * p - mean) / std),
        (causes.MEAN_STD_TOO_LARGE, lambda p: (p / 255 - mean) / std),
        (causes.OTHER_NORMALISATION, lambda p: 2 * p - 1),
    )
    to_shares = Mistake((), lambda right: right * std + mean)
    return [to_shares.then(Mistake((cause,), change)) for cause, change in table]
