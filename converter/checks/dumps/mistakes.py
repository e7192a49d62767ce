"""What goes wrong before and behind the network: each mistake as a function of the right numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from converter.checks.dumps import causes
from converter.checks.dumps.causes import Cause
from converter.report.text import is_number
from converter.spec.network import NetworkSpec, Preprocess

Change = Callable[[np.ndarray], np.ndarray]

_SHORT_OF_ONE = 1e-7


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


def value_mistakes(network: NetworkSpec, tracker: Mapping[str, Any]) -> tuple[list[Mistake], list[Mistake]]:
    """What may go wrong between the last layer and the numbers a device hands on: by itself, and in pairs.

    Of all outputs alike, since these may be exchanged.

    Args:
        tracker: the manifest's section, which says what the outputs are and names factors.
    """
    if any(tracker.get(name) == "probability" for name in network.logits):
        single = [Mistake((causes.SIGMOID_TWICE,), _sigmoid), Mistake((causes.SIGMOID_MISSING,), _logit)]
    else:
        twice = Mistake((causes.SIGMOID_TWICE,), lambda right: _sigmoid(_sigmoid(right)))
        single = [Mistake((causes.SIGMOID,), _sigmoid), twice]
    for usual in network.usual_mistakes:
        numbers = [tracker.get(factor, 0.0) if isinstance(factor, str) else factor for factor in usual.factors]
        for factor in dict.fromkeys(number for number in numbers if is_number(number) and number > 0):
            cause = Cause(usual.cause, usual.text.replace("{factor}", f"{factor:g}"))
            single.append(Mistake((cause,), _changed(usual.change, float(factor))))
    pairs = [
        first.then(second)
        for first, second in product(single, single)
        if first.causes[0].cause.partition("_")[0] != second.causes[0].cause.partition("_")[0]
    ]
    return single, pairs


def _changed(change: str, factor: float) -> Change:
    """See :class:`converter.spec.network.UsualMistake`."""

    def exp_for_relu(right: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.where(right > 0, factor * np.exp(right / factor), np.nan)

    changes: dict[str, Change] = {
        "divided": lambda right: right / factor,
        "multiplied": lambda right: right * factor,
        "no_relu": lambda right: np.where(right > 0, right, np.nan),
        "exp_for_relu": exp_for_relu,
        "softmax": _softmax,
    }
    return changes[change]


def _sigmoid(values: np.ndarray) -> np.ndarray:
    result: np.ndarray = 0.5 * (1.0 + np.tanh(0.5 * values))
    return result


def _softmax(values: np.ndarray) -> np.ndarray:
    """Over the cells of every map; of what has no maps, over the last axis."""
    axes = tuple(range(2, values.ndim)) or (-1,)
    weights = np.exp(values - values.max(axis=axes, keepdims=True))
    result: np.ndarray = weights / weights.sum(axis=axes, keepdims=True)
    return result


def _logit(values: np.ndarray) -> np.ndarray:
    inside = np.clip(values, _SHORT_OF_ONE, 1 - _SHORT_OF_ONE)
    result: np.ndarray = np.log(inside / (1 - inside))
    return result
