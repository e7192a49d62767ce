"""onnxruntime in this process, on the CPU."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from converter import process
from converter.errors import ConversionError
from converter.runners import check_feed
from converter.spec import GraphSpec

_ERRORS_ONLY = 3


class OnnxRunner:
    """One ONNX graph.

    Args:
        path: the ``.onnx`` file.
        graph: names and shapes of its inputs and outputs.

    Raises:
        ConversionError: when onnxruntime does not load the file.
    """

    def __init__(self, path: Path, graph: GraphSpec):
        process.send_nothing()
        import onnxruntime

        self.graph = graph
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.intra_op_num_threads = 1  # as for ncnn
        try:
            self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own types are not public
            first = str(error).strip().partition("\n")[0]
            raise ConversionError(f"onnxruntime does not load {path.name}: {first}") from None

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the graph; arrays are float32, (1, C, H, W) in and out.

        Raises:
            ConversionError: on a wrong feed or when the run fails.
        """
        check_feed(f"onnxruntime {self.graph.name}", feed, self.graph.inputs)
        names = [tensor.name for tensor in self.graph.outputs]
        try:
            return dict(zip(names, self.session.run(names, dict(feed)), strict=True))
        except Exception as error:  # as above
            first = str(error).strip().partition("\n")[0]
            raise ConversionError(f"onnxruntime {self.graph.name}: {first}") from None
