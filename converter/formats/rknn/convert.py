"""From TorchScript over ONNX to ``.rknn``: the toolkit's build, in a process of its own."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import onnx

from converter.formats.format import Job
from converter.formats.onnx.convert import OnnxConversion
from converter.formats.rknn.build import Built, build
from converter.formats.rknn.process import Toolkit
from converter.formats.rknn.recipe import Recipe, write_recipe
from converter.formats.rknn.root import RknnRoot
from converter.spec.network import NetworkSpec
from converter.spec.options import RknnOptions
from converter.spec.tensors import GraphSpec
from converter.util.atomic import write
from converter.util.paths import read_bytes

log = logging.getLogger(__name__)

SUFFIX, SOURCE_SUFFIX = ".rknn", ".rknn.onnx"


class RknnConversion:
    """One graph on its way to a ``.rknn``; the toolkit works in the background.

    Args:
        job: what to convert; its options say for which chip.
        asked: that.
        root: what the toolkit runs in.
        preprocess: mean and std of pixels of 0 to 255.
    """

    def __init__(self, job: Job, asked: RknnOptions, root: RknnRoot, preprocess: tuple[list[float], list[float]]):
        graph = job.source.graph
        self.what = f"rknn {graph.name}"
        self.path = job.folder / f"{job.source.stem}{SUFFIX}"
        self.source = job.folder / f"{job.source.stem}{SOURCE_SUFFIX}"
        self._toolkit = Toolkit(root, self.what)
        options = job.options
        first = OnnxConversion(
            *(job.traced.module, job.source, job.folder, options.opset, options.simplify, job.metadata)
        )
        first.path = self.source
        first.result()
        images = image_names(options.network, graph) if asked.normalise == "inside" else None
        mean, std = preprocess
        self.recipe = Recipe(target=asked.target, toolkit=root.toolkit, images=images, mean=mean, std=std)
        inputs = [(tensor.name, tensor.shape[1]) for tensor in graph.inputs]
        self._thread = ThreadPoolExecutor(1, "rknn-build")
        self._built: Future[Built] = self._thread.submit(
            build, self._toolkit, read_bytes(self.source), self.recipe, inputs, False
        )

    def result(self) -> tuple[Path, ...]:
        """Wait for it.

        Raises:
            ConversionError: with the toolkit's last error.
        """
        try:
            built = self._built.result()
        finally:
            self.stop()
        recipe = self.recipe.model_copy(update=built.found)
        for line in recipe.notes():
            log.warning("%s: %s", self.what, line)
        write(self.path, built.data)
        model = onnx.load_from_string(read_bytes(self.source))
        write_recipe(model, recipe)
        write(self.source, model.SerializeToString(deterministic=True))
        return self.path, self.source

    def stop(self) -> None:
        """End the toolkit's process."""
        self._toolkit.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)


def image_names(network: NetworkSpec, graph: GraphSpec) -> list[str]:
    """The inputs of a graph that are crops: no graph gives them, and they are no masks."""
    given = {meaning for entry in network.graphs.values() for meaning in entry.outputs}
    return [tensor.name for tensor in graph.inputs if tensor.meaning not in given and tensor.mask_of is None]
