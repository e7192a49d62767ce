"""A state dict from a file: safely (no code is run) and strictly (every key is used and filled)."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from converter.errors import CheckpointError
from converter.families.family import Shapes
from converter.network.safetensors import is_safetensors, read_safetensors
from converter.network.torch_file import load_torch_file
from converter.util.paths import read_bytes

# where official trainings keep the weights: LightTrack's and STARK's
PLACES = ("state_dict", "net")
PREFIXES = ("module.", "feature_extractor.")
NAMED = 3
LARGEST_FILE = 4 << 30  # bytes
LARGEST_EPOCH = 1 << 53  # what every reader of JSON takes
# widened or narrowed to the network's own without a change of meaning
FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


@dataclass(frozen=True)
class Checkpoint:
    """What a file held.

    Attributes:
        file: its name, without folders; None for a network in memory.
        sha256: of the file's bytes, or of the state dict of a network in memory; see :mod:`converter.network.memory`.
        epoch: as recorded in it, or None.
        state: state dict without wrapper prefixes.
        subnet_of: the supernet that it was taken out of; None for a file of one network.
    """

    file: str | None
    sha256: str
    epoch: int | None
    state: dict[str, torch.Tensor]
    subnet_of: str | None = None

    @property
    def called(self) -> str:
        return "the network in memory" if self.file is None else f"checkpoint {self.file}"


def read_checkpoint(path: Path, allow_pickle: bool = False) -> Checkpoint:
    """Read a bare state dict or one under ``state_dict`` or ``net``; anything beside it (optimizer, ...) is ignored.

    Args:
        path: a file of ``torch.save``, or a ``.safetensors`` file.
        allow_pickle: also read files that run code of their own while they load.

    Raises:
        CheckpointError: for a file that is missing, is no checkpoint, or needs ``allow_pickle``.
    """
    try:
        data = read_bytes(path, LARGEST_FILE)
    except OSError as error:
        raise CheckpointError(f"checkpoint {path}: {error.strerror}") from None
    loaded = state = _load(path, data, allow_pickle)
    if isinstance(loaded, Mapping):
        loaded = state = _plain(loaded)
        state = next((loaded[place] for place in PLACES if place in loaded), loaded)
    if not isinstance(state, Mapping):
        raise CheckpointError(f"checkpoint {path}: holds {type(state).__name__}, expected a state dict")
    state = _plain(state)
    if not any(isinstance(value, torch.Tensor) for value in state.values()):
        keys = ", ".join(str(key)[:60] for key in list(state)[:5] if isinstance(key, str)) or "nothing"
        raise CheckpointError(
            f"checkpoint {path}: no tensors among its top-level keys ({keys}), "
            "expected a state dict, bare or under 'state_dict' or 'net'"
        )
    epoch = loaded.get("epoch") if isinstance(loaded, dict) and any(place in loaded for place in PLACES) else None
    return Checkpoint(
        file=path.name,
        sha256=hashlib.sha256(data).hexdigest(),
        epoch=epoch if type(epoch) is int and abs(epoch) < LARGEST_EPOCH else None,
        state=_without_prefixes(path, state),
    )


def _load(path: Path, data: bytes, allow_pickle: bool) -> Any:
    called = f"checkpoint {path}"
    if is_safetensors(path, data):
        return read_safetensors(data, called)
    return load_torch_file(data, called, allow_pickle)


def _plain(loaded: Mapping[object, object]) -> dict[object, object]:
    """The items themselves: what a file says may stand in the way of a mapping's own methods."""
    return dict(dict.items(loaded) if isinstance(loaded, dict) else loaded.items())


def _without_prefixes(path: Path, state: Mapping[object, object]) -> dict[str, Any]:
    """Names without prefixes to tensors without what a file can put on one besides its numbers."""
    stripped: dict[str, Any] = {}
    for key, value in state.items():
        if not isinstance(key, str):
            raise CheckpointError(
                f"checkpoint {path}: a key is of type {type(key).__name__}, expected names of tensors"
            )
        name = key
        while name.startswith(PREFIXES):
            name = name.partition(".")[2]
        if name in stripped:
            raise CheckpointError(f"checkpoint {path}: key {name!r} is there twice, with and without a prefix")
        stripped[name] = torch.Tensor.detach(value) if isinstance(value, torch.Tensor) else value
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
        return self._named(NAMED)

    def in_brief(self) -> str:
        """With the first key of each kind only."""
        return self._named(1)

    def _named(self, number: int) -> str:
        shapes = [f"{key}: {found} in the file, {wanted} in the network" for key, found, wanted in self.misshaped]
        values = [f"{key}: {what}" for key, what in self.unusable]
        parts = (
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("mis-shaped", shapes),
            ("unusable", values),
        )
        return ", ".join(f"{len(keys)} {what} ({_first(keys, number)})" for what, keys in parts if keys)


def _first(keys: Sequence[str], number: int) -> str:
    return ", ".join(keys[:number]) + (", ..." if len(keys) > number else "")


def compare_keys(state: Mapping[str, object], network: Mapping[str, torch.Tensor]) -> KeyReport:
    """Every key of both sides, with shapes and values that can be used: floats where floats belong, all finite."""
    shared = [key for key in network if key in state]
    unusable, misshaped = [], []
    for key in shared:
        value, wanted = state[key], network[key]
        if not isinstance(value, torch.Tensor):
            unusable.append((key, f"a {type(value).__name__}, expected a tensor"))
        elif reason := _unlike(value, wanted):
            unusable.append((key, reason))
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


def _unlike(value: torch.Tensor, wanted: torch.Tensor) -> str | None:
    """Why a tensor cannot stand in place of another, whatever its numbers and its shape."""
    if value.is_nested:
        return "a nested tensor, expected a dense one"
    if value.is_quantized or value.layout != torch.strided:
        kind = "quantized" if value.is_quantized else str(value.layout)
        return f"a {kind} tensor, expected a dense one".replace("torch.", "")
    if value.is_meta:
        return "a tensor without numbers (of the meta device)"
    if value.dtype not in (FLOATS if wanted.is_floating_point() else INTEGERS):
        return f"{value.dtype}, expected {wanted.dtype}".replace("torch.", "")
    return None


def check_keys(network: Mapping[str, torch.Tensor], checkpoint: Checkpoint, what: str, hint: Callable[[], str]) -> None:
    """Whether a checkpoint has every key of a network and no other; arguments and errors as :func:`load_strictly`.

    Args:
        network: its state dict.
    """
    report = compare_keys(checkpoint.state, network)
    if not report:
        advice = hint()
        found = report.in_brief() if advice else report
        raise CheckpointError(f"{checkpoint.called} does not fit {what}: {found}{advice}")


def load_strictly(network: torch.nn.Module, checkpoint: Checkpoint, what: str, hint: Callable[[], str]) -> None:
    """Put a checkpoint's weights into a network, all of them or none.

    Args:
        network: its parameters may be on the meta device; they are replaced, as float32.
        what: the network in words, for the message.
        hint: what to add to the message: the options that name a network which they fit.

    Raises:
        CheckpointError: naming the first keys that do not fit and, when there are any, the options that do.
    """
    own = network.state_dict()
    check_keys(own, checkpoint, what, hint)
    state = {key: checkpoint.state[key].detach().to(own[key].dtype).contiguous() for key in own}
    network.load_state_dict(state, strict=True, assign=True)
    network.eval().requires_grad_(False)


def unused_names(state: Iterable[str], used: Collection[str]) -> tuple[str, ...]:
    """The keys that are not used, in brief: ``neck`` for all that begin so; where others that begin so are used,
    ``backbone.*.counter`` for all that end so, too.

    Args:
        state: keys of a state dict.
        used: those of them that are used.
    """
    shared = {key.partition(".")[0] for key in used}

    def brief(key: str) -> str:
        first, _, rest = key.partition(".")
        if first not in shared:
            return first
        return f"{first}.*.{rest.rpartition('.')[2]}" if "." in rest else key

    return tuple(sorted({brief(key) for key in state if key not in used}))


def shapes_of(state: Mapping[str, object]) -> Shapes:
    """Of the tensors that have a shape; nested ones have none."""
    tensors = {key: value for key, value in state.items() if isinstance(value, torch.Tensor)}
    return {key: tuple(value.shape) for key, value in tensors.items() if not value.is_nested}
