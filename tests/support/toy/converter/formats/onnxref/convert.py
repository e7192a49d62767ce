"""TorchScript to the toy format."""

import warnings
from pathlib import Path

import torch

from converter.formats.format import Job


class Export:
    """A conversion that is made when its result is asked for."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def result(self) -> tuple[Path, ...]:
        graph, path = self.job.source.graph, self.job.folder / f"{self.job.source.stem}.onnxref"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                self.job.traced.module,
                tuple(torch.zeros(tensor.shape) for tensor in graph.inputs),
                str(path),
                input_names=[tensor.name for tensor in graph.inputs],
                output_names=[tensor.name for tensor in graph.outputs],
                opset_version=17,
                dynamo=False,
            )
        return (path,)

    def stop(self) -> None:
        """Nothing runs for it."""
