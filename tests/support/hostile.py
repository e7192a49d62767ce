"""Files that somebody made to see what happens, and files of other writers."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch

SAFETENSORS_NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}


def safetensors(state: Mapping[str, torch.Tensor], **changes: object) -> bytes:
    """A state dict as a ``.safetensors`` file.

    Args:
        changes: of the header's entries.
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    parts, end = [], 0
    for name, value in state.items():
        data = value.contiguous().view(-1).view(torch.uint8).numpy().tobytes() if value.numel() else b""
        shape = list(value.shape)
        header[name] = {"dtype": SAFETENSORS_NAMES[value.dtype], "shape": shape, "data_offsets": [end, end + len(data)]}
        parts.append(data)
        end += len(data)
    return framed(json.dumps({**header, **changes}).encode(), b"".join(parts))


def framed(header: bytes, data: bytes = b"") -> bytes:
    """A header of any bytes in a ``.safetensors`` file."""
    return len(header).to_bytes(8, "little") + header + data


def with_other_names(archive: bytes, folder: str) -> bytes:
    """A checkpoint whose entries have names that are no UTF-8, and say that they are."""
    return archive.replace(f"{folder}/".encode(), b"\xff\xfe" + b"d" * (len(folder) - 2) + b"/")


def of_version(archive: bytes, version: int) -> bytes:
    """A checkpoint whose entries ask for a later version of zip."""
    data, place = bytearray(archive), archive.find(b"PK\x01\x02")
    while place >= 0:
        data[place + 6] = version
        place = archive.find(b"PK\x01\x02", place + 1)
    return bytes(data)


def bomb(archive: bytes, size: int = 300_000_000) -> bytes:
    """A checkpoint, compressed, and with so many zeros beside the weights."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as good,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as writer,
    ):
        for name in good.namelist():
            writer.writestr(name, good.read(name))
        with writer.open(f"{good.namelist()[0].partition('/')[0]}/data/999999", "w") as zeros:
            for _ in range(size // 10**7):
                zeros.write(bytes(10**7))
    return file.getvalue()


def pickled(path: Path, instructions: bytes) -> None:
    """A checkpoint of these instructions."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", instructions)
        archive.writestr("archive/version", b"3\n")
        archive.writestr("archive/byteorder", b"little")
