"""One run of one layer, and the activations that are layers of their own or fused into another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from converter.checks.half.arithmetic import halved
from converter.formats.ncnn.param import Layer


class NotAnalysed(Exception):
    """A layer, or a way of using it, that is not known here."""


@dataclass(frozen=True)
class Step:
    """One run of one layer.

    Attributes:
        weights: role to values, float32, already rounded where they are halves.
        inputs: blobs.
        shape: of the output, as ncnn has it.
        half: whether the layer computes in half.
    """

    layer: Layer
    weights: Mapping[str, Tensor]
    inputs: Sequence[Tensor]
    shape: tuple[int, ...]
    half: bool

    @property
    def input(self) -> Tensor:
        return self.inputs[0]

    def rounded(self, value: Tensor) -> Tensor:
        """What lies between two steps of a computation."""
        return halved(value) if self.half else value

    def bias(self, outputs: int) -> Tensor:
        return self.weights.get("bias", torch.zeros(outputs))


def activated(step: Step, sums: Tensor) -> Tensor:
    """The activation that is fused into a convolution or inner product."""
    kind = step.layer.param(9)
    extra = step.layer.numbers(10)
    if kind not in _FUSED:
        raise NotAnalysed(f"fused activation {kind} is not known")
    return _FUSED[kind](step, sums, *extra)


def swish(step, x):
    return step.rounded(x / step.rounded(1 + step.rounded(torch.exp(-x))))


def sigmoid(step, x):
    return step.rounded(1 / step.rounded(1 + step.rounded(torch.exp(-x.clamp(-88.37, 88.37)))))


def hard_sigmoid(step, x, alpha, beta):
    if step.half:
        alpha, beta = (float(halved(torch.tensor(value))) for value in (alpha, beta))
    return step.rounded(x * alpha + beta).clamp(0, 1)


def hard_swish(step, x, alpha, beta):
    return step.rounded(x * hard_sigmoid(step, x, alpha, beta))


def leaky(step, x, slope):
    if slope == 0:
        return x.clamp(min=0)
    return torch.where(x > 0, x, step.rounded(x * slope))


_FUSED: dict[int, Callable] = {
    0: lambda step, x: x,
    1: lambda step, x: x.clamp(min=0),
    2: leaky,
    3: lambda step, x, low, high: x.clamp(low, high),
    4: sigmoid,
    5: lambda step, x: step.rounded(functional.mish(x)),
    6: hard_swish,
}
