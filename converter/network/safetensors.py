"""``.safetensors``: the length of a JSON header in eight bytes, the header, and the tensors' bytes behind it.

The header gives every tensor a dtype, a shape and where its bytes begin and end, counted from the header's end;
``__metadata__`` has texts. Tensors lie one behind the other and fill the file. Numbers are little-endian.
"""

import math
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field, ValidationError

from converter.errors import CheckpointError
from converter.spec.tensors import Frozen
from converter.util.json_text import read_json

SUFFIX = ".safetensors"
LENGTH_BYTES = 8
METADATA = "__metadata__"
LONGEST_HEADER = 100_000_000  # as in the format's own readers
MOST_DIMENSIONS = 8

Length = Annotated[int, Field(ge=0, lt=2**40)]

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


class _Entry(Frozen):
    """What the header says of a tensor."""

    dtype: str
    shape: Annotated[list[Length], Field(max_length=MOST_DIMENSIONS)]
    data_offsets: Annotated[list[Length], Field(min_length=2, max_length=2)]


def is_safetensors(path: Path, data: bytes) -> bool:
    """By its name, or by how it begins."""
    return path.suffix.lower() == SUFFIX or data[LENGTH_BYTES : LENGTH_BYTES + 2] == b'{"'


def read_safetensors(data: bytes, called: str) -> dict[str, torch.Tensor]:
    """The tensors of a file, in the order of its header.

    Args:
        data: its content.
        called: what to call it in a message.

    Raises:
        CheckpointError: for a file that is damaged, or has a dtype that no weights here have.
    """
    length = int.from_bytes(data[:LENGTH_BYTES], "little")
    begin = LENGTH_BYTES + length
    if len(data) < LENGTH_BYTES or begin > len(data) or length > LONGEST_HEADER:
        raise _damaged(called, f"its header has {length} bytes, the file {len(data)}")
    try:
        header = read_json(data[LENGTH_BYTES:begin])
    except ValueError as error:
        raise _damaged(called, f"its header is no JSON: {error}") from None
    if not isinstance(header, dict):
        raise _damaged(called, f"its header is a {type(header).__name__}")
    entries = {name: _entry(name, value, called) for name, value in header.items() if name != METADATA}
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        if entry.data_offsets[0] != end:
            raise _damaged(called, f"{name!r} begins at byte {entry.data_offsets[0]}, expected {end}")
        end = entry.data_offsets[1]
    if begin + end != len(data):
        raise _damaged(called, f"its tensors take {end} bytes, {len(data) - begin} follow the header")
    return {name: _tensor(data, begin, entry) for name, entry in entries.items()}


def _entry(name: str, value: object, called: str) -> _Entry:
    try:
        entry = _Entry.model_validate(value)
    except ValidationError as problem:
        error = problem.errors()[0]
        where = ".".join(map(str, (name, *error["loc"])))
        raise _damaged(called, f"{where}: {error['msg'][0].lower()}{error['msg'][1:]}") from None
    if entry.dtype not in DTYPES:
        raise CheckpointError(f"{called}: {name!r} is {entry.dtype!r}, expected one of {', '.join(DTYPES)}")
    begin, end = entry.data_offsets
    count = math.prod(entry.shape)
    if end - begin != count * DTYPES[entry.dtype].itemsize:
        raise _damaged(called, f"{name!r} has {end - begin} bytes for {entry.dtype} of shape {entry.shape}")
    return entry


def _tensor(data: bytes, begin: int, entry: _Entry) -> torch.Tensor:
    first, last = (begin + offset for offset in entry.data_offsets)
    dtype = DTYPES[entry.dtype]
    if first == last:
        return torch.empty(0, dtype=dtype)  # whatever its other sides: no network has one
    return torch.frombuffer(bytearray(data[first:last]), dtype=dtype).reshape(entry.shape)


def _damaged(called: str, what: str) -> CheckpointError:
    return CheckpointError(f"{called}: is a damaged {SUFFIX} file: {what}")
