"""Patches as data, one context manager that applies and undoes them, and what a family's folder offers of them."""

import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

ACTIVATIONS: dict[str | None, Callable[[torch.Tensor], torch.Tensor]] = {
    None: lambda output: output,
    "sigmoid": torch.sigmoid,
    "softmax": lambda output: torch.softmax(output, dim=1),
}
_ABSENT = object()

Shapes = Sequence[tuple[int, ...]]


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


@dataclass(frozen=True)
class Mode:
    """A forward mode.

    Attributes:
        forward: a function of the network and a graph's inputs, which gives the graph's outputs.
        unused: the parts of the network that it never calls.
    """

    forward: Callable[..., Any]
    unused: tuple[str, ...] = ()


@dataclass(frozen=True)
class BuildRequest:
    """A network to build from an official checkout.

    Attributes:
        root: the checkout, the folder that holds its package.
        arch: which of its networks.
        path_name: which network of the family.
        template_size, search_size: edges of the crops, pixels.
        stride: pixels of a crop per cell.
    """

    root: Path
    arch: str
    path_name: str
    template_size: int
    search_size: int
    stride: int


@dataclass(frozen=True)
class Patches:
    """What a family's folder knows of its official networks.

    Attributes:
        modes: the config's name of a mode -> the mode.
        check_parts: of a network: whether it has what the modes call. Raises UnknownNetworkError.
        reason: why the network's own forward is not traced.
        also_for_trace: (network, mode, shapes of the graph's inputs) -> what else has to be in place for a trace.
            Raises UnknownNetworkError.
        build: a network from a checkout, with its initial weights, on the CPU. Raises CheckoutError when the checkout
            cannot be imported or the network cannot be built, UnknownArchError when it has no such class.
        own_parts: (path name) -> parts of such a network that no checkout has, each with what it is called in words.
        module: of a checkout, that a checkout of no other family has.
        repository: owner and name of the one that checkouts are of.
        supernet: likewise as ``build``, the search space that its networks are from, called as they are and answering
            on the request's path; None for a family without.
    """

    modes: Mapping[str, Mode]
    check_parts: Callable[[nn.Module], None]
    reason: str
    also_for_trace: Callable[[nn.Module, str, Shapes], tuple[PatchSpec, ...]]
    build: Callable[[BuildRequest], nn.Module]
    own_parts: Callable[[str], Mapping[str, str]]
    module: str = "lib"
    repository: str = ""
    supernet: Callable[[BuildRequest], nn.Module] | None = None

    def forward_mode(self, network: nn.Module, mode: str, activations: Sequence[str | None] = ()) -> PatchSpec:
        """The patch that makes ``network`` answer as a mode when it is called; for :func:`patched`.

        It binds the instance, not the class: other instances and the class keep their own forward.

        Args:
            activations: of the mode's outputs, in their order; keys of ``ACTIVATIONS``. None of them when empty.

        Raises:
            UnknownNetworkError: for an unknown mode or a network without the official parts.
        """
        if mode not in self.modes:
            raise UnknownNetworkError(f"unknown forward mode {mode!r}, known are {', '.join(self.modes)}")
        self.check_parts(network)
        forward = types.MethodType(_activated(self.modes[mode].forward, activations), network)
        reason = f"trace {type(network).__name__} as {mode}: its own forward {self.reason}"
        return PatchSpec(network, "forward", forward, reason)

    def for_trace(self, network: nn.Module, mode: str, shapes: Shapes = ()) -> tuple[PatchSpec, ...]:
        """What else to put in place while a mode is traced: a trace takes parts along that the mode never calls.

        Args:
            shapes: of the graph's inputs, in their order.

        Raises:
            UnknownNetworkError: for a network that cannot be traced.
        """
        unused = self.modes[mode].unused
        without = [PatchSpec(network, part, nn.Identity(), f"{mode} does not call it") for part in unused]
        return (*without, *self.also_for_trace(network, mode, shapes))


def _activated(mode: Callable[..., Any], activations: Sequence[str | None]) -> Callable[..., Any]:
    if not any(activations):
        return mode

    def activated(self: nn.Module, *inputs: torch.Tensor) -> Any:
        outputs = mode(self, *inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        applied = tuple(ACTIVATIONS[name](output) for name, output in zip(activations, outputs, strict=True))
        return applied if len(applied) > 1 else applied[0]

    return activated


def patches_of(family: str) -> Patches:
    """Those of ``official_patches/<family>/``."""
    patches: Patches = import_module(f"official_patches.{family}").PATCHES
    return patches
