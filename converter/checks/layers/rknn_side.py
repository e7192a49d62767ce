"""What the nodes of the ONNX graph compute that an ``.rknn`` was built from; the toolkit's own have no counterpart."""

from collections.abc import Sequence

from converter.checks.layers import onnx_side
from converter.checks.layers.graphs import ConvertedGraph
from converter.spec.tensors import GraphSpec
from converter.util.content import File


def read(files: Sequence[File], graph: GraphSpec) -> ConvertedGraph:
    """As of ONNX; raises likewise."""
    return onnx_side.read(files[1:], graph)
