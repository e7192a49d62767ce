"""``python -m benchmarks.memory EXPORT FORMAT``: the bytes that the models of an export add to a process that loads
them from their files and runs each once, as an application does."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

from benchmarks.measure import memory_of
from converter.folder.manifest import GraphEntry, read_manifest


def main(arguments: list[str] | None = None) -> int:
    """Load, run, print the number."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__.partition(":")[2])
    parser.add_argument("export", type=Path, metavar="EXPORT", help="a folder that lt-export wrote")
    parser.add_argument("format", choices=LOADERS, metavar="FORMAT", help=" or ".join(LOADERS))
    parsed = parser.parse_args(arguments)
    graphs = [graph for graph in read_manifest(parsed.export).graphs if graph.format == parsed.format]
    if not graphs:
        parser.error(f"{parsed.export} has no {parsed.format} models")
    print(added(parsed.export, graphs, LOADERS[parsed.format]()))
    return 0


def added(folder: Path, graphs: list[GraphEntry], load: Callable[[Path, GraphEntry], Callable[[], object]]) -> int:
    """Bytes of resident memory; graphs that are read from the same files are loaded once."""
    process = psutil.Process(os.getpid())
    before = memory_of(process)
    loaded = [
        load(folder, graph) for graph in {tuple(file.name for file in each.files): each for each in graphs}.values()
    ]
    for run in loaded:
        run()
    return memory_of(process) - before


def _ncnn() -> Callable[[Path, GraphEntry], Callable[[], object]]:
    import ncnn

    def load(folder: Path, graph: GraphEntry) -> Callable[[], object]:
        net = ncnn.Net()
        net.opt.num_threads = 1
        param, weights = (str(folder / file.name) for file in graph.files)
        if net.load_param(param) or net.load_model(weights):
            raise SystemExit(f"ncnn does not load {param} and {weights}")

        def run() -> None:
            with net.create_extractor() as extractor:
                for tensor in graph.inputs:
                    zeros = np.zeros(tensor.shape[1:], np.float32)
                    extractor.input(tensor.name, ncnn.Mat(zeros).clone())
                for tensor in graph.outputs:
                    extractor.extract(tensor.name)

        return run

    return load


def _onnx() -> Callable[[Path, GraphEntry], Callable[[], object]]:
    import onnxruntime

    def load(folder: Path, graph: GraphEntry) -> Callable[[], object]:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        path = str(folder / graph.files[0].name)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        feed = {tensor.name: np.zeros(tensor.shape, np.float32) for tensor in graph.inputs}
        return lambda: session.run(None, feed)

    return load


LOADERS = {"ncnn": _ncnn, "onnx": _onnx}

if __name__ == "__main__":
    raise SystemExit(main())
