"""Rockchip's simulator on this PC: a model built again from its source, held to the published file, and run."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import onnx

from converter.errors import ConversionError
from converter.formats.onnx.file import part_of
from converter.formats.rknn.build import build
from converter.formats.rknn.process import Toolkit
from converter.formats.rknn.recipe import Recipe, read_recipe
from converter.formats.rknn.root import RknnRoot, rknn_root
from converter.proof.runner import check_feed
from converter.spec.tensors import GraphSpec, TensorSpec
from converter.util.content import File, content_of

NEAR = 8  # bytes: what lies so near to memory that the toolkit has not set may be a part of it
ROUNDING = 0.02  # of a pixel's level


class RknnRunner:
    """One ``.rknn`` in the simulator. It is built again at once, in the background, and run when it is asked.

    The simulator does not run an ``.rknn`` that was loaded. So what runs is built from the source beside it, and it is
    an error where the published file is not what comes out of that.

    Args:
        file: the ``.rknn``.
        source: the ONNX file that it was built from.
        graph: names and shapes of its inputs and outputs.

    Raises:
        ConversionError: when the files cannot be read.
        DependencyError: when the toolkit is not set up.
    """

    def __init__(self, file: File, source: File, graph: GraphSpec):
        self.graph, self.file, self.source = graph, content_of(file), content_of(source)
        self.root, self.recipe = rknn_root(), read_recipe(self.source)
        check_toolkit(self.root, self.recipe, self.source.name)
        self.what = f"rknn {graph.name}"
        self._toolkit = Toolkit(self.root, self.what)
        self._thread = ThreadPoolExecutor(1, "rknn-load")
        self._ready: Future[None] = self._thread.submit(self._build)

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the graph; arrays are float32, (1, C, H, W) in and out, crops normalised: pixels for a model that
        normalises them itself are made from those.

        Raises:
            ConversionError: on a wrong feed, when the file is not what its source gives, or when the run fails.
        """
        check_feed(f"the simulator {self.graph.name}", feed, self.graph.inputs)
        self._ready.result()
        outputs = simulate(self._toolkit, self.recipe, self.graph.inputs, feed)
        if len(outputs) != len(self.graph.outputs):
            raise ConversionError(f"{self.what}: {len(outputs)} outputs, expected {len(self.graph.outputs)}")
        return dict(zip((tensor.name for tensor in self.graph.outputs), outputs, strict=True))

    def stop(self) -> None:
        """End its process."""
        self._toolkit.stop()

    def _build(self) -> None:
        inputs = [(tensor.name, tensor.shape[1]) for tensor in self.graph.inputs]
        made = build(self._toolkit, self.source.data, self.recipe, inputs, runs=True)
        if self.recipe.model_copy(update=made.found) != self.recipe:
            raise ConversionError(
                f"{self.source.name} says otherwise of its operators than rknn-toolkit2 {self.root.toolkit} does for "
                f"{self.recipe.target}: export again"
            )
        built = made.data
        if built == self.file.data:
            return
        toolkit = Toolkit(self.root, self.what, fixed=False)
        try:
            again = build(toolkit, self.source.data, self.recipe, inputs, runs=False).data
        finally:
            toolkit.stop()
        if count := differing(self.file.data, built, again):
            raise ConversionError(
                f"{self.file.name} is not what rknn-toolkit2 {self.root.toolkit} makes of {self.source.name} for "
                f"{self.recipe.target}: {count} bytes differ; it is stale, or of another source: export again"
            )


class RknnBlobs:
    """Inner tensors of a model in the simulator, each build of which gives those that are asked for.

    Args:
        source: the ONNX file that the ``.rknn`` was built from.
        graph: names and shapes of its inputs.
    """

    def __init__(self, source: File, graph: GraphSpec):
        self.source, self.graph, self.root = content_of(source), graph, rknn_root()
        self.recipe = read_recipe(self.source)

    def blobs(self, feed: Mapping[str, np.ndarray], names: Iterable[str]) -> dict[str, np.ndarray]:
        """Any tensors of the graph, inner ones too, batch axis included; only what they depend on is built.

        Raises:
            ConversionError: on a wrong feed, for a name that is no tensor, or when it cannot be built or run.
        """
        check_feed(f"the simulator {self.graph.name}", feed, self.graph.inputs)
        names = list(names)
        data, needed = _only_needed(part_of(self.source, names))
        inputs = [tensor for tensor in self.graph.inputs if tensor.name in needed]
        toolkit = Toolkit(self.root, f"rknn {self.graph.name}")
        try:
            build(toolkit, data, self.recipe, [(tensor.name, tensor.shape[1]) for tensor in inputs], runs=True)
            outputs = simulate(toolkit, self.recipe, inputs, feed)
        finally:
            toolkit.stop()
        return dict(zip(names, outputs, strict=True))


def simulate(
    toolkit: Toolkit, recipe: Recipe, inputs: Sequence[TensorSpec], feed: Mapping[str, np.ndarray]
) -> list[np.ndarray]:
    """The outputs of what the toolkit has built, float32, in their order.

    Args:
        feed: by name, float32, NCHW, crops normalised.

    Raises:
        ConversionError: when the run fails, or a crop for a model that takes pixels is none of 8-bit pixels.
    """
    given = {tensor.name: as_given(recipe, tensor, feed[tensor.name]) for tensor in inputs}
    layouts = ["nhwc" if recipe.is_pixels(tensor.name) else "nchw" for tensor in inputs]
    names = [tensor.name for tensor in inputs]
    answer, outputs = toolkit.call("infer", given, inputs=names, layouts=layouts)
    toolkit.tell_once(answer.get("warnings", ()))
    return [outputs[str(index)].astype(np.float32) for index in range(len(outputs))]


def as_given(recipe: Recipe, tensor: TensorSpec, array: np.ndarray) -> np.ndarray:
    """An input as the model takes it: pixels, uint8, NHWC, for one that normalises them itself.

    Raises:
        ConversionError: for a crop that is not of 8-bit pixels.
    """
    if not recipe.is_pixels(tensor.name):
        return array
    pixels: np.ndarray = array.transpose(0, 2, 3, 1) * np.array(recipe.std, np.float32) + np.array(
        recipe.mean, np.float32
    )
    rounded = np.rint(pixels)
    if not (np.abs(pixels - rounded).max() < ROUNDING and rounded.min() >= 0 and rounded.max() <= 255):
        raise ConversionError(f"the simulator: {tensor.name} is not made of 8-bit pixels, which the model takes")
    given: np.ndarray = rounded.astype(np.uint8)
    return given


def check_toolkit(root: RknnRoot, recipe: Recipe, name: str) -> None:
    """Raises:
    ConversionError: where the model was built by another release, whose builds are others.
    """
    if root.toolkit != recipe.toolkit:
        raise ConversionError(
            f"{name}: its .rknn was built by rknn-toolkit2 {recipe.toolkit}, and {root.toolkit} is set up in "
            f"{root.folder}; export again"
        )


def differing(published: bytes, built: bytes, again: bytes) -> int:
    """How many bytes of a file are not what building it gives; memory that the toolkit has not set counts for nothing.

    Args:
        built, again: two builds at different addresses, which differ from each other in that memory only.
    """
    if not len(published) == len(built) == len(again):
        return abs(len(published) - len(built)) or len(published)
    first, second, third = (np.frombuffer(each, np.uint8) for each in (published, built, again))
    unset = np.convolve(second != third, np.ones(2 * NEAR + 1), "same") > 0.5
    return int(np.count_nonzero((first != second) & ~unset))


def _only_needed(data: bytes) -> tuple[bytes, set[str]]:
    """A model without the inputs that no node reads; the names of those that are left."""
    model = onnx.load_from_string(data)
    read = {name for node in model.graph.node for name in node.input}
    left = [value for value in model.graph.input if value.name in read]
    del model.graph.input[:]
    model.graph.input.extend(left)
    used = [tensor for tensor in model.graph.initializer if tensor.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(used)
    return model.SerializeToString(), {value.name for value in left}
