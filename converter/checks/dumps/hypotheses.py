"""What may be wrong with the images a device fed, to be tried by running the network on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from converter.checks.dumps.causes import Cause
from converter.checks.dumps.mistakes import ImageMistakes, Mistake


@dataclass(frozen=True)
class Hypothesis:
    """Mistakes in the images, one after the other, each with the images it is made in."""

    steps: tuple[tuple[Mistake, tuple[str, ...]], ...] = ()

    @property
    def causes(self) -> tuple[Cause, ...]:
        return tuple(cause for mistake, images in self.steps for cause in mistake.of(images).causes)

    @property
    def images(self) -> frozenset[str]:
        """Those that are not what they should be."""
        return frozenset(image for _, images in self.steps for image in images)

    def apart(self) -> list["Hypothesis"]:
        """A mistake that is made in several images, in each of them alone."""
        if len(self.steps) != 1 or len(self.images) < 2:
            return []
        [(mistake, images)] = self.steps
        return [Hypothesis(((mistake, (image,)),)) for image in images]

    def feed(self, right: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The images that a device with these mistakes feeds, float32."""
        feed = dict(right)
        for mistake, images in self.steps:
            for image in images:
                feed[image] = mistake.change(feed[image].astype(np.float64))
        return {name: np.ascontiguousarray(image, dtype=np.float32) for name, image in feed.items()}


def stages(
    mistakes: ImageMistakes, free: Sequence[str], stale: Mapping[str, Sequence[Mistake]]
) -> list[list[Hypothesis]]:
    """Hypotheses in stages, the likeliest first; within one stage none is likelier than another.

    Args:
        free: images whose preprocessing nothing has shown to be right.
        stale: what makes an image that of another case, for every image that may be so.
    """

    def tried(among: Sequence[Mistake], *wheres: tuple[str, ...]) -> list[Hypothesis]:
        return [Hypothesis(((mistake, images),)) for images in wheres for mistake in among]

    together, apart = tuple(free), [(image,) for image in reversed(free)]
    pairs = [*mistakes.colours, *mistakes.orders]
    replaced = [hypothesis for image in stale for hypothesis in tried(stale[image], (image,))]
    if len(free) < 2:
        return [tried(mistakes.single, *apart), tried(pairs, *apart), replaced]
    likely = tried(mistakes.single[:4], together)
    return [
        tried(mistakes.single, together),
        tried(mistakes.colours, together),
        replaced,
        *(tried(mistakes.single, images) for images in apart),
        tried(mistakes.orders, together),
        [Hypothesis((*first.steps, *second.steps)) for first in replaced for second in likely],
        *(tried(pairs, images) for images in apart),
    ]
