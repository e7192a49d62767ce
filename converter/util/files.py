"""Files of a conversion: written or failed, and their checksums."""

import hashlib
from pathlib import Path

from converter.errors import ConversionError


def write(path: Path, data: bytes) -> None:
    """Write a whole file; a full disk is a failed conversion.

    Raises:
        ConversionError: naming the file and the reason.
    """
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConversionError(f"cannot write {path}: {error.strerror}; free some space or set TMPDIR") from None


def make_folder(path: Path) -> Path:
    """A folder with its parents; one that is there already is taken.

    Raises:
        ConversionError: naming the folder and the reason.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConversionError(f"cannot make {path}: {error.strerror}; free some space or set TMPDIR") from None
    return path


def sha256(path: Path) -> str:
    """Hexadecimal digest of a file."""
    with path.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()
