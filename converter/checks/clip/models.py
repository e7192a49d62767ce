"""A tracker's model with a clock, and with noise."""

import time
from collections.abc import Mapping

import numpy as np

from converter.proof.chain import Arrays, TrackedModel
from converter.spec.tensors import Tolerance


class SharedModel:
    """A model that several trackers ask in turn: to a crop that it has seen in a frame it gives the same answer.

    Trackers whose boxes are almost the same cut the same pixels, so that most frames cost one run for all of them.

    Attributes:
        seconds: of every run for a search crop.
        saved: seconds that the answers took which were given again.
    """

    def __init__(self, model: TrackedModel) -> None:
        self.seconds: list[float] = []
        self.saved = 0.0
        self._model = model
        self._seen: list[tuple[tuple[np.ndarray | None, ...], Arrays, float]] = []

    def next_frame(self) -> None:
        """Forget the crops of the frame before."""
        self._seen.clear()

    def template(self, z: np.ndarray, mask: np.ndarray | None = None) -> None:
        self._model.template(z, mask)

    def track(self, x: np.ndarray, mask: np.ndarray | None = None) -> Mapping[str, np.ndarray]:
        for crop, answer, seconds in self._seen:
            if all(map(_same, crop, (x, mask))):
                self.saved += seconds
                return answer
        begin = time.perf_counter()
        answer = self._model.track(x, mask)
        self.seconds.append(time.perf_counter() - begin)
        self._seen.append(((x, mask), answer, self.seconds[-1]))
        return answer


def _same(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    return a is b or (a is not None and b is not None and np.array_equal(a, b))


class NoisyModel:
    """A model whose answers to search crops are off by as much as is allowed: uniform noise of the tolerance's size.

    Args:
        model: that knows the template already; it is not shown again.
        tolerances: by output; others stay as they are.
        seed: of the noise.
    """

    def __init__(self, model: TrackedModel, tolerances: Mapping[str, Tolerance], seed: int) -> None:
        self._model = model
        self._tolerances = tolerances
        self._generator = np.random.default_rng(seed)

    def template(self, z: np.ndarray, mask: np.ndarray | None = None) -> None:
        """The model knows it."""

    def track(self, x: np.ndarray, mask: np.ndarray | None = None) -> dict[str, np.ndarray]:
        return {name: self._noisy(name, array) for name, array in self._model.track(x, mask).items()}

    def _noisy(self, name: str, array: np.ndarray) -> np.ndarray:
        if name not in self._tolerances:
            return array
        tolerance = self._tolerances[name]
        allowed = tolerance.atol + tolerance.rtol * float(np.ptp(array))
        return np.asarray(array + self._generator.uniform(-allowed, allowed, array.shape), array.dtype)
