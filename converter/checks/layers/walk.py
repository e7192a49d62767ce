"""A converted graph beside the network on one input: every matched layer, and the first that is wrong."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converter.checks.layers.align import align
from converter.checks.layers.blame import Finding, compensated, first_bad
from converter.checks.layers.blobs import BlobRunner, fetch
from converter.checks.layers.expect import GOOD, UNKNOWN, Expectation
from converter.checks.layers.figures import figures, same_numbers
from converter.checks.layers.graphs import ConvertedGraph
from converter.errors import UsageError
from converter.spec.network import GraphSpec, Tolerance


@dataclass(frozen=True)
class LayerRow:
    """One converted layer beside its counterpart; true when it is within the tolerance or has none.

    Attributes:
        layer, type, blob: name, type and output of the converted layer.
        module: path of the network's module; None without a counterpart.
        operation: what it runs there, first to last operation.
        problem: why there are no figures, or None.
        max_abs, allowed, relative, cosine: of the difference; relative to the reference's range.
        minimum, maximum: of the reference.
        own: largest difference from what the network makes of the layer's own inputs, in any channel's
            range; only where something is wrong.
        matched: whether it has a counterpart.
        passed: whether it is within the tolerance.
    """

    layer: str
    type: str
    blob: str
    module: str | None
    operation: str | None
    problem: str | None
    max_abs: float | None
    allowed: float | None
    relative: float | None
    cosine: float | None
    minimum: float | None
    maximum: float | None
    own: float | None
    matched: bool
    passed: bool

    def __bool__(self):
        return self.passed

    def as_dict(self) -> dict[str, Any]:
        return {name: _plain(value) for name, value in asdict(self).items()}


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
        return {
            **{name: getattr(self, name) for name in ("layer", "type", "module", "operation", "reason")},
            "figures": self.row.as_dict() if self.row else None,
        }


@dataclass(frozen=True)
class LayerWalk:
    """A walk; true when something was matched, no layer is to blame and the outputs are within the tolerance.

    Attributes:
        graph, format: of the converted model.
        rows: of all layers that compute something, in file order.
        matched, total: how many of them have a counterpart.
        rounding: how many are beyond the tolerance although none before them is wrong by itself.
        first_bad: the layer to blame, or None.
        outputs_passed: whether every declared output is there and within the tolerance.
    """

    graph: str
    format: str
    rows: tuple[LayerRow, ...]
    matched: int
    total: int
    rounding: int
    first_bad: FirstBad | None
    outputs_passed: bool

    def __bool__(self):
        return self.matched > 0 and self.first_bad is None and self.outputs_passed

    def as_dict(self) -> dict[str, Any]:
        return {
            "graph": self.graph,
            "format": self.format,
            "passed": bool(self),
            "matched": self.matched,
            "total": self.total,
            "rounding": self.rounding,
            "outputs_passed": self.outputs_passed,
            "first_bad": self.first_bad.as_dict() if self.first_bad else None,
            "rows": [row.as_dict() for row in self.rows],
        }

    def failure(self) -> str:
        where = f"{self.format} {self.graph}"
        if self.first_bad:
            return (
                f"{where}: first wrong layer is {self.first_bad.layer} ({self.first_bad.type}): {self.first_bad.reason}"
            )
        if not self.matched:
            return f"{where}: no layer could be matched with the network"
        return f"{where}: an output is beyond its tolerance or missing, and no layer before it can be blamed"


def walk_layers(
    network: Any,
    graph: GraphSpec,
    format: str,
    files: tuple[Path, ...],
    runner: BlobRunner,
    feed: Mapping[str, np.ndarray],
    tolerance: Tolerance,
) -> LayerWalk:
    """Find the first layer of a converted graph that does not do what the network does.

    Args:
        network: ``torch.nn.Module`` in eval mode; as before afterwards.
        graph: the graph's forward mode; inputs and outputs with their blob names (``name``) and meanings.
        format: "ncnn" or "onnx".
        files: of the converted graph, the one with its layers first.
        runner: gives inner blobs; a ConversionError from it is a result.
        feed: meaning to (1, C, H, W) float32.
        tolerance: of every layer, on its reference's range.

    Raises:
        ConversionError: when the files cannot be read.
        ArchitectureError: when the network lacks the parts the graph's mode needs.
    """
    from converter.checks.layers.torch_side import record

    converted = read_converted(format, files, graph)
    recording = record(network, graph, feed)
    values, failed = fetch(runner, {tensor.name: feed[tensor.meaning] for tensor in graph.inputs}, converted)
    inputs = {tensor.name: index for index, tensor in enumerate(graph.inputs)}
    values.update({tensor.name: feed[tensor.meaning] for tensor in graph.inputs})
    outputs = {tensor.name: index for tensor, index in zip(graph.outputs, recording.outputs, strict=True)}

    def same(layer, operation):
        blob = values.get(converted.layers[layer].outputs[0])
        return same_numbers(blob, recording.operations[operation].value, tolerance)

    alignment = align(recording, converted, list(outputs), same)
    sides = Expectation(recording, converted, alignment, inputs, outputs, values, tolerance)
    finding, rounding = first_bad(sides, failed)
    passed = _outputs_passed(sides)
    if finding is None and not passed:
        finding = _last_resort(sides, rounding)
    rows = {index: _row(sides, index, finding is not None) for index in converted.computing}
    return LayerWalk(
        graph=graph.name,
        format=format,
        rows=tuple(rows.values()),
        matched=sum(row.matched for row in rows.values()),
        total=len(rows),
        rounding=len(rounding),
        first_bad=_named(sides, finding, rows) if finding else None,
        outputs_passed=passed,
    )


def read_converted(format: str, files: tuple[Path, ...], graph: GraphSpec) -> ConvertedGraph:
    """The layers of a converted graph; of a file that several graphs are read from, those that this one runs.

    Raises:
        ConversionError: when the file cannot be read.
        UsageError: for a format that has no reader.
    """
    if format == "ncnn":
        from converter.checks.layers.ncnn_side import converted_graph
        from converter.formats.ncnn.param import read_param

        table = read_param(files[0].read_text(errors="replace"), files[0].name)
        if set(table.input_blobs()) > {tensor.name for tensor in graph.inputs}:
            table = table.part(tensor.name for tensor in graph.outputs)
        return converted_graph(table)
    if format == "onnx":
        from converter.checks.layers.onnx_side import converted_graph
        from converter.formats.onnx.file import read_onnx

        return converted_graph(read_onnx(files[0]))
    raise UsageError(f"layers of format {format!r} cannot be read, known are ncnn and onnx")


def _outputs_passed(sides: Expectation) -> bool:
    return all(
        figures(
            sides.values.get(sides.converted.source_blob(blob)), sides.recording.operations[one].value, sides.tolerance
        )
        for blob, one in sides.outputs.items()
    )


def _last_resort(sides: Expectation, rounding: list[int]) -> Finding | None:
    """An output is wrong and no layer could be blamed for it: say where it first shows."""
    if rounding:
        reason = "beyond the tolerance, though no layer up to it is wrong by itself: rounding has grown"
        return Finding(rounding[0], sides.expected(rounding[0]).reference, reason)
    for blob, operation in sides.outputs.items():
        origin = sides.converted.origin(blob)[0] if blob in sides.converted.producers else None
        if origin is not None and not sides.figures(origin, operation):
            reason = f"gives output {blob}, which is wrong; no layer before it could be compared"
            return Finding(origin, operation, reason)
    return None


def _row(sides: Expectation, index: int, wrong: bool) -> LayerRow:
    layer, expected = sides.layer(index), sides.expected(index)
    matched = bool(sides.alignment.pairs.get(index)) or expected.state == GOOD
    names = {"layer": layer.name, "type": layer.type, "blob": layer.outputs[0], "matched": matched}
    if expected.state == UNKNOWN:
        nothing = ("module", "operation", "problem", "max_abs", "allowed", "relative", "cosine", "minimum", "maximum")
        return LayerRow(**names, **dict.fromkeys((*nothing, "own")), passed=True)
    made_up_for = expected.state != GOOD and compensated(sides, index)
    reference = expected.agrees if made_up_for and expected.agrees is not None else expected.reference
    module, operation = described(sides, index, reference)
    found = sides.figures(index, reference)
    return LayerRow(
        **names,
        module=module,
        operation=operation,
        **asdict(found),
        own=sides.own_error(index) if wrong else None,
        passed=bool(found) or made_up_for,
    )


def described(sides: Expectation, index: int, reference: int) -> tuple[str, str]:
    """The network's module and the operations that a layer stands for, up to the one it is compared with."""
    chain = [one for _, one in sides.alignment.pairs.get(index, ())]
    if chain:
        chain += sides.between(chain[-1], reference) or ()
    chain = list(dict.fromkeys([*chain, reference]))
    operations = [sides.recording.operations[one] for one in sorted(chain)]
    return operations[0].module, " + ".join(dict.fromkeys(one.name for one in operations))


def _named(sides: Expectation, finding: Finding, rows: Mapping[int, LayerRow]) -> FirstBad:
    layer, row = sides.layer(finding.layer), rows.get(finding.layer)
    operation = None if finding.operation is None else sides.recording.operations[finding.operation]
    return FirstBad(
        layer=layer.name,
        type=layer.type,
        module=operation.module if operation else None,
        operation=operation.name if operation else None,
        reason=finding.reason,
        row=row,
    )


def _plain(value):
    """JSON has no infinity."""
    return None if isinstance(value, float) and not np.isfinite(value) else value
