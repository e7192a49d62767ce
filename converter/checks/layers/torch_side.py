"""The network's own operations, recorded in one run: kind, inputs, result, module, and how to do it again."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

from converter.checks.layers import kinds
from converter.checks.layers.graphs import Compute, Operation, Recording
from converter.checks.layers.kinds import Primitive, Window
from converter.errors import ArchitectureError
from converter.spec.tensors import GraphSpec
from official_patches.patching import UnknownNetworkError, patched, patches_of

_ARITHMETIC = {"add", "sub", "rsub", "mul", "div", "pow"}


def record(network: torch.nn.Module, graph: GraphSpec, feed: Mapping[str, np.ndarray]) -> Recording:
    """Run the network once in the graph's forward mode.

    Args:
        network: in eval mode; as before afterwards.
        graph: its forward mode, and the order of its inputs.
        feed: an array for the meaning of every input.

    Raises:
        ArchitectureError: when the network lacks the parts the mode needs.
    """
    try:
        activations = [tensor.activation for tensor in graph.outputs]
        mode = patches_of(graph.family).forward_mode(network, graph.mode, activations)
    except UnknownNetworkError as error:
        raise ArchitectureError(str(error)) from None
    recorder = _Recorder()
    inputs = [torch.from_numpy(np.array(feed[tensor.meaning])) for tensor in graph.inputs]
    for tensor, value in zip(graph.inputs, inputs, strict=True):
        recorder.add(Primitive("input"), [], value, tensor.meaning, None)
    with patched(mode), torch.no_grad(), ExitStack() as hooks:
        for name, module in network.named_modules():
            hooks.callback(module.register_forward_pre_hook(partial(recorder.enter, name)).remove)
            hooks.callback(module.register_forward_hook(recorder.leave).remove)
        with recorder:
            answer = network(*inputs)
    outputs = answer if isinstance(answer, (tuple, list)) else (answer,)
    return Recording(tuple(recorder.operations), tuple(recorder.writers[id(tensor)] for tensor in outputs))


class _Recorder(TorchDispatchMode):  # type: ignore[misc]  # mypy skips torch
    """Operations while it is entered; ``writers`` maps a live tensor to the operation that last wrote it."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []
        self.writers: dict[int, int] = {}
        self.alive: list[torch.Tensor] = []
        self.modules = [""]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # torch would import its whole compiler for it, which takes seconds

    def enter(self, name: str, module: torch.nn.Module, inputs: Any) -> None:
        self.modules.append(name)

    def leave(self, module: torch.nn.Module, inputs: Any, output: Any) -> None:
        self.modules.pop()

    def add(
        self, primitive: Primitive, inputs: Sequence[int], value: torch.Tensor, name: str, compute: Compute | None
    ) -> int:
        index = len(self.operations)
        array = value.detach().to(torch.float32).numpy().copy()
        self.operations.append(Operation(index, primitive, tuple(inputs), array, self.modules[-1], name, compute))
        self._wrote(value, index)
        return index

    def _wrote(self, value: torch.Tensor, index: int) -> None:
        self.writers[id(value)] = index
        self.alive.append(value)  # so that no later tensor gets its id

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        leaves, form = _pytree.tree_flatten((args, kwargs or {}))
        places = [place for place, leaf in enumerate(leaves) if id(leaf) in self.writers]
        inputs = [self.writers[id(leaves[place])] for place in places]
        answer = func(*args, **(kwargs or {}))
        value = _first(answer)
        if inputs and isinstance(value, torch.Tensor) and value.is_floating_point():
            name = func.overloadpacket.__name__
            name = name if name.startswith("_") else name.removesuffix("_")
            if kinds.steps_of(name) == (kinds.RESHAPE,) and value.shape == leaves[places[0]].shape:
                self._wrote(value, inputs[0])  # the same tensor under another address
            elif name in _COMPOSED:
                self._add_steps(_COMPOSED[name], inputs[0], value, name)
            else:
                compute = _again(func, leaves, form, places)
                self.add(_primitive(name, args, len(inputs), value), inputs, value, name, compute)
        return answer

    def _add_steps(self, steps: "tuple[_Step, ...]", start: int, value: torch.Tensor, name: str) -> None:
        reached = [start]
        for number, (kind, reads, function) in enumerate(steps, 1):
            inputs, compute = [reached[read] for read in reads], _on_arrays(function)
            result = value
            if number < len(steps):
                result = torch.from_numpy(compute([self.operations[index].value for index in inputs]))
            reached.append(self.add(Primitive(kind), inputs, result, name, compute))


def _first(answer: Any) -> Any:
    return answer[0] if isinstance(answer, (tuple, list)) and answer else answer


def _on_arrays(function: Callable[[list[torch.Tensor]], torch.Tensor]) -> Compute:
    """A function of tensors as one of arrays, which it leaves as they are."""

    def compute(inputs: Sequence[np.ndarray]) -> np.ndarray:
        with torch.no_grad():
            result: np.ndarray = function([torch.from_numpy(np.array(value)) for value in inputs]).numpy()
        return result

    return compute


def _again(func: Any, leaves: list[Any], form: Any, places: list[int]) -> Compute:
    """The operation as a function of its recorded inputs; what else it took is a constant of it."""
    constants = [None if place in places else leaf for place, leaf in enumerate(leaves)]

    def function(inputs: list[torch.Tensor]) -> torch.Tensor:
        filled = [
            leaf.to(inputs[0].dtype) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() else leaf
            for leaf in constants
        ]
        for place, value in zip(places, inputs, strict=True):
            filled[place] = value
        args, kwargs = _pytree.tree_unflatten(filled, form)
        return _first(func(*args, **kwargs))

    return _on_arrays(function)


_Step = tuple[str, tuple[int, ...], Callable[[list[torch.Tensor]], torch.Tensor]]
# Operations that others write as several: (kind, which results it reads with 0 for the input, how).
_HARD_SIGMOID: tuple[_Step, ...] = (
    (kinds.SHIFT, (0,), lambda x: x[0] + 3),
    (kinds.CLIP, (1,), lambda x: x[0].clamp(0, 6)),
    (kinds.SCALE, (2,), lambda x: x[0] / 6),
)
_COMPOSED: dict[str, tuple[_Step, ...]] = {
    "silu": (
        (kinds.SIGMOID, (0,), lambda x: x[0].sigmoid()),
        (kinds.MULTIPLY, (0, 1), lambda x: x[0] * x[1]),
    ),
    "hardsigmoid": _HARD_SIGMOID,
    "hardswish": (*_HARD_SIGMOID, (kinds.MULTIPLY, (0, 3), lambda x: x[0] * x[1])),
}


def _primitive(name: str, args: tuple[Any, ...], operands: int, value: torch.Tensor) -> Primitive:
    if name in ("convolution", "conv2d", "_convolution"):
        return Primitive(kinds.CONVOLUTION, _window(args)) if operands == 1 else Primitive(kinds.MATMUL)
    (kind, *_) = kinds.steps_of(name)
    if operands == 1 and (name in ("addmm", "linear") or kind == kinds.MATMUL):
        return Primitive(kinds.CONVOLUTION, Window(value.shape[-1], None))
    if name in ("mean", "adaptive_avg_pool2d", "_adaptive_avg_pool2d"):
        return Primitive(kinds.POOL if value.shape[2:].numel() == 1 else kinds.OTHER_POOL)
    return Primitive(kinds.arithmetic(name, operands) if name in _ARITHMETIC else kind)


def _window(args: tuple[Any, ...]) -> Window:
    weight, stride, padding, dilation, groups = args[1], args[3], args[4], args[5], args[8]
    outputs, inputs, height, width = weight.shape
    return Window(outputs, inputs, groups, (height, width), tuple(stride), tuple(dilation), (*padding, *padding))
