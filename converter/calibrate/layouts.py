"""How a calibration set lies on the disk for each quantiser."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from io import BytesIO

import numpy as np

from converter.calibrate.listing import CalibrationGraph

Arrays = Mapping[str, np.ndarray]
Layout = Callable[[Sequence[Arrays], Sequence[CalibrationGraph]], Iterator[tuple[str, bytes]]]
READER = "reader.py"


def _npy(samples: Sequence[Arrays], graphs: Sequence[CalibrationGraph]) -> Iterator[tuple[str, bytes]]:
    """Arrays with their batch axis, NCHW; RKNN's dataset of every graph, and a reader for onnxruntime."""
    yield from _arrays(samples, ".npy", _as_npy)
    for graph in graphs:
        lines = (
            " ".join(f"{tensor.meaning}/{number:03}.npy" for tensor in graph.inputs) for number in range(len(samples))
        )
        yield f"{graph.name}.txt", _text(lines)
    yield READER, (files("converter.calibrate") / "templates" / f"{READER}.txt").read_bytes()


def _ncnn(samples: Sequence[Arrays], graphs: Sequence[CalibrationGraph]) -> Iterator[tuple[str, bytes]]:
    """Arrays without the batch axis, as ncnn2table's type=1 reads them, and a list of the files of every tensor."""
    yield from _arrays(samples, ".npy", lambda array: _as_npy(array[0]))
    for name in samples[0]:
        yield f"{name}.txt", _text(f"{name}/{number:03}.npy" for number in range(len(samples)))
    yield "ncnn2table.txt", _text(map(_ncnn2table, graphs))


def _ncnn2table(graph: CalibrationGraph) -> str:
    """The arguments behind the files of a model; shapes are width, height, channels."""
    lists = ",".join(f"{tensor.meaning}.txt" for tensor in graph.inputs)
    shapes = ",".join(f"[{','.join(map(str, reversed(tensor.shape[1:])))}]" for tensor in graph.inputs)
    return f"ncnn2table {graph.name}.param {graph.name}.bin {lists} {graph.name}.table shape={shapes} method=kl type=1"


def _raw(samples: Sequence[Arrays], graphs: Sequence[CalibrationGraph]) -> Iterator[tuple[str, bytes]]:
    """float32, little-endian, NCHW, a folder a tensor, without headers."""
    yield from _arrays(samples, ".bin", lambda array: array.astype("<f4").tobytes())


def _arrays(samples: Sequence[Arrays], suffix: str, data: Callable[[np.ndarray], bytes]) -> Iterator[tuple[str, bytes]]:
    for number, sample in enumerate(samples):
        for name, array in sample.items():
            yield f"{name}/{number:03}{suffix}", data(array)


def _as_npy(array: np.ndarray) -> bytes:
    buffer = BytesIO()
    np.save(buffer, np.ascontiguousarray(array, "<f4"), allow_pickle=False)
    return buffer.getvalue()


def _text(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


LAYOUTS: Mapping[str, Layout] = {"npy": _npy, "ncnn": _ncnn, "raw": _raw}
