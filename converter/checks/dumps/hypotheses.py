"""What may be wrong with the images a device fed, to be tried by running the network on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from converter.checks.dumps.causes import Cause
from converter.checks.dumps.preprocessing import Change, Mistake, mistakes
from converter.spec.network import Preprocess


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
        return [_one(self.mistake, (image,)) for image in self.changes]

    def feed(self, right: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The images that a device with these mistakes feeds, float32."""
        return {
            name: np.ascontiguousarray(self.changes[name](image.astype(np.float64)), dtype=np.float32)
            if name in self.changes
            else image
            for name, image in right.items()
        }


def stale_input(image: str, title: str) -> Cause:
    """The cause where an image, or the features made of it, are another case's."""
    return Cause(
        "stale_input", f"{image}: that of {title!r} was used; it, or what was computed from it, was not updated"
    )


def stages(
    preprocess: Preprocess,
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
    single, colours, orders = mistakes(preprocess)
    pairs = [*colours, *orders]
    together = [tuple(free)] if len(free) > 1 else []
    apart = [(image,) for image in reversed(free)]
    stale = [
        Hypothesis((stale_input(image, title),), {image: lambda _, value=images[image]: value})
        for image in replaceable
        for title, images in others.items()
    ]
    if not together:
        return [_all(single, apart), _all(pairs, apart), stale]
    return [
        _all(single, together),
        _all(colours, together),
        stale,
        *(_all(single, [images]) for images in apart),
        _all(orders, together),
        [_joined(first, second) for first in stale for second in _all(single[:4], together)],
        *(_all(pairs, [images]) for images in apart),
    ]


def _all(found: Sequence[Mistake], wheres: Sequence[tuple[str, ...]]) -> list[Hypothesis]:
    return [_one(mistake, images) for images in wheres for mistake in found]


def _one(mistake: Mistake, images: tuple[str, ...]) -> Hypothesis:
    return Hypothesis(mistake.causes(images), dict.fromkeys(images, mistake.change), mistake)


def _joined(stale: Hypothesis, mistake: Hypothesis) -> Hypothesis:
    """Another case's image, and the same mistake in all of them."""

    def after(image):
        replaced = stale.changes.get(image, lambda value: value)
        return lambda value: mistake.changes[image](replaced(value))

    return Hypothesis((*stale.causes, *mistake.causes), {image: after(image) for image in mistake.changes})
