"""``python -m benchmarks.small_weights FLOAT SMALL``: how much longer the ONNX models of an export with a byte for each
weight take than those in float32: in onnxruntime's default options, and where it widens weights when it loads them."""

import argparse
import time
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime

from converter.folder.manifest import read_manifest
from converter.formats.onnx import DISABLE_QDQ

ROUNDS, RUNS = 30, 3
Ran = tuple[onnxruntime.InferenceSession, dict[str, np.ndarray]]


def main(arguments: list[str] | None = None) -> int:
    """Time all in one process, in turns, and print a line for every graph."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.small_weights", description=__doc__.partition(":")[2])
    parser.add_argument("float", type=Path, metavar="FLOAT", help="a folder that lt-export wrote")
    parser.add_argument("small", type=Path, metavar="SMALL", help="another one, with --precision w8")
    parsed = parser.parse_args(arguments)
    print(f"{'':12}{'fp32':>10}{'w8 by default':>20}{'w8 widened at load':>20}")
    for graph in read_manifest(parsed.float).graphs:
        if graph.format == "onnx":
            name, inputs = graph.files[0].name, {tensor.name: tensor.shape for tensor in graph.inputs}
            sessions = [
                _session(parsed.float / name, inputs),
                _session(parsed.small / name, inputs),
                _session(parsed.small / name, inputs, (DISABLE_QDQ, "1")),
            ]
            first, *others = _times(sessions)
            ratios = "".join(f"{median(np.divide(times, first)):>20.2f}" for times in others)
            print(f"{graph.name:12}{1e3 * median(first):>7.2f} ms{ratios}")
    return 0


def _session(path: Path, inputs: dict[str, tuple[int, ...]], *entries: tuple[str, str]) -> Ran:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    for entry in entries:
        options.add_session_config_entry(*entry)
    drawn = np.random.default_rng(0)
    feed = {name: drawn.standard_normal(shape).astype(np.float32) for name, shape in inputs.items()}
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]), feed


def _times(sessions: list[Ran]) -> list[list[float]]:
    """Of every session in every round, the least of some runs, in seconds."""
    times: list[list[float]] = [[] for _ in sessions]
    for _ in range(ROUNDS):
        for (session, feed), own in zip(sessions, times, strict=True):
            own.append(min(_timed(session, feed) for _ in range(RUNS)))
    return times


def _timed(session: onnxruntime.InferenceSession, feed: dict[str, np.ndarray]) -> float:
    begin = time.perf_counter()
    session.run(None, feed)
    return time.perf_counter() - begin


if __name__ == "__main__":
    raise SystemExit(main())
