"""What ``torch.save`` wrote: its zip archive looked at before it is read, and read without running code of it."""

import io
import pickle
import re
import types
import warnings
import zipfile
from collections.abc import Sequence
from typing import Any

import torch

from converter.errors import CheckpointError
from converter.network.pickled import PICKLES, has_deep_tuples

ZIP, PICKLE = b"PK\x03\x04", b"\x80"
# torch.save compresses nothing, and weights that were compressed afterwards shrink little
LARGEST_EXPANSION, SPARE_BYTES = 4, 1 << 20
# torch's safe reader calls it with any size that the file says
_ALLOCATES = re.compile(rb"c(?:builtins|__builtin__)\nbytearray\n")

_NUMPY_MODULES = ("numpy.core", "numpy._core")
_NUMPY_FUNCTIONS = {
    "multiarray.scalar": "scalar",
    "multiarray._reconstruct": "ndarray",
    "numeric._frombuffer": "ndarray",
}
_NUMPY_INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
_NUMPY_FLOATS = ["float16", "float32", "float64", "complex64", "complex128"]
_NUMPY_SCALARS = ["bool", "bool_", "str_", "bytes_", *_NUMPY_FLOATS, *_NUMPY_INTEGERS]
_NUMPY_TYPES = ["Bool", "Str", "Bytes", "Object", *(name.capitalize() for name in _NUMPY_FLOATS)]
_NUMPY_TYPES += [name.replace("i", "I", 1).replace("u", "U", 1) for name in _NUMPY_INTEGERS]


class _Absent(dict[object, object]):
    """In place of an object whose class is not used here: it takes any content and keeps none."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    __hash__ = object.__hash__  # type: ignore[assignment]  # it may be a key

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def append(self, value: object) -> None:
        pass

    def extend(self, values: object) -> None:
        pass


def _stand_in(name: str, makes: str = "") -> tuple[type, str]:
    """A class for ``torch.serialization.safe_globals``, in place of what is called so.

    Args:
        makes: what messages call its objects.
    """
    return type(makes or name.rpartition(".")[2], (_Absent,), {}), name


# Figures and settings beside the weights are often numpy's. Nothing of numpy is called: none of them is needed.
_NUMPY = [
    *(_stand_in(f"{module}.{name}", makes) for module in _NUMPY_MODULES for name, makes in _NUMPY_FUNCTIONS.items()),
    *(_stand_in(f"numpy.{name}") for name in ("dtype", "ndarray", *_NUMPY_SCALARS)),
    *(_stand_in(f"numpy.dtypes.{name}DType") for name in _NUMPY_TYPES),
]


class _Unpickler(pickle.Unpickler):
    """Official trainings put objects of their own code beside the weights, settings and statistics."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError):
            return type(name, (_Absent,), {"__module__": module})


_TOLERANT = types.SimpleNamespace(
    __name__="pickle", Unpickler=_Unpickler, load=lambda file, **more: _Unpickler(file, **more).load()
)


def load_torch_file(data: bytes, called: str, allow_pickle: bool) -> Any:
    """What the file holds; values of numpy in it are empty objects, unless ``allow_pickle``.

    Args:
        data: its content.
        called: what to call it in a message.
        allow_pickle: also read files that run code of their own while they load.

    Raises:
        CheckpointError: for a file that is none of torch's, is damaged, or needs ``allow_pickle``.
    """
    pickled = _pickled(data, called) if data.startswith(ZIP) else data
    if not allow_pickle and data.startswith((ZIP, PICKLE)):
        if _ALLOCATES.search(pickled):
            raise CheckpointError(_needs_code(called, "builtins.bytearray"))
        if has_deep_tuples(io.BytesIO(pickled), 1 if data.startswith(ZIP) else PICKLES):
            raise CheckpointError(f"{called}: holds thousands of tuples in each other, expected a state dict")
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_NUMPY):
            warnings.simplefilter("ignore")  # of pickle protocols; what matters becomes an error
            more = {"weights_only": False, "pickle_module": _TOLERANT} if allow_pickle else {"weights_only": True}
            return torch.load(io.BytesIO(data), map_location="cpu", **more)
    except pickle.UnpicklingError as error:
        if allow_pickle or not data.startswith((ZIP, PICKLE)):
            raise CheckpointError(not_a_checkpoint(called, data)) from None
        refused = re.search(r"(?:GLOBAL|class|function) ([\w.]+\.[\w.]*\w)", str(error))
        what = refused[1] if refused else "instructions that torch's safe reader does not know"
        raise CheckpointError(_needs_code(called, what)) from None
    except Exception as error:  # torch raises many types on a damaged file
        if not allow_pickle:
            raise CheckpointError(not_a_checkpoint(called, data)) from None
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise CheckpointError(f"{called}: loading its pickled code failed: {reason}") from None


def _pickled(data: bytes, called: str) -> bytes:
    """What lies beside the numbers; an archive is refused that is damaged, holds a traced network, or would grow much
    when it is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_entries(archive.infolist(), len(data), called)
            return b"".join(archive.read(name) for name in archive.namelist() if name.endswith("data.pkl"))
    except CheckpointError:
        raise
    except Exception:  # zipfile raises many types: names in no encoding, versions it does not know, ...
        raise CheckpointError(not_a_checkpoint(called, data)) from None


def _check_entries(entries: Sequence[zipfile.ZipInfo], size: int, called: str) -> None:
    if any("/code/" in entry.filename for entry in entries):
        raise CheckpointError(
            f"{called}: is a TorchScript file, which holds a traced network; "
            "expected the state dict that training saved with torch.save"
        )
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > LARGEST_EXPANSION * size + SPARE_BYTES:
        raise CheckpointError(
            f"{called}: its zip archive of {size} bytes claims to hold {unpacked}, which weights do not; "
            "expected a file written by torch.save"
        )


def _needs_code(called: str, what: str) -> str:
    return (
        f"{called}: needs pickled code to load ({what}), which may run anything; "
        "if you trust where it comes from, pass --allow-pickle"
    )


def not_a_checkpoint(called: str, data: bytes) -> str:
    """The message about a file that is no checkpoint."""
    if not data:
        state = "is empty"
    elif data[:2] == ZIP[:2]:
        state = "is a damaged zip archive"
    else:
        state = f"begins with {data[:8]!r}"
    return f"{called}: {state}, expected a file written by torch.save"
