"""The network on a clip, which is looked at several times: what it has answered once is not computed again."""

from hashlib import blake2b

import numpy as np

from converter.proof.chain import Arrays, TrackedModel

MOST_BYTES = 256 << 20  # of answers; later ones are computed each time


class Memory:
    """A model that gives the answers to crops it has seen again, to the last bit.

    Args:
        model: asked about crops that are new.
    """

    def __init__(self, model: TrackedModel) -> None:
        self._model = model
        self._shown: tuple[np.ndarray, ...] = ()
        self._template = b""
        self._model_knows = b""
        self._known: dict[bytes, Arrays] = {}
        self._bytes = 0

    def template(self, z: np.ndarray, mask: np.ndarray | None = None) -> None:
        self._shown, self._template = (z,) if mask is None else (z, mask), _digest(z, mask)

    def track(self, x: np.ndarray, mask: np.ndarray | None = None) -> Arrays:
        key = self._template + _digest(x, mask)
        if key in self._known:
            return self._known[key]
        if self._model_knows != self._template:
            self._model.template(*self._shown)
            self._model_knows = self._template
        answer = self._model.track(x, mask)
        self._bytes += sum(array.nbytes for array in answer.values())
        if self._bytes <= MOST_BYTES:
            self._known[key] = answer
        return answer


def _digest(image: np.ndarray, mask: np.ndarray | None) -> bytes:
    digest = blake2b(np.ascontiguousarray(image).data, digest_size=16)
    if mask is not None:
        digest.update(np.ascontiguousarray(mask).data)
    return digest.digest()
