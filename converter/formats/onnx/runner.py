"""onnxruntime in this process, on the CPU."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from converter.errors import ConversionError
from converter.proof.runner import check_feed
from converter.spec.tensors import GraphSpec
from converter.util import process
from converter.util.content import Content, File, content_of

if TYPE_CHECKING:
    import onnxruntime

Shapes = dict[str, tuple[int, ...] | None]
_ERRORS_ONLY = 3


class OnnxRunner:
    """One ONNX graph.

    Args:
        file: the ``.onnx`` file, read once.
        graph: names and shapes of its inputs and outputs.
        threads: to run one operator on.
        beside: files that it keeps weights in, where it does.
        settings: entries of the session's configuration.
        optimised: whether onnxruntime may make other nodes of the file's, as it does by default.
        written: a file to write what it made of them into.

    Raises:
        ConversionError: when onnxruntime does not load the file.
    """

    def __init__(
        self,
        file: File,
        graph: GraphSpec,
        threads: int = 1,
        beside: Sequence[File] = (),
        settings: Mapping[str, str] | None = None,
        *,
        optimised: bool = True,
        written: Path | None = None,
    ):
        self.graph = graph
        self.session = _session(content_of(file), beside, optimised, threads, settings, written)

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the graph; arrays are float32, (1, C, H, W) in and out.

        Raises:
            ConversionError: on a wrong feed or when the run fails.
        """
        check_feed(f"onnxruntime {self.graph.name}", feed, self.graph.inputs)
        return _run(self.session, self.graph, feed, [tensor.name for tensor in self.graph.outputs])


class OnnxBlobs:
    """Inner tensors of one ONNX graph, also of one that onnxruntime refuses as a whole.

    Args:
        file: the ``.onnx`` file; read when tensors are asked for.
        graph: names and shapes of its inputs.
        beside: files that it keeps weights in, where it does.
    """

    def __init__(self, file: File, graph: GraphSpec, beside: Sequence[File] = ()):
        self.file, self.graph, self.beside = file, graph, beside
        self._last: tuple[list[str], onnxruntime.InferenceSession] | None = None

    def blobs(self, feed: Mapping[str, np.ndarray], names: Iterable[str]) -> dict[str, np.ndarray]:
        """Any tensors of the graph, inner ones too, batch axis included; only what they depend on is run.

        Raises:
            ConversionError: on a wrong feed, for a name that is no tensor, or when the run fails.
        """
        check_feed(f"onnxruntime {self.graph.name}", feed, self.graph.inputs)
        from converter.formats.onnx.file import part_of  # imports onnx, which a whole model runs without

        names = list(names)
        if self._last is None or self._last[0] != names:  # they are often those of the input before
            part = Content.holding(Path(self.file.name), part_of(self.file, names, self.beside))
            self._last = names, _session(part, optimised=False)
        session = self._last[1]
        needed = {value.name for value in session.get_inputs()}
        return _run(session, self.graph, {name: array for name, array in feed.items() if name in needed}, names)


def answer(file: File, feed: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """One output of a model of any types, by onnxruntime with its default options.

    Raises:
        ConversionError: when onnxruntime does not load the file, or the run fails.
    """
    content = content_of(file)
    session = _session(content)
    try:
        return np.asarray(session.run([name], dict(feed))[0])
    except Exception as error:  # as below
        first = str(error).strip().partition("\n")[0]
        raise ConversionError(f"onnxruntime {content.name}: {first}") from None


def onnx_interface(file: File, beside: Sequence[File] = ()) -> tuple[Shapes, Shapes]:
    """Names and shapes of a file's inputs and outputs; None for a shape that is not fixed.

    Raises:
        ConversionError: when onnxruntime does not load the file.
    """
    session = _session(content_of(file), beside)
    return _shapes(session.get_inputs()), _shapes(session.get_outputs())


def _shapes(values: Iterable["onnxruntime.NodeArg"]) -> Shapes:
    return {
        value.name: tuple(value.shape) if all(isinstance(size, int) for size in value.shape) else None
        for value in values
    }


def _session(
    content: Content,
    beside: Sequence[File] = (),
    optimised: bool = True,
    threads: int = 1,
    settings: Mapping[str, str] | None = None,
    written: Path | None = None,
) -> "onnxruntime.InferenceSession":
    process.send_nothing()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads  # 1 for the same reason as in ncnn
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    for name, value in (settings or {}).items():
        options.add_session_config_entry(name, value)
    if written is not None:
        options.optimized_model_filepath = str(written)
    if weights := [content_of(file) for file in beside]:
        names = [os.path.relpath(each.path, content.path.parent) for each in weights]
        data = [each.data for each in weights]
        options.add_external_initializers_from_files_in_memory(names, data, list(map(len, data)))
    try:
        return onnxruntime.InferenceSession(content.data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own types are not public
        first = str(error).strip().partition("\n")[0]
        raise ConversionError(f"onnxruntime does not load {content.name}: {first}") from None


def _run(
    session: "onnxruntime.InferenceSession", graph: GraphSpec, feed: Mapping[str, np.ndarray], names: Sequence[str]
) -> dict[str, np.ndarray]:
    try:
        return dict(zip(names, session.run(names, dict(feed)), strict=True))
    except Exception as error:  # as above
        first = str(error).strip().partition("\n")[0]
        raise ConversionError(f"onnxruntime {graph.name}: {first}") from None
