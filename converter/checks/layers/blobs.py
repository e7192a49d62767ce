"""Inner blobs of a converted graph that may fail, hang up or take its process along anywhere."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from converter.checks.layers.graphs import ConvertedGraph
from converter.errors import ConversionError

CHUNK = 32


class BlobRunner(Protocol):
    """A loaded graph whose inner blobs can be had."""

    def blobs(self, feed: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, np.ndarray]: ...


def fetch(runner: BlobRunner, feed: Mapping[str, np.ndarray], converted: ConvertedGraph):
    """The outputs of all computing layers, as far as the runtime gives them.

    All are asked for at once. Where that fails it goes on in file order and in halves, so that a layer
    that ends the run hides nothing before it; what depends on such a layer is not asked for.

    Returns:
        (blob name to array, blob name to why it could not be computed)
    """
    waiting = [blob for index in converted.computing for blob in converted.layers[index].outputs]
    try:
        return dict(runner.blobs(feed, waiting)), {}
    except ConversionError:
        pass
    found: dict[str, np.ndarray] = {}
    failed: dict[str, str] = {}
    lost: set[str] = set()
    size = CHUNK
    while waiting := [blob for blob in waiting if blob not in lost and blob not in found and blob not in failed]:
        chunk = waiting[:size]
        try:
            found.update(runner.blobs(feed, chunk))
            size = min(CHUNK, size * 2)
        except ConversionError as error:
            if len(chunk) > 1:
                size = max(1, len(chunk) // 2)
            else:
                failed[chunk[0]] = str(error)
                lost |= _descendants(converted, chunk[0])
                size = CHUNK
    return found, failed


def _descendants(converted, blob):
    reached = {blob}
    for layer in converted.layers:
        if reached.intersection(layer.inputs):
            reached.update(layer.outputs)
    return reached
