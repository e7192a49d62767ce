"""What goes wrong before the network: each mistake as a function of the right numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np

from converter.checks.dumps import causes
from converter.checks.dumps.causes import Cause
from converter.spec.network import Preprocess

Change = Callable[[np.ndarray], np.ndarray]


def unchanged(values: np.ndarray) -> np.ndarray:
    return values


@dataclass(frozen=True)
class Mistake:
    """One or two mistakes.

    Attributes:
        causes: what they are called.
        change: what they make of the right tensor, float64. NaN where the right one does not tell, namely the
            numbers at which the network's ReLU cut something off.
        read: what is made of the dump before it is compared, where the right tensor does not tell what it becomes,
            as a probability does not tell two logits. Nothing may follow such a mistake.
    """

    causes: tuple[Cause, ...]
    change: Change
    read: Change = unchanged

    def then(self, second: "Mistake") -> "Mistake":
        causes_of_both = (*self.causes, *second.causes)
        return Mistake(causes_of_both, lambda right: second.change(self.change(right)), second.read)

    def of(self, images: Sequence[str]) -> "Mistake":
        """The mistake, its causes said of these images."""
        return replace(self, causes=tuple(cause.of(images) for cause in self.causes))


NONE = Mistake((), unchanged)

# Of pixels between 0 and 1, RGB.
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
IMAGENET_STD = np.array([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)


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
    if takes_pixels(preprocess):
        colours = [Mistake((causes.COLOUR_ORDER_AS_IT_IS.filled(**order),), lambda v: v[:, ::-1])]
        table = _applied(preprocess)
    else:
        colours = [
            Mistake((causes.COLOUR_ORDER.filled(**order),), lambda v: ((v * std + mean)[:, ::-1] - mean) / std),
            Mistake((causes.COLOUR_ORDER_OF_ALL.filled(**order),), lambda v: v[:, ::-1]),
        ]
        table = _normalisations(mean, std)
    to_shares = Mistake((), lambda right: right * std + mean)
    normalisations = [to_shares.then(Mistake((cause,), change)) for cause, change in table]
    orders = [
        Mistake((causes.CHANNELS_LAST,), lambda v: v.transpose(0, 2, 3, 1).reshape(v.shape)),
        Mistake((causes.IMAGE_TRANSPOSED,), lambda v: v.transpose(0, 1, 3, 2)),
    ]
    return ImageMistakes(
        [*colours, *normalisations, *orders],
        [colours[0].then(normalisation) for normalisation in normalisations],
        [first.then(order) for order, first in product(orders, [colours[0], *normalisations[:4]])],
    )


def takes_pixels(preprocess: Preprocess) -> bool:
    """Whether the network takes pixels from 0 on as they are: nothing is subtracted, nothing divided."""
    return not any((preprocess.pixel_range[0], *preprocess.mean)) and set(preprocess.std) == {1.0}


def _normalisations(mean: np.ndarray, std: np.ndarray) -> tuple[tuple[Cause, Change], ...]:
    """Of networks that want it, as functions of pixels between 0 and 1, of which mean and std are too."""
    return (
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


def _applied(preprocess: Preprocess) -> tuple[tuple[Cause, Change], ...]:
    """Of networks that want none, likewise: what others want, LightTrack among them."""
    own = tuple(preprocess.pixel_range)
    wanted = "-".join(f"{end:g}" for end in own)
    ranges = [(low, high) for low, high in ((0.0, 1.0), (0.0, 255.0)) if (low, high) != own]

    def scaled(low: float, high: float) -> tuple[Cause, Change]:
        return causes.OTHER_RANGE.filled(wrong=f"{low:g}-{high:g}", range=wanted), lambda p: low + (high - low) * p

    def normalised(order: str) -> list[tuple[Cause, Change]]:
        """With the values in an order of colours, on the network's own."""
        mean, std = (values if order == "RGB" else values[:, ::-1] for values in (IMAGENET_MEAN, IMAGENET_STD))
        said = {"order": order, "range": wanted}
        return [
            (causes.NORMALISED.filled(**said), lambda p: (p - mean) / std),
            (causes.MEAN_SUBTRACTED.filled(**said), lambda p: own[1] * (p - mean)),
        ]

    own_order, other_order = preprocess.colour_order, preprocess.colour_order[::-1]
    others = [scaled(*each) for each in ranges]
    halves: tuple[Cause, Change] = causes.HALVES_SUBTRACTED.filled(range=wanted), lambda p: 2 * p - 1
    return (*others, *normalised(own_order), *normalised(other_order), halves)
