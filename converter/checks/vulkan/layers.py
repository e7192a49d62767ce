"""The first layer whose result on a device leaves the CPU's."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from converter.checks.device.run import Loaded
from converter.proof.chain import Arrays
from converter.spec.model import Model

# How far one layer may be from the CPU's in float32 where both are given the same, as a share of the range: the
# largest of the trained trackers', three times.
ALLOWED = {"fp32": 1e-4, "fp16s": 1e-2, "fp16": 3e-2, "bf16": 5e-2}


@dataclass(frozen=True)
class LayerResult:
    """One blob of a graph.

    Attributes:
        alone: the largest difference from the CPU where the layer is given the CPU's inputs, as a share of the range;
            None where a value is not finite or the shape is another.
        along: the same where everything before ran on the device too.
        on_cpu: whether the layer has no shader.
    """

    layer: str
    type: str
    blob: str
    alone: float | None
    along: float | None
    on_cpu: bool

    def within(self, allowed: float) -> bool:
        return self.alone is not None and self.alone <= allowed


@dataclass(frozen=True)
class GraphWalk:
    """Every layer of a graph in one mode on one input; true when each gives what the CPU gives."""

    mode: str
    graph: str
    feed: str
    rows: tuple[LayerResult, ...]
    allowed: float

    def __bool__(self) -> bool:
        return bool(self.rows) and all(row.within(self.allowed) for row in self.rows)

    @property
    def first(self) -> LayerResult | None:
        """That leaves the CPU's."""
        return next((row for row in self.rows if not row.within(self.allowed)), None)

    @property
    def worst(self) -> LayerResult:
        """Of those that are finite; the first where none is."""
        return max(self.rows, key=lambda row: -1.0 if row.alone is None else row.alone)

    def failure(self) -> str:
        """The first wrong layer, in a phrase."""
        if (first := self.first) is None:
            return f"{self.mode} {self.graph}: no layer was looked at"
        off = "is not finite" if first.alone is None else f"is off by {first.alone:.1e} of its range"
        where = f"layer {first.layer} ({first.type}) of {self.graph}"
        return f"{self.mode}: {where} {off} where the CPU's inputs go in, allowed {self.allowed:.0e}"

    def as_dict(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "passed": bool(self),
            "first": asdict(self.first) if self.first else None,
        }


def walk(loaded: Loaded, model: Model, feed: str, arrays: Arrays) -> GraphWalk:
    """Every layer of a graph beside the CPU's.

    Args:
        feed: its name.
        arrays: every tensor of the reference by meaning.

    Raises:
        ConversionError: when the process refuses, crashes or hangs.
    """
    runner = loaded.runners[model]
    on_cpu = {name for name, _ in runner.on_cpu}
    inputs = {tensor.name: np.asarray(arrays[tensor.meaning]) for tensor in model.graph.inputs}
    rows = []
    for layer, blob, (alone, along, spread) in runner.walk(inputs):
        shares = (_share(alone, spread), _share(along, spread))
        rows.append(LayerResult(layer.name, layer.type, blob, *shares, on_cpu=layer.name in on_cpu))
    return GraphWalk(loaded.mode.name, model.graph.name, feed, tuple(rows), ALLOWED[loaded.mode.name])


def _share(difference: float | None, spread: float | None) -> float | None:
    """Of the range; of 1 where a blob is constant."""
    return None if difference is None else difference / (spread or 1.0)


def walks_of(loaded: Loaded) -> Sequence[GraphWalk]:
    """Every graph on the last of the inputs, a real crop where there is one."""
    comparison = loaded.comparison
    feed = comparison.feeds[-1]
    arrays = {**comparison.outputs[-1], **feed.tensors}
    return [walk(loaded, model, feed.name, arrays) for model in loaded.comparison.tracker.of("ncnn")]
