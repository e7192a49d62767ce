"""ncnn's own runtime in this process.

pyncnn returns codes where it could raise, and takes the process down on an empty output or an
unfed input, so names are checked before and return codes after every call.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property

import ncnn
import numpy as np

from converter.errors import ConversionError
from converter.formats.ncnn.param import NcnnGraph, load_param
from converter.proof.runner import check_feed
from converter.spec.tensors import GraphSpec
from converter.util.content import Content, File, content_of

LARGEST_INPUT = 3  # dimensions; ncnn answers wrongly to inputs with more


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
        self.param = content_of(param)
        self.net = ncnn.Net()
        for option in () if half else ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
            setattr(self.net.opt, f"use_{option}", False)
        self.net.opt.num_threads = threads
        param, weights = self.param, content_of(weights)
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

    def infer_both(
        self, first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Two runs as by :meth:`infer`; a layer that depends on inputs alone that are one array in both runs once.

        Raises:
            ConversionError: as :meth:`infer`.
        """
        check_feed(f"ncnn {self.graph.name}", second, self.graph.inputs)
        outputs = [tensor.name for tensor in self.graph.outputs]
        changed = frozenset(name for name, array in second.items() if array is not first.get(name))
        kept, depending = self._kept(changed)
        before = self._extracted(first, [*kept, *outputs], light=True)
        inner = {name: before[name] for name in kept}
        if any(array.ndim > LARGEST_INPUT for array in inner.values()):
            after = self._extracted(second, outputs, light=True)
        else:
            fed = inner | {name: second[name][0] for name in sorted(changed)}
            after = before | self._run(fed, [name for name in outputs if name in depending], light=True)
        answers = [{name: arrays[name][np.newaxis] for name in outputs} for arrays in (before, after)]
        return answers[0], answers[1]

    @cached_property
    def _table(self) -> NcnnGraph:
        """The layers; read once however many inputs there are."""
        return load_param(self.param)

    def _kept(self, changed: frozenset[str]) -> tuple[list[str], set[str]]:
        """Blobs that layers depending on these inputs take from those that do not; and all that depends on them."""
        depending = self._table.depending_on(changed)
        read = dict.fromkeys(
            blob for layer in self._table.layers if depending & set(layer.outputs) for blob in layer.inputs
        )
        return [blob for blob in read if blob not in depending], depending

    def blobs(self, feed: Mapping[str, np.ndarray], names: Iterable[str]) -> dict[str, np.ndarray]:
        """Any blobs of the graph, inner ones too, as ncnn has them: float32, without the batch axis.

        Raises:
            ConversionError: as for :meth:`infer`, and for a name that is no blob.
        """
        return self._extracted(feed, names, light=False)  # light mode would drop inner blobs after their use

    def _extracted(self, feed: Mapping[str, np.ndarray], names: Iterable[str], light: bool) -> dict[str, np.ndarray]:
        check_feed(f"ncnn {self.graph.name}", feed, self.graph.inputs)
        return self._run({tensor.name: feed[tensor.name][0] for tensor in self.graph.inputs}, names, light)

    def _run(self, fed: Mapping[str, np.ndarray], names: Iterable[str], light: bool) -> dict[str, np.ndarray]:
        """Blobs, of others without the batch axis."""
        arrays = {}
        with self.net.create_extractor() as extractor:
            extractor.set_light_mode(light)
            for blob, given in fed.items():
                # ncnn.Mat shares memory with its array, which therefore needs a name until it is cloned
                array = np.ascontiguousarray(given)
                self._check("input", blob, extractor.input(blob, ncnn.Mat(array).clone()))
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
