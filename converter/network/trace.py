"""From a network and a graph to TorchScript, through the patched forward mode; and what passes inside it."""

# mypy: allow-subclassing-any
# torch is not followed, so TorchFunctionMode is Any

import io
import logging
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode

from converter.errors import ArchitectureError, ConversionError
from converter.network.module_patterns import matching_names
from converter.proof.feeds import Feed
from converter.spec.tensors import GraphSpec
from official_patches.patching import PatchSpec, UnknownNetworkError, patched, patches_of

log = logging.getLogger(__name__)

# A forward mode calls the same modules as the network's own methods, or does the same sums in another order: what
# differs are the last bits. Of the range, and where that is small of 1.
_SAME, _ROUNDING = 1e-6, 1e-6


class Trace(NamedTuple):
    """A traced graph.

    Attributes:
        module: TorchScript that shares the network's weights: (*inputs) -> outputs.
        multiply_adds: of convolutions and matrix products in one run.
    """

    module: torch.jit.ScriptModule
    multiply_adds: int


def trace(network: torch.nn.Module, graph: GraphSpec) -> Trace:
    """Trace one graph; the network is as before afterwards.

    ``torch.jit.trace``'s own check is off: it triples the time, and comparing the converted models with
    the unpatched network is the check that counts. A tracer warning is logged: it says that a value of
    the example may have gone into the graph as a constant.

    Args:
        network: in eval mode.
        graph: its forward mode, and the inputs' shapes.

    Raises:
        ArchitectureError: when the network lacks the parts the mode needs.
        ConversionError: when tracing fails.
    """
    patches = _patches(network, graph, traced=True)
    try:
        with patched(*patches), torch.no_grad(), warnings.catch_warnings(record=True) as caught, _Counter() as counter:
            warnings.simplefilter("always")
            module = torch.jit.trace(network, _examples(graph), check_trace=False)
    except (RuntimeError, TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        first = str(error).strip().partition("\n")[0]
        raise ConversionError(f"tracing {graph.name} failed: {type(error).__name__}: {first}") from error
    for warning in caught:
        if issubclass(warning.category, torch.jit.TracerWarning):
            log.warning("tracing %s: %s", graph.name, str(warning.message).partition("\n")[0])
    return Trace(module, counter.multiply_adds)


def count(network: torch.nn.Module, graph: GraphSpec) -> int:
    """The multiply-adds of a graph that is not traced, as :class:`Trace` has them."""
    with patched(*_patches(network, graph, traced=True)), torch.no_grad(), _Counter() as counter:
        network(*_examples(graph))
    return int(counter.multiply_adds)


def saved(traced: torch.jit.ScriptModule) -> bytes:
    """The TorchScript file; two of the same network are not the same byte for byte."""
    buffer = io.BytesIO()
    torch.jit.save(traced, buffer)
    return buffer.getvalue()


def _patches(network: torch.nn.Module, graph: GraphSpec, traced: bool) -> tuple[PatchSpec, ...]:
    """The graph's forward mode, and what else a trace has in place."""
    patches, activations = patches_of(graph.family), [tensor.activation for tensor in graph.outputs]
    shapes = [tensor.shape for tensor in graph.inputs]
    try:
        mode = patches.forward_mode(network, graph.mode, activations)
        return (mode, *patches.for_trace(network, graph.mode, shapes)) if traced else (mode,)
    except UnknownNetworkError as error:
        raise ArchitectureError(str(error)) from None


def _examples(graph: GraphSpec) -> tuple[torch.Tensor, ...]:
    return tuple(torch.zeros(tensor.shape) for tensor in graph.inputs)


class _Counter(TorchFunctionMode):
    """Counts while it is entered. torch's own FLOP counter gives the same and takes 2 s to import."""

    multiply_adds = 0

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = function(*args, **(kwargs or {}))
        if function in (torch.conv2d, torch.nn.functional.conv2d):
            self.multiply_adds += math.prod(_shape(answer)) * math.prod(_shape(args[1])[1:])
        elif function in (torch.matmul, torch.bmm, torch.Tensor.matmul, torch.Tensor.__matmul__, linear):
            self.multiply_adds += math.prod(_shape(answer)) * _shape(args[0])[-1]
        return answer


def _shape(tensor: torch.Tensor) -> tuple[int, ...]:
    """Looked at without a trace of it: while one is recorded, sizes are tensors of the graph."""
    recorded = torch._C._get_tracing_state()
    torch._C._set_tracing_state(None)
    try:
        return tuple(tensor.shape)
    finally:
        torch._C._set_tracing_state(recorded)


def intermediates(
    network: torch.nn.Module,
    graphs: Sequence[GraphSpec],
    feeds: Sequence[Feed],
    answers: Sequence[Mapping[str, np.ndarray]],
    patterns: Sequence[str],
) -> list[dict[str, dict[str, np.ndarray]]]:
    """What passes inside every graph on every feed, as :func:`converter.folder.golden_writer.write_golden` takes it.

    Args:
        answers: the unpatched network's tensors for each feed; the forward modes have to give the same.

    Returns:
        for each feed: graph name to module name to array.

    Raises:
        ArchitectureError, ConversionError, UsageError: as :func:`run_mode`.
    """
    return [
        {graph.name: run_mode(network, graph, {**answer, **feed.tensors}, patterns, answer) for graph in graphs}
        for feed, answer in zip(feeds, answers, strict=True)
    ]


def run_mode(
    network: torch.nn.Module,
    graph: GraphSpec,
    feed: Mapping[str, np.ndarray],
    patterns: Sequence[str],
    answer: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """What the modules give in one run of a graph's forward mode; the network is as before afterwards.

    A module that gives a tuple or a dict becomes one entry per tensor (``neck.0``, ``feature_fusor.cls``), one
    that runs again gets a number (``name_2``). What is no tensor is left out.

    Args:
        network: in eval mode.
        feed: by meaning, NCHW float32: the graph's inputs, and whatever else.
        patterns: of module names, see :func:`converter.network.module_patterns.matching_names`.
        answer: by meaning: what the unpatched network gives for these inputs.

    Returns:
        module name to array, in the order of the run

    Raises:
        ArchitectureError: when the network lacks the parts the mode needs.
        UsageError: for a pattern that matches no module.
        ConversionError: when the forward mode does not answer as the unpatched network does.
    """
    (mode,) = _patches(network, graph, traced=False)
    modules = dict(network.named_modules())
    before = _hooks(modules.values())
    seen: dict[str, np.ndarray] = {}
    inputs = [torch.from_numpy(np.ascontiguousarray(feed[tensor.meaning])) for tensor in graph.inputs]
    with ExitStack() as hooked, patched(mode), torch.no_grad():
        for name in matching_names(patterns, modules):
            hook = modules[name].register_forward_hook(lambda _, __, output, name=name: _keep(seen, name, output))
            hooked.callback(hook.remove)
        answered = network(*inputs)
    if _hooks(modules.values()) != before or vars(network).get("forward") is mode.replacement:
        raise ConversionError(f"{graph.name}: hooks were left on the network after its inner tensors were taken")
    outputs = answered if isinstance(answered, tuple) else (answered,)
    for tensor, value in zip(graph.outputs, outputs, strict=True):
        _check_same(graph.name, tensor.meaning, value.numpy(), answer[tensor.meaning])
    return seen


def _hooks(modules: Iterable[torch.nn.Module]) -> list[int]:
    return [len(module._forward_hooks) for module in modules]


def _keep(seen: dict[str, np.ndarray], name: str, output: Any) -> None:
    """Copied at once: the official network adds to tensors in place later."""
    if isinstance(output, torch.Tensor):
        number, free = 1, name
        while free in seen:
            number += 1
            free = f"{name}_{number}"
        seen[free] = output.detach().to(torch.float32).numpy().copy()
    elif isinstance(output, Mapping):
        for key, value in output.items():
            _keep(seen, f"{name}.{key}", value)
    elif isinstance(output, list | tuple):
        for index, value in enumerate(output):
            _keep(seen, f"{name}.{index}", value)


def _check_same(graph: str, name: str, answered: np.ndarray, expected: np.ndarray) -> None:
    if answered.shape != expected.shape:
        raise ConversionError(
            f"{graph}: the forward mode gives {name!r} in shape {answered.shape}, the network {expected.shape}"
        )
    off = float(np.max(np.abs(answered.astype(np.float64) - expected)))
    if not off <= _SAME * float(np.ptp(expected)) + _ROUNDING:
        raise ConversionError(
            f"{graph}: the forward mode answers {name!r} otherwise than the unpatched network, by up to {off:.2e}; "
            "inner tensors of it would prove nothing"
        )
