"""A converted graph beside the network on one input: every matched layer, and the first that is wrong."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.checks.layers.align import align
from converter.checks.layers.blame import Finding, compensated, first_bad
from converter.checks.layers.blobs import fetch
from converter.checks.layers.expect import Expectation
from converter.checks.layers.figures import NO_FIGURES, Figures, figures, same_numbers
from converter.checks.layers.graphs import ConvertedGraph
from converter.errors import ConversionError, UsageError
from converter.formats.format import format_names
from converter.proof.runner import BlobRunner
from converter.report.text import listed
from converter.spec.tensors import GraphSpec, Tolerance
from converter.util.content import File
from converter.util.stages import Step, no_step

if TYPE_CHECKING:
    import torch

Reader = Callable[[Sequence[File], GraphSpec], ConvertedGraph]


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """One converted layer beside its counterpart; true when it is within the tolerance or has none.

    Attributes:
        layer, type, blob: name, type and output of the converted layer.
        module: path of the network's module; None without a counterpart.
        operation: what it runs there, first to last operation.
        figures: of what it gives beside the network's; empty without a counterpart.
        own: largest difference from what the network makes of the layer's own inputs, in any channel's
            range; only where something is wrong.
        matched: whether it has a counterpart.
        passed: whether it is within the tolerance.
        reads: places in the walk of the layers that it reads from; not in the JSON.
    """

    layer: str
    type: str
    blob: str
    module: str | None = None
    operation: str | None = None
    figures: Figures = NO_FIGURES
    own: float | None = None
    matched: bool
    passed: bool
    reads: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return self.passed

    def as_dict(self) -> dict[str, Any]:
        """For the JSON, which has no infinity."""
        fields = asdict(self)
        del fields["reads"]
        place = {name: fields.pop(name) for name in ("layer", "type", "blob", "module", "operation")}
        own = self.own if self.own is None or math.isfinite(self.own) else None
        return {**place, **fields.pop("figures"), **fields, "own": own}


@dataclass(frozen=True)
class FirstBad:
    """The layer to blame: its name and type, the network's module and operation, why, and its row if it has one."""

    layer: str
    type: str
    module: str | None
    operation: str | None
    reason: str
    row: LayerRow | None

    def as_dict(self) -> dict[str, Any]:
        fields = asdict(self)
        del fields["row"]
        return {**fields, "figures": None if self.row is None else self.row.as_dict()}


@dataclass(frozen=True)
class LayerWalk:
    """A walk; true when something was matched, no layer is to blame and the outputs are within the tolerance.

    Attributes:
        graph, format: of the converted model.
        rows: of all layers that compute something, in file order.
        rounding: how many are beyond the tolerance although none before them is wrong by itself.
        first_bad: the layer to blame, or None.
        outputs_passed: whether every declared output is there and within the tolerance.
    """

    graph: str
    format: str
    rows: tuple[LayerRow, ...]
    rounding: int
    first_bad: FirstBad | None
    outputs_passed: bool

    def __bool__(self) -> bool:
        return self.matched > 0 and self.first_bad is None and self.outputs_passed

    def __str__(self) -> str:
        return f"{self.format} {self.graph}"

    @property
    def matched(self) -> int:
        """How many layers have a counterpart."""
        return sum(row.matched for row in self.rows)

    def as_dict(self) -> dict[str, Any]:
        return {
            "graph": self.graph,
            "format": self.format,
            "passed": bool(self),
            "matched": self.matched,
            "total": len(self.rows),
            "rounding": self.rounding,
            "outputs_passed": self.outputs_passed,
            "first_bad": self.first_bad.as_dict() if self.first_bad else None,
            "rows": [row.as_dict() for row in self.rows],
        }

    def failure(self, placed: bool = False) -> str:
        """Why it is no pass, in a line; ``placed`` with the place of a wrong layer in the network."""
        if first := self.first_bad:
            where = " ".join(filter(None, (first.module, first.operation))) if placed else ""
            inside = f", in the network {where}" if where else ""
            return f"{self}: first wrong layer is {first.layer} ({first.type}{inside}): {first.reason}"
        if not self.matched:
            return f"{self}: no layer could be matched with the network"
        return f"{self}: an output is beyond its tolerance or missing, and no layer before it can be blamed"


def walk_layers(
    network: "torch.nn.Module",
    graph: GraphSpec,
    format: str,
    files: Sequence[File],
    runner: BlobRunner,
    feed: Mapping[str, np.ndarray],
    tolerance: Tolerance,
    step: Step = no_step,
) -> LayerWalk:
    """Find the first layer of a converted graph that does not do what the network does.

    Args:
        network: in eval mode; as before afterwards.
        graph: the graph's forward mode; inputs and outputs with their blob names (``name``) and meanings.
        format: of the files.
        files: of the converted graph, the one with its layers first.
        runner: gives inner blobs; a ConversionError from it is a result.
        feed: meaning to (1, C, H, W) float32.
        tolerance: of every layer, on its reference's range.
        step: told of every layer.

    Raises:
        ConversionError: when the files cannot be read.
        UsageError: for a format whose layers cannot be read.
        ArchitectureError: when the network lacks the parts the graph's mode needs.
    """
    from converter.checks.layers.torch_side import record

    converted, recording = reader_of(format)(files, graph), record(network, graph, feed)
    inputs = {tensor.name: feed[tensor.meaning] for tensor in graph.inputs}
    values, failed = fetch(runner, inputs, converted)
    values.update(inputs)
    outputs = {tensor.name: index for tensor, index in zip(graph.outputs, recording.outputs, strict=True)}

    def same(layer: int, operation: int) -> bool:
        blob = values.get(converted.layers[layer].outputs[0])
        return same_numbers(blob, recording.operations[operation].value, tolerance)

    pairs = align(recording, converted, outputs, same)
    places = {name: index for index, name in enumerate(inputs)}
    sides = Expectation(recording, converted, pairs, places, outputs, values, tolerance)
    finding, rounding = first_bad(sides, failed, step)
    passed = _outputs_passed(sides)
    if finding is None and not passed:
        finding = _last_resort(sides, rounding)
    rows = {index: _row(sides, index, finding is not None) for index in converted.computing}
    first = _named(sides, finding, rows.get(finding.layer)) if finding else None
    return LayerWalk(graph.name, format, tuple(rows.values()), len(rounding), first, passed)


def layers_in(format: str, files: Sequence[File], graph: GraphSpec) -> int:
    """How many layers will be walked, 0 where the files cannot be read."""
    try:
        return len(reader_of(format)(files, graph).computing)
    except ConversionError:
        return 0


def reader_of(format: str) -> Reader:
    """``read()`` of the module ``<format>_side`` beside this one: (files, graph) -> the graph's layers.

    Raises:
        UsageError: for a format that has no such module.
    """
    readers = {name: module for name in format_names() if find_spec(module := f"{__package__}.{name}_side")}
    if format not in readers:
        raise UsageError(f"layers of format {format!r} cannot be read, known are {listed(readers)}")
    read: Reader = import_module(readers[format]).read
    return read


def _outputs_passed(sides: Expectation) -> bool:
    blobs = [(sides.values.get(sides.converted.source(blob)), operation) for blob, operation in sides.outputs.items()]
    return all(figures(blob, sides.operation(operation).value, sides.tolerance) for blob, operation in blobs)


def _last_resort(sides: Expectation, rounding: list[int]) -> Finding | None:
    """An output is wrong and no layer could be blamed for it: say where it first shows."""
    if rounding:
        expected = sides.expected(rounding[0])
        reason = "beyond the tolerance, though no layer up to it is wrong by itself: rounding has grown"
        return Finding(rounding[0], expected.reference if expected else None, reason)
    for blob, operation in sides.outputs.items():
        origin = sides.converted.origin(blob)
        if origin is not None and not sides.figures(origin, operation):
            reason = f"gives output {blob}, which is wrong; no layer before it could be compared"
            return Finding(origin, operation, reason)
    return None


def _row(sides: Expectation, index: int, wrong: bool) -> LayerRow:
    layer, expected = sides.layer(index), sides.expected(index)
    matched = index in sides.pairs or sides.is_good(index)
    reads = {sides.converted.places[origin] for origin in sides.converted.operands[index] if origin is not None}
    row = LayerRow(
        layer=layer.name,
        type=layer.type,
        blob=layer.outputs[0],
        matched=matched,
        passed=True,
        reads=tuple(sorted(reads)),
    )
    if expected is None:
        return row
    made_up_for = not sides.is_good(index) and compensated(sides, index)
    reference = expected.agrees if made_up_for and expected.agrees is not None else expected.reference
    beside, error = sides.figures(index, reference), sides.own_error(index) if wrong else None
    module, operation = _described(sides, index, reference)
    return replace(
        row,
        module=module,
        operation=operation,
        figures=beside,
        own=error.channel if error else None,
        passed=bool(beside) or made_up_for,
    )


def _described(sides: Expectation, index: int, reference: int) -> tuple[str, str]:
    """The network's module and the operations that a layer stands for, up to the one it is compared with."""
    chain = {operation for _, operation in sides.pairs.get(index, [])}
    own = sides.own(index)
    between = None if own is None else sides.between(own, reference)
    operations = [sides.operation(place) for place in sorted({*chain, *(between or ()), reference})]
    return operations[0].module, " + ".join(dict.fromkeys(operation.name for operation in operations))


def _named(sides: Expectation, finding: Finding, row: LayerRow | None) -> FirstBad:
    layer = sides.layer(finding.layer)
    operation = None if finding.operation is None else sides.operation(finding.operation)
    module, name = (operation.module, operation.name) if operation else (None, None)
    return FirstBad(layer.name, layer.type, module, name, finding.reason, row)
