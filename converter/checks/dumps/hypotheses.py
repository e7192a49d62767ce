"""What may be wrong with the images a device fed, to be tried by running the network on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from converter.checks.dumps.causes import STALE_INPUT, Cause
from converter.checks.dumps.mistakes import Change, ImageMistakes, Mistake


@dataclass(frozen=True)
class Hypothesis:
    """Mistakes in the images: what each changed image becomes; ``mistake`` when it is the same in all of them."""

    causes: tuple[Cause, ...]
    changes: Mapping[str, Change]
    mistake: Mistake | None = None

    def apart(self) -> list["Hypothesis"]:
        """The same mistake in each of several images alone."""
        if self.mistake is None or len(self.changes) < 2:
            return []
        return [_in_images(self.mistake, (image,)) for image in self.changes]

    def feed(self, right: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The images that a device with these mistakes feeds, float32."""
        return {
            name: np.ascontiguousarray(self.changes[name](image.astype(np.float64)), dtype=np.float32)
            if name in self.changes
            else image
            for name, image in right.items()
        }


NOTHING_WRONG = Hypothesis((), {})


def stages(
    mistakes: ImageMistakes,
    free: Sequence[str],
    replaceable: Sequence[str],
    others: Mapping[str, Mapping[str, np.ndarray]],
) -> list[list[Hypothesis]]:
    """Hypotheses in stages, the likeliest first; within one stage none is likelier than another.

    Args:
        free: images whose preprocessing nothing has shown to be right.
        replaceable: images that may be of another case.
        others: title of every other case to its images.
    """
    pairs = [*mistakes.colours, *mistakes.orders]
    apart = [(image,) for image in reversed(free)]
    stale = [_stale(image, title, images[image]) for image in replaceable for title, images in others.items()]
    if len(free) < 2:
        return [_all(mistakes.single, apart), _all(pairs, apart), stale]
    together = [tuple(free)]
    return [
        _all(mistakes.single, together),
        _all(mistakes.colours, together),
        stale,
        *(_all(mistakes.single, [images]) for images in apart),
        _all(mistakes.orders, together),
        [_joined(first, second) for first in stale for second in _all(mistakes.single[:4], together)],
        *(_all(pairs, [images]) for images in apart),
    ]


def _all(mistakes: Sequence[Mistake], wheres: Sequence[tuple[str, ...]]) -> list[Hypothesis]:
    return [_in_images(mistake, images) for images in wheres for mistake in mistakes]


def _in_images(mistake: Mistake, images: tuple[str, ...]) -> Hypothesis:
    return Hypothesis(mistake.causes_in(images), dict.fromkeys(images, mistake.change), mistake)


def _stale(image: str, title: str, value: np.ndarray) -> Hypothesis:
    """Another case's image, or the features made of it."""
    return Hypothesis((STALE_INPUT.filled(title=title).of((image,)),), {image: lambda _: value})


def _joined(stale: Hypothesis, mistake: Hypothesis) -> Hypothesis:
    """Another case's image, and the same mistake in all of them."""

    def after(image: str) -> Change:
        first, second = stale.changes.get(image), mistake.changes[image]
        return lambda right: second(first(right) if first else right)

    return Hypothesis((*stale.causes, *mistake.causes), {image: after(image) for image in mistake.changes})
