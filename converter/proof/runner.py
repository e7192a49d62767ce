"""Runtimes behind one interface: ``infer(feed) -> outputs``, both dicts of name to float32 array (NCHW).

Importing this package imports no runtime.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from converter.errors import ConversionError
from converter.spec.tensors import TensorSpec


class Runner(Protocol):
    """A loaded graph: named float32 arrays in, named float32 arrays out; called by several threads at once."""

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]: ...


@runtime_checkable
class SharingRunner(Runner, Protocol):
    """A runner that saves work where two runs have inputs in common."""

    def infer_both(
        self, first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Two runs, to the last bit as by :meth:`infer`; what depends on the same arrays alone is computed once."""


@runtime_checkable
class StoppingRunner(Runner, Protocol):
    """A runner with a process of its own."""

    def stop(self) -> None:
        """End it; nothing is run from then on."""


class BlobRunner(Protocol):
    """A loaded graph that gives any of its blobs, inner ones too: float32, without the batch axis in ncnn."""

    def blobs(self, feed: Mapping[str, np.ndarray], names: Iterable[str]) -> dict[str, np.ndarray]: ...


def check_feed(owner: str, feed: Mapping[str, np.ndarray], inputs: Sequence[TensorSpec]) -> None:
    """Refuse a feed before the runtime sees it: some runtimes crash the process on a wrong one.

    Raises:
        ConversionError: naming the first input that is missing, extra, or of another dtype or shape.
    """
    expected = {tensor.name: tensor for tensor in inputs}
    if missing := sorted(expected.keys() - feed.keys()):
        raise ConversionError(f"{owner}: no input {missing[0]!r} in the feed, which has {sorted(feed)}")
    if extra := sorted(feed.keys() - expected.keys()):
        raise ConversionError(f"{owner}: unknown input {extra[0]!r}, expected {sorted(expected)}")
    for name, tensor in expected.items():
        array = feed[name]
        if array.dtype != np.dtype(tensor.dtype):
            raise ConversionError(f"{owner}: input {name!r} is {array.dtype}, expected {tensor.dtype}")
        if array.shape != tensor.shape:
            raise ConversionError(f"{owner}: input {name!r} has shape {array.shape}, expected {tensor.shape}")
