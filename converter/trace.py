"""From a network and a graph to TorchScript, through the patched forward mode."""

import io
import logging
import warnings

import torch
from torch.overrides import TorchFunctionMode

from converter.errors import ArchitectureError, ConversionError
from converter.spec import GraphSpec
from official_patches.folding import folded_norms
from official_patches.modes import UnknownNetworkError, forward_mode, without_unused
from official_patches.patching import patched

log = logging.getLogger(__name__)


def trace(network: torch.nn.Module, graph: GraphSpec) -> torch.jit.ScriptModule:
    """Trace one graph; the network is as before afterwards.

    ``torch.jit.trace``'s own check is off: it triples the time, and comparing the converted models with
    the unpatched network is the check that counts. A tracer warning is logged: it says that a value of
    the example may have gone into the graph as a constant.

    Args:
        network: in eval mode.
        graph: its forward mode, and the inputs' shapes.

    Returns:
        TorchScript that shares the network's weights: (*inputs) -> outputs.

    Raises:
        ArchitectureError: when the network lacks the parts the mode needs.
        ConversionError: when tracing fails.
    """
    try:
        mode = forward_mode(network, graph.mode)
    except UnknownNetworkError as error:
        raise ArchitectureError(str(error)) from None
    examples = tuple(torch.zeros(tensor.shape) for tensor in graph.inputs)
    try:
        with (
            patched(mode, *folded_norms(network, graph.mode), *without_unused(network, graph.mode)),
            torch.no_grad(),
            warnings.catch_warnings(record=True) as caught,
        ):
            warnings.simplefilter("always")
            traced = torch.jit.trace(network, examples, check_trace=False)
    except (RuntimeError, TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        first = str(error).strip().partition("\n")[0]
        raise ConversionError(f"tracing {graph.name} failed: {type(error).__name__}: {first}") from error
    for warning in caught:
        if issubclass(warning.category, torch.jit.TracerWarning):
            log.warning("tracing %s: %s", graph.name, str(warning.message).partition("\n")[0])
    return traced


def saved(traced: torch.jit.ScriptModule) -> bytes:
    """The TorchScript file; two of the same network are not the same byte for byte."""
    buffer = io.BytesIO()
    torch.jit.save(traced, buffer)
    return buffer.getvalue()


class _MultiplyAdds(TorchFunctionMode):
    """Counts while it is entered. torch's own FLOP counter gives the same and takes 2 s to import."""

    total = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        answer = function(*args, **(kwargs or {}))
        if function in (torch.conv2d, torch.nn.functional.conv2d):
            self.total += answer.numel() * args[1][0].numel()
        elif function in (torch.matmul, torch.bmm, torch.Tensor.matmul, torch.Tensor.__matmul__):
            self.total += answer.numel() * args[0].shape[-1]
        return answer


def multiply_adds(network: torch.nn.Module, graph: GraphSpec) -> int:
    """Multiply-adds of convolutions and matrix products in one run of a graph."""
    examples = tuple(torch.zeros(tensor.shape) for tensor in graph.inputs)
    with patched(forward_mode(network, graph.mode)), torch.no_grad(), _MultiplyAdds() as counter:
        network(*examples)
    return counter.total
