"""A network in memory, where no checkpoint is on a disk: a copy of it to work with, and what its weights are."""

import copy
import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from converter.errors import CheckpointError
from converter.network.checkpoint import Checkpoint

WRAPPERS = ("module", "feature_extractor", "_orig_mod")  # of training on several devices, official ones, torch.compile


def copied(network: object) -> tuple[torch.nn.Module, Checkpoint]:
    """A copy in eval mode, float32, on the CPU, and the weights as they are in the network.

    The network is only read: what is done to the copy, and whatever fails, leaves it as it is. Its hooks belong to the
    training and are not copied, nor is a wrapper such as DataParallel.

    Raises:
        CheckpointError: when it is no network, has no weights yet, or cannot be copied.
    """
    if not isinstance(network, torch.nn.Module):
        kind = type(network).__name__
        raise CheckpointError(f"checkpoint: is a {kind}, expected the path of a file or a torch.nn.Module")
    bare = _unwrapped(network)
    empty = [name for name, tensor in (*bare.named_parameters(), *bare.named_buffers()) if tensor.is_meta]
    if empty:
        raise CheckpointError(f"the network in memory: {empty[0]} is on the meta device, expected a tensor with values")
    try:
        module = copy.deepcopy(bare, dict(_copied_otherwise(bare)))
    except (TypeError, RuntimeError, NotImplementedError, copy.Error) as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"the network in memory cannot be copied: {reason}; pass a checkpoint instead") from None
    state: dict[str, torch.Tensor] = module.state_dict()
    module.to("cpu", torch.float32, memory_format=torch.contiguous_format).eval().requires_grad_(False)
    return module, Checkpoint(file=None, sha256=state_sha256(state), epoch=None, state=state)


def state_sha256(state: Mapping[str, Any]) -> str:
    """Of the tensors of a state dict: for every key in their order the key, the dtype ("float32") and the shape
    ("96,3,3,3"), each as text with a zero byte behind it, then the tensor's bytes."""
    digest = hashlib.sha256()
    for key, tensor in sorted(state.items()):
        if isinstance(tensor, torch.Tensor):
            shape = ",".join(map(str, tensor.shape))
            for text in (key, str(tensor.dtype).removeprefix("torch."), shape):
                digest.update(text.encode() + b"\0")
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _unwrapped(network: torch.nn.Module) -> torch.nn.Module:
    children = dict(network.named_children())
    wrapper = next(iter(children)) if len(children) == 1 else None
    return _unwrapped(children[wrapper]) if wrapper in WRAPPERS else network


def _copied_otherwise(network: torch.nn.Module) -> Iterator[tuple[int, object]]:
    """(identity of an object, what stands for it in the copy): no hooks, and on the CPU without their gradient's graph
    the tensors that are neither parameters nor buffers, such as features that the last step left, or coordinates."""
    for module in network.modules():
        for name, value in vars(module).items():
            if isinstance(value, OrderedDict) and "_hooks" in name:
                yield id(value), OrderedDict()
            elif isinstance(value, torch.Tensor):
                yield id(value), value.detach().to("cpu", copy=True)
