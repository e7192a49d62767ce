"""The toy format's runtime."""

from collections.abc import Iterable, Mapping

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from converter.errors import ConversionError
from converter.formats.format import Shapes
from converter.proof.runner import check_feed
from converter.spec.tensors import GraphSpec
from converter.util.content import File, content_of


class ReferenceRunner:
    """A model in the reference evaluator.

    Raises:
        ConversionError: when the file is damaged.
    """

    def __init__(self, file: File, graph: GraphSpec) -> None:
        self.graph = graph
        try:
            self.evaluator = ReferenceEvaluator(onnx.load_from_string(content_of(file).data))
        except Exception as error:
            raise ConversionError(f"{file.name} is damaged: {type(error).__name__}") from None

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return self.blobs(feed, [tensor.name for tensor in self.graph.outputs])

    def blobs(self, feed: Mapping[str, np.ndarray], names: Iterable[str]) -> dict[str, np.ndarray]:
        check_feed(f"onnxref {self.graph.name}", feed, self.graph.inputs)
        names = list(names)
        return dict(zip(names, self.evaluator.run(names, dict(feed)), strict=True))


def interface(file: File) -> tuple[Shapes, Shapes]:
    """The inputs and the outputs in a file: name to shape."""
    try:
        graph = onnx.load_from_string(content_of(file).data).graph
    except Exception as error:
        raise ConversionError(f"{file.name} is damaged: {type(error).__name__}") from None

    def shapes(values: Iterable[onnx.ValueInfoProto]) -> Shapes:
        return {value.name: tuple(size.dim_value for size in value.type.tensor_type.shape.dim) for value in values}

    return shapes(graph.input), shapes(graph.output)
