"""Patches as data, one context manager that applies and undoes them, and what a family's folder offers of them."""

import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

ACTIVATIONS: dict[str | None, Callable[[torch.Tensor], torch.Tensor]] = {
    None: lambda output: output,
    "sigmoid": torch.sigmoid,
}
_ABSENT = object()


class UnknownNetworkError(TypeError):
    """The network does not have the parts that a forward mode is written for."""


@dataclass(frozen=True)
class PatchSpec:
    """One attribute to replace for a while.

    Attributes:
        owner: instance, class or module that has the attribute.
        attribute: its name.
        replacement: the value to put there.
        reason: why; for the reader and for error messages.
    """

    owner: Any
    attribute: str
    replacement: Any
    reason: str


@contextmanager
def patched(*specs: PatchSpec) -> Iterator[None]:
    """Apply the patches in order and undo them in reverse, also when one of them or the body fails.

    An attribute that the owner only inherits is deleted again, so nothing stays behind on it.
    """
    with ExitStack() as stack:
        for spec in specs:
            own = _own(spec.owner, spec.attribute)
            setattr(spec.owner, spec.attribute, spec.replacement)
            if own is _ABSENT:
                stack.callback(delattr, spec.owner, spec.attribute)
            else:
                stack.callback(setattr, spec.owner, spec.attribute, own)
        yield


def _own(owner: Any, attribute: str) -> Any:
    """What the owner itself holds: torch keeps submodules in a dict beside the instance's own."""
    for store in (vars(owner), vars(owner).get("_modules", {})):
        if attribute in store:
            return store[attribute]
    return _ABSENT


def answering(
    network: nn.Module, mode: Callable[..., Any], activations: Sequence[str | None], reason: str
) -> PatchSpec:
    """The patch that makes ``network`` answer as ``mode`` when it is called.

    It binds the instance, not the class: other instances and the class keep their own forward.

    Args:
        mode: a function of the network and a graph's inputs.
        activations: of its outputs, in their order; keys of ``ACTIVATIONS``. None of them when empty.
    """
    return PatchSpec(network, "forward", types.MethodType(_activated(mode, activations), network), reason)


def _activated(mode: Callable[..., Any], activations: Sequence[str | None]) -> Callable[..., Any]:
    if not any(activations):
        return mode

    def activated(self: nn.Module, *inputs: torch.Tensor) -> Any:
        outputs = mode(self, *inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        applied = tuple(ACTIVATIONS[name](output) for name, output in zip(activations, outputs, strict=True))
        return applied if len(applied) > 1 else applied[0]

    return activated


def without(network: nn.Module, parts: Sequence[str], mode: str) -> tuple[PatchSpec, ...]:
    """Patches that take the parts that a mode never calls out of its trace, which takes all that is there."""
    return tuple(PatchSpec(network, part, nn.Identity(), f"{mode} does not call it") for part in parts)


class ForwardMode(Protocol):
    def __call__(self, network: nn.Module, mode: str, activations: Sequence[str | None] = ()) -> PatchSpec:
        """The patch that makes a network answer as one of the config's modes.

        Raises:
            UnknownNetworkError: for an unknown mode or a network without the official parts.
        """


class Build(Protocol):
    def __call__(
        self,
        root: Path,
        arch: str,
        *,
        path_name: str,
        template_size: int,
        search_size: int,
        stride: int,
        own: Callable[[], nn.Module],
    ) -> nn.Module:
        """The official network with its initial weights, on the CPU.

        Args:
            root: the checkout.
            own: gives our own network, without weights, for parts that the checkout does not have.

        Raises:
            CheckoutError: when the checkout cannot be imported or the network cannot be built.
            UnknownArchError: when the checkout has no such class.
        """


@dataclass(frozen=True)
class Patches:
    """What a family's folder knows of its official networks.

    Attributes:
        forward_mode: (network, mode, activations) -> the patch that makes it answer as the mode.
        for_trace: (network, mode) -> what else has to be in place while it is traced. Raises UnknownNetworkError.
        build: a network from a checkout.
        own_parts: (path name) -> what of such a network cannot come from a checkout, in words; empty where all does.
    """

    forward_mode: ForwardMode
    for_trace: Callable[[nn.Module, str], tuple[PatchSpec, ...]]
    build: Build
    own_parts: Callable[[str], str]


def patches_of(family: str) -> Patches:
    """Those of ``official_patches/<family>/``."""
    patches: Patches = import_module(f"official_patches.{family}").PATCHES
    return patches
