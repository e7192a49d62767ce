"""Inner blobs of a converted graph that may fail, hang up or take its process along anywhere."""

from collections.abc import Mapping

import numpy as np

from converter.checks.layers.graphs import ConvertedGraph
from converter.errors import ConversionError
from converter.proof.runner import BlobRunner

CHUNK = 32


def fetch(
    runner: BlobRunner, feed: Mapping[str, np.ndarray], converted: ConvertedGraph
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The outputs of all computing layers, as far as the runtime gives them.

    All are asked for at once. Where that fails it goes on in file order and in halves, so that a layer
    that ends the run hides nothing before it; what depends on such a layer is not asked for.

    Returns:
        (blob name to array, blob name to why it could not be computed)
    """
    waiting = [blob for index in converted.computing for blob in converted.layers[index].outputs]
    values: dict[str, np.ndarray] = {}
    failed: dict[str, str] = {}
    size = len(waiting)
    while waiting:
        chunk = waiting[:size]
        try:
            values.update(runner.blobs(feed, chunk))
            size = min(CHUNK, size * 2)
            waiting = waiting[len(chunk) :]
        except ConversionError as error:
            if len(chunk) > 1:
                size = min(CHUNK, len(chunk) // 2)
                continue
            failed[chunk[0]] = str(error)
            lost = _descendants(converted, chunk[0])
            waiting = [blob for blob in waiting if blob not in lost]
            size = CHUNK
    return values, failed


def _descendants(converted: ConvertedGraph, blob: str) -> set[str]:
    """A blob and all that depend on it."""
    reached = {blob}
    for layer in converted.layers:
        if reached.intersection(layer.inputs):
            reached.update(layer.outputs)
    return reached
