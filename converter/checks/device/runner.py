"""An ncnn graph in a process on another device, behind the interface of the other runners."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from converter.checks.device.process import GuestProcess, Message
from converter.checks.device.section import Blob, BlobCounts
from converter.errors import ConversionError
from converter.formats.ncnn.layer import Layer
from converter.formats.ncnn.param import load_param
from converter.proof.runner import check_feed
from converter.spec.tensors import GraphSpec
from converter.util.content import File, content_of

log = logging.getLogger(__name__)


class GuestRunner:
    """One ncnn graph in a process, which others may share.

    Args:
        process: started already.
        files: ``.param`` and ``.bin``.
        graph: which of the files' blobs are fed and asked for.

    Attributes:
        feed_name: of what is run next.
        on_cpu: the layers that have no shader, by name and type, where a GPU runs the others.
        seconds: that the last run took.
        failed_on: what it was fed where it failed, or None.

    Raises:
        ConversionError: when ncnn does not load the files, or has no such blobs.
    """

    def __init__(self, process: GuestProcess, files: Sequence[File], graph: GraphSpec) -> None:
        self.process, self.files, self.graph, self.feed_name, self.seconds = process, files, graph, "", 0.0
        self.failed_on: Mapping[str, np.ndarray] | None = None
        param, weights = map(content_of, files)
        self.name = str(param.path.absolute())
        self._files = param, weights
        answer, _ = self._with_files("load")
        self.on_cpu = tuple((str(name), str(kind)) for name, kind in answer.get("on_cpu", ()))
        inputs, outputs = answer.get("inputs"), answer.get("outputs")
        if not (isinstance(inputs, list) and isinstance(outputs, list)):
            raise ConversionError(f"{process.what}: no names of inputs and outputs came back")
        self.layers = load_param(param).layers
        blobs = {*outputs, *(blob for layer in self.layers for blob in layer.outputs)}
        for side, tensors, names, legal in (
            ("inputs", graph.inputs, inputs, inputs),
            ("outputs", graph.outputs, outputs, blobs),
        ):
            if missing := [tensor.name for tensor in tensors if tensor.name not in legal]:
                raise ConversionError(f"{param.name} has {side} {sorted(names)}, expected {missing[0]!r} too")

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the graph; arrays are float32, (1, C, H, W) in and out, by blob.

        Raises:
            ConversionError: on a wrong feed, or when the process refuses, crashes or hangs.
        """
        names = [tensor.name for tensor in self.graph.outputs]
        start = time.perf_counter()
        fed = self._fed(feed)
        try:
            _, outputs = self.process.call("infer", fed, name=self.name, graph=self.graph.name, blobs=names)
        except ConversionError:
            self.failed_on = feed
            raise
        self.seconds = time.perf_counter() - start
        log.debug("%s: %s on %s took %.1f s", self.process.what, self.graph.name, self.feed_name, self.seconds)
        if missing := [name for name in names if name not in outputs]:
            raise ConversionError(f"{self.process.what}: no output {missing[0]!r} came back")
        return {name: outputs[name][np.newaxis] for name in names}

    def count(self, feed: Mapping[str, np.ndarray]) -> BlobCounts:
        """Of every blob that depends on the feed and on nothing else, in the order of the layers: what is not finite.

        Raises:
            ConversionError: as :meth:`infer`.
        """
        places = [(layer, blob) for layer in self._run_layers() for blob in layer.outputs]
        answer, _ = self.process.call(
            "count", self._fed(feed), name=self.name, graph=self.graph.name, blobs=[blob for _, blob in places]
        )
        counts = []
        for layer, blob in places:
            try:
                size, nan, inf, largest = answer["counts"][blob]
            except (KeyError, TypeError, ValueError):
                raise ConversionError(f"{self.process.what}: no counts of blob {blob!r} came back") from None
            counts.append(Blob(layer.name, layer.type, blob, size, nan, inf, largest))
        return BlobCounts(self.graph.name, self.feed_name, tuple(counts))

    def walk(self, feed: Mapping[str, np.ndarray]) -> list[tuple[Layer, str, list[float | None]]]:
        """Of every blob that depends on the feed: its layer, and how far it is from what the CPU computes; see
        :meth:`converter.checks.device.guest.Models.walk`.

        Raises:
            ConversionError: as :meth:`infer`.
        """
        layers = self._run_layers()
        places = [[layer.inputs, layer.outputs] for layer in layers]
        answer, _ = self._with_files("walk", self._fed(feed), layers=places)
        return [(layer, blob, answer["rows"][blob]) for layer in layers for blob in layer.outputs]

    def first_failing(self, feed: Mapping[str, np.ndarray]) -> Layer | None:
        """Run layer by layer until a call fails; the layer that was run then, or None.

        Raises:
            ConversionError: when the process does not get so far.
        """
        places = [(layer, blob) for layer in self._run_layers() for blob in layer.outputs]
        blobs = [blob for _, blob in places]
        self.process.call("begin", self._fed(feed), name=self.name, graph=self.graph.name, blobs=blobs)
        for layer, _ in places:
            try:
                self.process.call("go_on", graph=self.graph.name)
            except ConversionError as error:
                log.debug("%s: layer %s: %s", self.process.what, layer.name, error)
                return layer
        return None

    def _with_files(self, call: str, arrays: Mapping[str, np.ndarray] | None = None, **header: Any) -> Message:
        """A call of the other side that needs the model's files."""
        param, weights = self._files
        with param.on_disk() as layers, weights.on_disk() as numbers:
            called = {"param": param.name, "weights": weights.name}
            files = {"param": str(layers), "weights": str(numbers), "called": called}
            return self.process.call(call, arrays, name=self.name, graph=self.graph.name, **files, **header)

    def _run_layers(self) -> list[Layer]:
        """The layers that what is fed is enough for: a file may have further inputs."""
        known = {tensor.name for tensor in self.graph.inputs}
        layers = []
        for layer in self.layers:
            if layer.type != "Input" and known.issuperset(layer.inputs):
                known.update(layer.outputs)
                layers.append(layer)
        return layers

    def _fed(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        check_feed(f"ncnn {self.graph.name}", feed, self.graph.inputs)
        return {name: array[0] for name, array in feed.items()}
