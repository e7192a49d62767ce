"""The network's own operations, recorded in one run: kind, inputs, result, module, and how to do it again."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack

import numpy as np
import torch
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

from converter.checks.layers import kinds
from converter.checks.layers.graphs import Operation, Recording
from converter.checks.layers.kinds import Primitive, Window
from converter.errors import ArchitectureError
from converter.spec.network import GraphSpec
from official_patches.patching import UnknownNetworkError, patched, patches_of

_NORMS = {"native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "batch_norm"}
_MATMULS = {"bmm", "mm", "matmul"}
_CLIPS = {"hardtanh", "clamp", "relu6", "clamp_min", "clamp_max"}
_PERMUTES = {"transpose", "permute", "t", "numpy_T", "swapaxes"}
_LAYOUT = {
    *("view", "_unsafe_view", "reshape", "_reshape_alias", "flatten", "squeeze", "unsqueeze"),
    *("expand", "clone", "contiguous", "alias", "detach", "_to_copy", "lift_fresh"),
}
_ACTIVATIONS = {"tanh", "gelu", "leaky_relu", "elu", "mish", "softplus", "exp", "sqrt", "abs", "neg", "_softmax"}
_BINARIES = {"add": kinds.ADD, "mul": kinds.MULTIPLY, "sub": kinds.OTHER_BINARY, "div": kinds.OTHER_BINARY}
_WITH_CONSTANT = {"add": kinds.SHIFT, "sub": kinds.SHIFT, "rsub": kinds.SHIFT, "mul": kinds.SCALE, "div": kinds.SCALE}


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
    inputs = [torch.from_numpy(np.array(feed[tensor.meaning])) for tensor in graph.inputs]
    recorder = _Recorder()
    for tensor, value in zip(graph.inputs, inputs, strict=True):
        recorder.add(Primitive("input"), (), value, tensor.meaning, None)
    with patched(mode), torch.no_grad(), ExitStack() as hooks:
        for name, module in network.named_modules():
            hooks.callback(module.register_forward_pre_hook(recorder.entering(name)).remove)
            hooks.callback(module.register_forward_hook(recorder.leaving).remove)
        with recorder:
            answer = network(*inputs)
    outputs = answer if isinstance(answer, (tuple, list)) else (answer,)
    return Recording(tuple(recorder.operations), tuple(recorder.known[id(tensor)] for tensor in outputs))


class _Recorder(TorchDispatchMode):
    """Operations while it is entered; ``known`` maps a live tensor to the operation that last wrote it."""

    def __init__(self):
        super().__init__()
        self.operations: list[Operation] = []
        self.known: dict[int, int] = {}
        self.alive: list[torch.Tensor] = []
        self.modules: list[str] = []

    @classmethod
    def _should_skip_dynamo(cls):
        return False  # torch would import its whole compiler for it, which takes seconds

    def entering(self, name):
        def hook(module, inputs):
            self.modules.append(name)

        return hook

    def leaving(self, module, inputs, output):
        self.modules.pop()

    def add(self, primitive, inputs, value, name, compute):
        index = len(self.operations)
        array = value.detach().to(torch.float32).numpy().copy()
        module = next((one for one in reversed(self.modules) if one), "")
        self.operations.append(Operation(index, primitive, tuple(inputs), array, module, name, compute))
        self.known[id(value)] = index
        self.alive.append(value)  # so that no later tensor gets its id
        return index

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        leaves, form = _pytree.tree_flatten((args, kwargs))
        places = [
            place for place, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor) and id(leaf) in self.known
        ]
        inputs = [self.known[id(leaves[place])] for place in places]
        answer = func(*args, **kwargs)
        value = answer[0] if isinstance(answer, (tuple, list)) and answer else answer
        if inputs and isinstance(value, torch.Tensor) and value.is_floating_point():
            plain = name.removesuffix("_") if not name.startswith("_") else name
            if plain in _LAYOUT and value.shape == leaves[places[0]].shape:
                self.known[id(value)] = inputs[0]  # the same tensor under another address
                self.alive.append(value)
                return answer
            replay = _replay(func, leaves, form, places)
            self._lowered(plain, args, inputs, value, replay)
        return answer

    def _lowered(self, name, args, inputs, value, replay):
        if name in _COMPOSED:
            steps = _COMPOSED[name]
            reached = [inputs[0]]
            for kind, reads, compute in steps[:-1]:
                inner = compute([torch.from_numpy(self.operations[reached[read]].value) for read in reads])
                reached.append(self.add(Primitive(kind), [reached[read] for read in reads], inner, name, compute))
            kind, reads, compute = steps[-1]
            self.add(Primitive(kind), [reached[read] for read in reads], value, name, compute)
        else:
            self.add(_primitive(name, args, inputs, value), inputs, value, name, replay)


def _replay(func, leaves, form, places):
    """The operation as a function of its recorded inputs; what else it took is a constant of it."""
    constants = [leaf.detach() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
    for place in places:
        constants[place] = None

    def compute(inputs):
        filled = [
            leaf.to(inputs[0].dtype) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() else leaf
            for leaf in constants
        ]
        for place, value in zip(places, inputs, strict=True):
            filled[place] = value
        args, kwargs = _pytree.tree_unflatten(filled, form)
        answer = func(*args, **kwargs)
        return answer[0] if isinstance(answer, (tuple, list)) else answer

    return compute


# Operations that others write as several: (kind, which results it reads with 0 for the input, how).
_HARD_SIGMOID = (
    (kinds.SHIFT, (0,), lambda x: x[0] + 3),
    (kinds.CLIP, (1,), lambda x: x[0].clamp(0, 6)),
    (kinds.SCALE, (2,), lambda x: x[0] / 6),
)
_COMPOSED = {
    "silu": (
        (kinds.SIGMOID, (0,), lambda x: x[0].sigmoid()),
        (kinds.MULTIPLY, (0, 1), lambda x: x[0] * x[1]),
    ),
    "hardsigmoid": _HARD_SIGMOID,
    "hardswish": (*_HARD_SIGMOID, (kinds.MULTIPLY, (0, 3), lambda x: x[0] * x[1])),
}


def _primitive(name, args, inputs, value):
    if name in ("convolution", "conv2d", "_convolution"):
        return Primitive(kinds.CONVOLUTION, _window(args)) if len(inputs) == 1 else Primitive(kinds.MATMUL)
    if len(inputs) == 1 and name in {"addmm", "linear", *_MATMULS}:
        return Primitive(kinds.CONVOLUTION, Window(value.shape[-1], None))
    if name in _BINARIES and len(inputs) > 1:
        return Primitive(_BINARIES[name])
    if name in ("mean", "adaptive_avg_pool2d", "_adaptive_avg_pool2d"):
        return Primitive(kinds.POOL if value.shape[2:].numel() == 1 else kinds.OTHER_POOL)
    for names, kind in (
        (_NORMS, kinds.NORM),
        (_MATMULS, kinds.MATMUL),
        (_CLIPS, kinds.CLIP),
        (_PERMUTES, kinds.PERMUTE),
        (_LAYOUT, kinds.RESHAPE),
        (_ACTIVATIONS, kinds.OTHER_ACTIVATION),
        (("relu",), kinds.RELU),
        (("sigmoid",), kinds.SIGMOID),
    ):
        if name in names:
            return Primitive(kind)
    return Primitive(_WITH_CONSTANT.get(name, kinds.OTHER))


def _window(args):
    weight, stride, padding, dilation, groups = args[1], args[3], args[4], args[5], args[8]
    (top, left), (height, width) = padding, weight.shape[2:]
    return Window(
        outputs=weight.shape[0],
        inputs=weight.shape[1],
        groups=groups,
        kernel=(height, width),
        stride=tuple(stride),
        dilation=tuple(dilation),
        pad=(top, left, top, left),
    )


def replay(
    recording: Recording, target: int, leaves: Mapping[int, np.ndarray], through: Callable[[int], bool]
) -> np.ndarray | None:
    """What the network makes of other numbers, in float64.

    Args:
        recording: of the network.
        target: the operation whose result is wanted.
        leaves: operation index to the numbers to take for its result, of any shape that fits.
        through: whether an operation may be run again.

    Returns:
        the result in the operation's own shape; None when something it needs is neither given nor may be run.
    """
    known = {}
    for index, value in leaves.items():
        shape = recording.operations[index].value.shape
        if value.size != recording.operations[index].value.size:
            return None
        known[index] = torch.from_numpy(value.astype(np.float64).reshape(shape))
    if target in known:
        return known[target].numpy()

    def result(index):
        if index not in known:
            operation = recording.operations[index]
            if operation.compute is None or not through(index):
                raise LookupError(index)
            known[index] = operation.compute([result(one) for one in operation.inputs])
        return known[index]

    try:
        with torch.no_grad():
            return result(target).numpy()
    except LookupError:
        return None
