"""What goes wrong between the picture and z or x: each mistake as a function of the right tensor."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from converter.checks.dumps.causes import Cause
from converter.spec.network import Preprocess

Change = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Mistake:
    """One or two mistakes in the preprocessing of an image.

    Attributes:
        faults: (cause, text) of each.
        change: what it makes of the right image, (1, 3, H, W).
    """

    faults: tuple[tuple[str, str], ...]
    change: Change

    def causes(self, images: Sequence[str]) -> tuple[Cause, ...]:
        """The causes, said of these images."""
        where = " and ".join(images)
        return tuple(Cause(cause, f"{where}: {text}") for cause, text in self.faults)


def mistakes(preprocess: Preprocess) -> tuple[list[Mistake], list[Mistake], list[Mistake]]:
    """Single mistakes; pairs of a colour order and a normalisation; pairs with an order of pixels."""
    normalisations = _normalisations(preprocess)
    colours = _colours(preprocess)
    orders = _orders()
    return (
        [Mistake((fault,), change) for fault, change in (*colours, *normalisations, *orders)],
        [_after(colours[0], then) for then in normalisations],
        [_after(first, order) for order, first in product(orders, [colours[0], *normalisations[:4]])],
    )


def _after(first: tuple[tuple[str, str], Change], second: tuple[tuple[str, str], Change]) -> Mistake:
    """One mistake and then another."""
    return Mistake((first[0], second[0]), lambda v: second[1](first[1](v)))


def _channels(values: Iterable[float]) -> np.ndarray:
    return np.array(list(values), np.float64).reshape(1, 3, 1, 1)


def _on_0_1(preprocess):
    """Mean and std for pixels between 0 and 1."""
    low, high = preprocess.pixel_range
    return _channels((m - low) / (high - low) for m in preprocess.mean), _channels(
        s / (high - low) for s in preprocess.std
    )


def _colours(preprocess):
    mean, std = _on_0_1(preprocess)
    right = preprocess.colour_order
    wrong = right[::-1]
    text = f"the channels are in {wrong} order, the network wants {right}; swap them before normalising"
    whole = f"{text} (mean and std were swapped along)"
    return [
        (("colour_order", text), lambda v: ((v * std + mean)[:, ::-1] - mean) / std),
        (("colour_order", whole), lambda v: v[:, ::-1]),
    ]


def _normalisations(preprocess):
    mean, std = _on_0_1(preprocess)
    turned_mean, turned_std = mean[:, ::-1], std[:, ::-1]

    def on_pixels(change):
        """A function of pixels between 0 and 1 as one of the right tensor."""
        return lambda v: change(v * std + mean)

    table = (
        (
            "normalisation_missing",
            "pixels of 0-255 as they are, mean and std are missing; subtract the mean, then divide by std",
            lambda p: 255 * p,
        ),
        (
            "normalisation_missing",
            "pixels of 0-1 without mean and std; subtract the mean, then divide by std",
            lambda p: p,
        ),
        (
            "std_missing",
            "the mean was subtracted from pixels of 0-255, the division by std is missing (norm_vals in ncnn)",
            lambda p: 255 * (p - mean),
        ),
        ("std_missing", "the mean was subtracted, the division by std is missing", lambda p: p - mean),
        ("mean_missing", "divided by std, the mean was not subtracted (mean_vals in ncnn)", lambda p: p / std),
        (
            "mean_std_order",
            "divided by std before the mean was subtracted (pixels of 0-255); subtract first",
            lambda p: p / std - 255 * mean,
        ),
        (
            "mean_std_order",
            "divided by std before the mean was subtracted (pixels of 0-1); subtract first",
            lambda p: p / std - mean,
        ),
        ("mean_std_order", "mean and std are exchanged", lambda p: (p - std) / mean),
        (
            "mean_std_colour_order",
            "mean and std are in the order of the other colour order; put them in that of the image",
            lambda p: (p - turned_mean) / turned_std,
        ),
        (
            "pixel_range",
            "mean and std for pixels of 0-1 were used on pixels of 0-255; use 255 times their values",
            lambda p: (255 * p - mean) / std,
        ),
        (
            "pixel_range",
            "mean and std for pixels of 0-255 were used on pixels of 0-1; use a 255th of their values",
            lambda p: (p / 255 - mean) / std,
        ),
        (
            "other_normalisation",
            "normalised to -1..1 (mean and std 0.5) instead of by mean and std",
            lambda p: 2 * p - 1,
        ),
    )
    return [((cause, text), on_pixels(change)) for cause, text, change in table]


def _orders():
    def channels_last(v):
        return v.transpose(0, 2, 3, 1).reshape(v.shape)

    return [
        (
            ("transposed_layout", "channels-last pixels (HWC) were fed as channels-first (CHW); reorder them"),
            channels_last,
        ),
        (
            ("transposed_layout", "rows and columns of the image are exchanged; the image is fed height by width"),
            lambda v: v.transpose(0, 1, 3, 2),
        ),
    ]
