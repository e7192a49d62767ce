"""A state dict from a file: safely (no code is run) and strictly (every key is used and filled)."""

import hashlib
import io
import pickle
import re
import types
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from converter.errors import CheckpointError
from converter.families.family import Shapes
from converter.util.paths import read_bytes

# where official trainings keep the weights: LightTrack's and STARK's
PLACES = ("state_dict", "net")
PREFIXES = ("module.", "feature_extractor.")
NAMED = 3


@dataclass(frozen=True)
class Checkpoint:
    """What a file held.

    Attributes:
        file: its name, without folders; None for a network in memory.
        sha256: of the file's bytes, or of the state dict of a network in memory; see :mod:`converter.network.memory`.
        epoch: as recorded in it, or None.
        state: state dict without wrapper prefixes.
    """

    file: str | None
    sha256: str
    epoch: int | None
    state: dict[str, torch.Tensor]

    @property
    def called(self) -> str:
        return "the network in memory" if self.file is None else f"checkpoint {self.file}"


def read_checkpoint(path: Path, allow_pickle: bool = False) -> Checkpoint:
    """Read a bare state dict or one under ``state_dict`` or ``net``; anything beside it (optimizer, ...) is ignored.

    Args:
        allow_pickle: also read files that run code of their own while they load.

    Raises:
        CheckpointError: for a file that is missing, is no checkpoint, or needs ``allow_pickle``.
    """
    try:
        data = read_bytes(path)
    except OSError as error:
        raise CheckpointError(f"checkpoint {path}: {error.strerror}") from None
    loaded = _load(path, data, allow_pickle)
    state = loaded
    if isinstance(loaded, Mapping):
        state = next((loaded[place] for place in PLACES if place in loaded), loaded)
    if not isinstance(state, Mapping):
        raise CheckpointError(f"checkpoint {path}: holds {type(state).__name__}, expected a state dict")
    if not any(isinstance(value, torch.Tensor) for value in state.values()):
        keys = ", ".join(map(str, list(state)[:5])) or "nothing"
        raise CheckpointError(
            f"checkpoint {path}: no tensors among its top-level keys ({keys}), "
            "expected a state dict, bare or under 'state_dict' or 'net'"
        )
    epoch = loaded.get("epoch") if state is not loaded else None
    return Checkpoint(
        file=path.name,
        sha256=hashlib.sha256(data).hexdigest(),
        epoch=epoch if isinstance(epoch, int) else None,
        state=_without_prefixes(path, state),
    )


class _Absent(dict[object, object]):
    """In place of an object whose class cannot be imported here: it takes any content and keeps none."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def append(self, value: object) -> None:
        pass

    def extend(self, values: object) -> None:
        pass


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


def _load(path: Path, data: bytes, allow_pickle: bool) -> Any:
    if _is_torchscript(data):
        raise CheckpointError(
            f"checkpoint {path}: is a TorchScript file, which holds a traced network; "
            "expected the state dict that training saved with torch.save"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols; what matters becomes an error
            more = {"weights_only": False, "pickle_module": _TOLERANT} if allow_pickle else {"weights_only": True}
            return torch.load(io.BytesIO(data), map_location="cpu", **more)
    except pickle.UnpicklingError as error:
        if allow_pickle or not data.startswith((b"PK", b"\x80")):
            raise CheckpointError(_not_a_checkpoint(path, data)) from None
        refused = re.search(r"(?:GLOBAL|class|function) ([\w.]+\.[\w.]*\w)", str(error))
        what = refused[1] if refused else "instructions that torch's safe reader does not know"
        raise CheckpointError(
            f"checkpoint {path}: needs pickled code to load ({what}), which may run anything; "
            "if you trust where it comes from, pass --allow-pickle"
        ) from None
    except Exception as error:  # torch raises many types on a damaged file
        if not allow_pickle:
            raise CheckpointError(_not_a_checkpoint(path, data)) from None
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise CheckpointError(f"checkpoint {path}: loading its pickled code failed: {reason}") from None


def _is_torchscript(data: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any("/code/" in name for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def _not_a_checkpoint(path: Path, data: bytes) -> str:
    if not data:
        state = "is empty"
    elif data[:2] == b"PK":
        state = "is a damaged zip archive"
    else:
        state = f"begins with {data[:8]!r}"
    return f"checkpoint {path}: {state}, expected a file written by torch.save"


def _without_prefixes(path: Path, state: Mapping[object, Any]) -> dict[str, Any]:
    stripped: dict[str, Any] = {}
    for key, value in state.items():
        name = str(key)
        while name.startswith(PREFIXES):
            name = name.partition(".")[2]
        if name in stripped:
            raise CheckpointError(f"checkpoint {path}: key {name!r} is there twice, with and without a prefix")
        stripped[name] = value
    return stripped


@dataclass(frozen=True)
class KeyReport:
    """How the keys of a checkpoint and of a network differ; true when they do not.

    Attributes:
        missing: keys of the network that the checkpoint lacks.
        unexpected: keys of the checkpoint that the network lacks.
        misshaped: key, shape in the checkpoint, shape in the network.
        unusable: key and what is wrong with its value.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshaped: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    unusable: tuple[tuple[str, str], ...]

    def __bool__(self) -> bool:
        return not (self.missing or self.unexpected or self.misshaped or self.unusable)

    def __str__(self) -> str:
        shapes = [f"{key}: {found} in the file, {wanted} in the network" for key, found, wanted in self.misshaped]
        values = [f"{key}: {what}" for key, what in self.unusable]
        parts = (
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("mis-shaped", shapes),
            ("unusable", values),
        )
        return ", ".join(f"{len(keys)} {what} ({_first(keys)})" for what, keys in parts if keys)


def _first(keys: Sequence[str]) -> str:
    return ", ".join(keys[:NAMED]) + (", ..." if len(keys) > NAMED else "")


def compare_keys(state: Mapping[str, object], network: Mapping[str, torch.Tensor]) -> KeyReport:
    """Every key of both sides, with shapes and values that can be used: floats where floats belong, all finite."""
    shared = [key for key in network if key in state]
    unusable, misshaped = [], []
    for key in shared:
        value, wanted = state[key], network[key]
        if not isinstance(value, torch.Tensor):
            unusable.append((key, f"a {type(value).__name__}, expected a tensor"))
        elif value.is_floating_point() != wanted.is_floating_point():
            unusable.append((key, f"{value.dtype}, expected {wanted.dtype}".replace("torch.", "")))
        elif value.shape != wanted.shape:
            misshaped.append((key, tuple(value.shape), tuple(wanted.shape)))
        elif not torch.isfinite(value).all():
            unusable.append((key, "holds NaN or infinity"))
        elif key.endswith("running_var") and (value < 0).any():
            unusable.append((key, "holds a negative variance"))
    return KeyReport(
        missing=tuple(key for key in network if key not in state),
        unexpected=tuple(key for key in state if key not in network),
        misshaped=tuple(misshaped),
        unusable=tuple(unusable),
    )


def check_keys(
    network: Mapping[str, torch.Tensor], checkpoint: Checkpoint, what: str, hint: Callable[[Shapes], str]
) -> None:
    """Whether a checkpoint has every key of a network and no other; arguments and errors as :func:`load_strictly`.

    Args:
        network: its state dict.
    """
    report = compare_keys(checkpoint.state, network)
    if not report:
        advice = hint(shapes_of(checkpoint.state))
        raise CheckpointError(f"{checkpoint.called} does not fit {what}: {report}{advice}")


def load_strictly(network: torch.nn.Module, checkpoint: Checkpoint, what: str, hint: Callable[[Shapes], str]) -> None:
    """Put a checkpoint's weights into a network, all of them or none.

    Args:
        network: its parameters may be on the meta device; they are replaced, as float32.
        what: the network in words, for the message.
        hint: {key: shape} -> what to add to the message: the options that name a network which they fit.

    Raises:
        CheckpointError: naming the first keys that do not fit and, when there are any, the options that do.
    """
    own = network.state_dict()
    check_keys(own, checkpoint, what, hint)
    state = {key: checkpoint.state[key].detach().to(own[key].dtype).contiguous() for key in own}
    network.load_state_dict(state, strict=True, assign=True)
    network.eval().requires_grad_(False)


def shapes_of(state: Mapping[str, object]) -> Shapes:
    return {key: tuple(value.shape) for key, value in state.items() if isinstance(value, torch.Tensor)}
