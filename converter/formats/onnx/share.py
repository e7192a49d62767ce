"""One file of weights for several ``.onnx`` files: ONNX's external data, each tensor at an offset of its own."""

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import numpy_helper

from converter.errors import ConversionError
from converter.formats.onnx.file import load_model
from converter.util.atomic import write

SMALLEST = 256  # bytes; a smaller tensor stays in its model
ALIGNED = 64  # bytes; as a runtime wants them in memory


def share(folder: Path, stems: Sequence[str], name: str) -> None:
    """Move the weights of models into one file, what several have once.

    Args:
        folder: with the ``.onnx`` files, which are written anew.
        stems: their names without suffix.
        name: of the file to write, beside them.

    Raises:
        ConversionError: when onnx does not take the result.
    """
    data, offsets = bytearray(), dict[bytes, int]()
    for stem in stems:
        path = folder / f"{stem}.onnx"
        model = load_model(path)
        for tensor in model.graph.initializer:
            # integers are shapes, axes and the like, which are looked at before anything runs
            if tensor.data_type != onnx.TensorProto.INT64 and len(raw := _bytes(tensor)) >= SMALLEST:
                if raw not in offsets:
                    data += bytes(-len(data) % ALIGNED)
                    offsets[raw] = len(data)
                    data += raw
                _keep_elsewhere(tensor, name, offsets[raw], len(raw))
        write(path, model.SerializeToString(deterministic=True))
    write(folder / name, bytes(data))
    for stem in stems:
        try:
            onnx.checker.check_model(str(folder / f"{stem}.onnx"), full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, RuntimeError) as error:
            first = str(error).strip().partition("\n")[0]
            raise ConversionError(f"sharing the weights of {stem}: not a valid ONNX model: {first}") from error


def _bytes(tensor: onnx.TensorProto) -> bytes:
    """The numbers as they lie in a file, little-endian."""
    raw: bytes = tensor.raw_data if tensor.HasField("raw_data") else numpy_helper.to_array(tensor).tobytes()
    return raw


def _keep_elsewhere(tensor: onnx.TensorProto, name: str, offset: int, length: int) -> None:
    kept = onnx.TensorProto(
        name=tensor.name, data_type=tensor.data_type, dims=tensor.dims, data_location=onnx.TensorProto.EXTERNAL
    )
    for key, value in (("location", name), ("offset", offset), ("length", length)):
        kept.external_data.add(key=key, value=str(value))
    tensor.CopyFrom(kept)
