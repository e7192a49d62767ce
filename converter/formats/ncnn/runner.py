"""ncnn's own runtime in this process.

pyncnn returns codes where it could raise, and takes the process down on an empty output or an
unfed input, so names are checked before and return codes after every call.
"""

from collections.abc import Iterable, Mapping

import ncnn
import numpy as np

from converter.errors import ConversionError
from converter.formats.ncnn.param import load_param
from converter.proof.runner import check_feed
from converter.spec.tensors import GraphSpec
from converter.util.content import Content, File, content_of


class NcnnRunner:
    """One ncnn graph.

    Args:
        param, weights: the ``.param`` and ``.bin`` file, each read once.
        graph: names and shapes of its inputs and outputs; names are the blobs'.
        any_outputs: accept a graph with other outputs, to look at its inner blobs.
        threads: to run it on.
        half: ncnn's default options, which use half precision wherever this CPU can; fp32 otherwise.

    Raises:
        ConversionError: when ncnn does not load the files or has other inputs and outputs.
    """

    def __init__(
        self,
        param: File,
        weights: File,
        graph: GraphSpec,
        any_outputs: bool = False,
        threads: int = 1,  # the graphs are small, and threads that spin are slow on a busy machine
        half: bool = False,
    ):
        self.graph = graph
        self.net = ncnn.Net()
        for option in () if half else ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
            setattr(self.net.opt, f"use_{option}", False)
        self.net.opt.num_threads = threads
        param, weights = content_of(param), content_of(weights)
        for load, content in ((self.net.load_param, param), (self.net.load_model, weights)):
            with content.on_disk() as path:
                code = load(str(path))
            if code != 0:
                raise ConversionError(f"ncnn does not load {content.name}: {load.__name__} returned {code}, expected 0")
        inputs, outputs = self.net.input_names(), self.net.output_names()
        for what, found, declared, fits in (
            ("inputs", inputs, graph.inputs, _enough(param, inputs, graph)),
            (
                "outputs",
                outputs,
                graph.outputs,
                any_outputs or set(outputs) >= {tensor.name for tensor in graph.outputs},
            ),
        ):
            if not fits:
                names = sorted(tensor.name for tensor in declared)
                raise ConversionError(f"{param.name} has {what} {sorted(found)}, expected {names}")

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the graph; arrays are float32, (1, C, H, W) in and out.

        Raises:
            ConversionError: on a wrong feed or when ncnn returns an error code or an empty blob.
        """
        names = [tensor.name for tensor in self.graph.outputs]
        return {name: array[np.newaxis] for name, array in self._extracted(feed, names, light=True).items()}

    def blobs(self, feed: Mapping[str, np.ndarray], names: Iterable[str]) -> dict[str, np.ndarray]:
        """Any blobs of the graph, inner ones too, as ncnn has them: float32, without the batch axis.

        Raises:
            ConversionError: as for :meth:`infer`, and for a name that is no blob.
        """
        return self._extracted(feed, names, light=False)  # light mode would drop inner blobs after their use

    def _extracted(self, feed: Mapping[str, np.ndarray], names: Iterable[str], light: bool) -> dict[str, np.ndarray]:
        check_feed(f"ncnn {self.graph.name}", feed, self.graph.inputs)
        arrays = {}
        with self.net.create_extractor() as extractor:
            extractor.set_light_mode(light)
            for tensor in self.graph.inputs:
                # ncnn.Mat shares memory with its array, which therefore needs a name until it is cloned
                array = np.ascontiguousarray(feed[tensor.name][0])
                self._check("input", tensor.name, extractor.input(tensor.name, ncnn.Mat(array).clone()))
            for name in names:
                code, mat = extractor.extract(name)
                self._check("extract", name, code if code or not mat.empty() else "an empty blob")
                arrays[name] = np.array(mat).astype(np.float32, copy=True)
        return arrays

    def _check(self, call: str, name: str, code: int | str) -> None:
        if code != 0:
            raise ConversionError(f"ncnn {self.graph.name}: {call} of blob {name!r} returned {code}, expected 0")


def _enough(param: Content, inputs: Iterable[str], graph: GraphSpec) -> bool:
    """Whether the file's inputs are the graph's, or those that the graph has no need of are all that is more."""
    declared = {tensor.name for tensor in graph.inputs}
    if set(inputs) == declared:
        return True
    needed = load_param(param).part(tensor.name for tensor in graph.outputs).input_blobs()
    return declared < set(inputs) and set(needed) == declared
