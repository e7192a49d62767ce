"""One layer of a model made wrong on purpose: its output clamped, or its weights changed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmarks.wrong_graphs import Steps, Weights

CLAMPS = ("clamped", "clamped below", "clamped above")
CHANGES = ("weight", "bias", "channel zeroed", "channels swapped")
OUTSIDE = 1e-3  # of the range, beyond which a blob is clamped


@dataclass(frozen=True)
class Fault:
    """What is wrong with one layer.

    Attributes:
        step: its index.
        kind: one of CLAMPS or CHANGES.
        role: the array that is changed, for "weight" and "bias".
        places: a flat index into that array, or one or two channels.
        value: a factor for "weight", what is added for "bias".
        low, high: of a clamp.
    """

    step: int
    kind: str
    role: str = ""
    places: tuple[int, ...] = ()
    value: float = 0.0
    low: float = -np.inf
    high: float = np.inf

    @property
    def clamps(self) -> bool:
        return self.kind in CLAMPS

    def changed(self, weights: Weights) -> dict[str, Tensor]:
        """The layer's arrays with the fault in them; of a clamp, as they were."""
        new = {role: array.clone() for role, array in weights.items()}
        if self.role:
            flat = new[self.role].reshape(-1)
            flat[self.places[0]] = (
                flat[self.places[0]] * self.value if self.kind == "weight" else (flat[self.places[0]] + self.value)
            )
        for array in new.values() if not self.role else ():
            if self.kind == "channel zeroed":
                array[self.places[0]] = 0
            elif self.kind == "channels swapped":
                first, second = self.places
                array[[first, second]] = array[[second, first]]
        return new


def clamps(steps: Steps, values: Mapping[str, Tensor]) -> list[Fault]:
    """Every blob clamped just outside its range in these values: on both sides, below only, above only."""
    faults = []
    for index, step in enumerate(steps.steps):
        blob = values[step.output]
        low, high = float(blob.min()), float(blob.max())
        beside = OUTSIDE * (high - low)
        low, high = low - beside, high + beside
        faults += [
            Fault(index, "clamped", low=low, high=high),
            Fault(index, "clamped below", low=low),
            Fault(index, "clamped above", high=high),
        ]
    return faults


def changes(steps: Steps, random: np.random.Generator, each: int) -> list[Fault]:
    """For every layer with weights ``each`` faults of every kind that it can have."""
    faults = []
    for index, step in enumerate(steps.steps):
        if not step.weights:
            continue
        biases = [role for role in ("bias", "mean") if role in step.weights]
        factors = [role for role in ("weight", "slope", "variance") if role in step.weights]
        channels = len(next(iter(step.weights.values())))
        for _ in range(each):
            role = factors[random.integers(len(factors))]
            place = int(random.integers(step.weights[role].numel()))
            factor = 1 + float(10 ** random.uniform(-3, 0))
            faults.append(Fault(index, "weight", role, (place,), factor))
            if biases:
                role = biases[random.integers(len(biases))]
                place = int(random.integers(step.weights[role].numel()))
                faults.append(Fault(index, "bias", role, (place,), float(10 ** random.uniform(-3, -1))))
            faults.append(Fault(index, "channel zeroed", places=(int(random.integers(channels)),)))
            if channels > 1:
                pair = random.choice(channels, 2, replace=False)
                faults.append(Fault(index, "channels swapped", places=tuple(map(int, pair))))
    return faults


def faulty_output(steps: Steps, fault: Fault, values: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """What the layer gives, and for which of the inputs it is not what it should be."""
    step = steps.steps[fault.step]
    right = values[step.output]
    with torch.no_grad():
        if fault.clamps:
            axes = tuple(range(1, right.ndim))
            rows = torch.nonzero((right.amin(axes) < fault.low) | (right.amax(axes) > fault.high)).flatten()
            return right[rows].clamp(fault.low, fault.high), rows
        wrong = step.run([values[name] for name in step.inputs], fault.changed(step.weights))
        rows = torch.nonzero((wrong != right).flatten(1).any(1)).flatten()
        return wrong[rows], rows
