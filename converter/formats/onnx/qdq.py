"""ONNX models some of whose layers compute in int8: QuantizeLinear and DequantizeLinear around them.

A runtime that knows the pattern computes with integers; one that does not gets the same numbers in float32.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from converter.formats.onnx.layers import FLOAT_OUTPUT, Layer, Point, Wiring, behind_rounding
from converter.formats.onnx.observed import Observed, Rounding
from converter.formats.onnx.ranges import Range
from converter.formats.onnx.small import Key, Small, stored, weighted
from converter.formats.onnx.whole import HOST, Style, Whole, whole

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")


class Quantised:
    """A model that can be written with any set of its layers in int8; all other weights are in bytes, or as they are.

    Args:
        model: in float32; not changed.
        layers: of it.
        observed: what calibration has shown of them.
        small: how its weights are stored otherwise; as they are where it says nothing.
        style: for what runs it.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        layers: Sequence[Layer],
        observed: Observed,
        small: Mapping[Key, Small],
        style: Style = HOST,
    ):
        self._model, self._observed, self._layers, self._style = model, observed, layers, style
        self._wiring = Wiring(model)
        self._small = {
            str(each.node.output[0]): stored(each, small[each.key]) for each in weighted(model) if each.key in small
        }
        self._whole: dict[tuple[str, bool], Whole] = {}

    @property
    def names(self) -> set[str]:
        """Of the layers."""
        return {layer.name for layer in self._layers}

    def model(self, int8: Collection[str], corrected: bool) -> onnx.ModelProto:
        """The model.

        Args:
            int8: names of the layers that compute in int8.
            corrected: as of :func:`whole`.
        """
        graph = self._model.graph
        chosen = {str(layer.node.output[0]): layer for layer in self._layers if layer.name in int8}
        ends = {layer.end.tensor: layer.end for layer in chosen.values() if layer.end is not None}
        names = {tensor.name for tensor in graph.initializer} | {*self._wiring.producers, *self._wiring.readers}
        made = _Made(names, self._style.zeros)
        for output, (tensors, node) in self._small.items():
            if output not in chosen:
                made.tensors += tensors
                made.nodes.append(node)
        for node in graph.node:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            self._add(made, copy, chosen, ends, corrected)
        read = {name for node in made.nodes for name in node.input} | {value.name for value in graph.output}
        read -= {tensor.name for tensor in made.tensors} | {name for node in made.nodes for name in node.output}
        result = onnx.ModelProto(
            ir_version=self._model.ir_version,
            producer_name=self._model.producer_name,
            producer_version=self._model.producer_version,
            opset_import=self._model.opset_import,
            metadata_props=self._model.metadata_props,
            graph=onnx.GraphProto(name=graph.name, input=graph.input, output=graph.output),
        )
        result.graph.initializer.extend(tensor for tensor in graph.initializer if tensor.name in read)
        result.graph.initializer.extend(made.tensors)
        result.graph.node.extend(made.nodes)
        return result

    def _add(
        self,
        made: "_Made",
        node: onnx.NodeProto,
        chosen: Mapping[str, Layer],
        ends: Mapping[str, Point],
        corrected: bool,
    ) -> None:
        """Add a node, with what stands before and behind it."""
        output = str(node.output[0]) if node.output else ""
        node.name = node.name or output  # which may be called otherwise now
        if (layer := chosen.get(output)) is not None:
            point = layer.input
            if point.tensor not in ends:
                node.input[0] = made.rounded_copy(point, self._observed.points[point])
            elif self._style.apart and self._read_otherwise(point.tensor, chosen):
                node.input[0] = made.widened_again(point.tensor)
            made.take_weights(node, layer, self._whole_of(layer, corrected))
        elif node.op_type in WEIGHTED and self._style.guarded:
            for place, name in enumerate(node.input[:2]):
                if behind_rounding(name, ends, self._wiring):
                    node.input[place] = made.unrounded(name, made.fresh(f"{name}_in_float"))
        made.nodes.append(node)
        if (end := ends.get(output)) is not None:
            node.output[0] = made.fresh(f"{output}_float")
            known = self._observed.points[end]
            target = output if known.even is None else made.fresh(f"{output}_rounded")
            made.round(node.output[0], target, known.range)
            if known.even is not None:
                made.scaled(target, known.even, output)

    def _read_otherwise(self, name: str, chosen: Mapping[str, Layer]) -> bool:
        readers = [str(node.output[0]) for node in self._wiring.readers.get(name, [])]
        return name in self._wiring.outputs or not chosen.keys() >= {*readers}

    def _whole_of(self, layer: Layer, corrected: bool) -> Whole:
        key = layer.name, corrected
        if key not in self._whole:
            divisors = None if layer.end is None else self._observed.points[layer.end].even
            self._whole[key] = whole(layer, self._observed.points[layer.input], corrected, divisors, self._style.most)
        return self._whole[key]


class _Made:
    """The nodes and tensors of a model in the making.

    Args:
        names: in use.
        zeros: as of :class:`Style`.
    """

    def __init__(self, names: set[str], zeros: bool):
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self._names, self._zeros = names, zeros
        self._copies: dict[Point, str] = {}
        self._again: dict[str, str] = {}
        self._limits: list[str] = []

    def fresh(self, name: str) -> str:
        """A name that nothing has yet."""
        while name in self._names:
            name += "_"
        self._names.add(name)
        return name

    def constant(self, name: str, values: np.ndarray) -> str:
        """A tensor."""
        name = self.fresh(name)
        self.tensors.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: int) -> str:
        """A node, called by what it gives."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=f"{output}_{kind}", **attributes))
        return output

    def round(self, source: str, target: str, span: Range) -> None:
        """Nodes that make a tensor of another by rounding it."""
        scale = self.constant(f"{target}_scale", np.array(span.scale, np.float32))
        zero = self.constant(f"{target}_zero", np.array(span.zero, np.uint8))
        steps = self.node("QuantizeLinear", [source, scale, zero], self.fresh(f"{target}_uint8"))
        self.node("DequantizeLinear", [steps, scale, zero], target)

    def rounded_copy(self, point: Point, known: Rounding) -> str:
        """The rounded tensor beside the tensor itself, which others may read."""
        if point not in self._copies:
            source = point.tensor
            if known.even is not None:
                source = self.scaled(source, 1 / known.even, self.fresh(f"{source}_evened"))
            self._copies[point] = self.fresh(f"{source}_rounded")
            self.round(source, self._copies[point], known.range)
        return self._copies[point]

    def widened_again(self, name: str) -> str:
        """The same numbers as what a DequantizeLinear gives, by another one."""
        if name not in self._again:
            inputs = next(node.input for node in self.nodes if node.output[0] == name)
            self._again[name] = self.node("DequantizeLinear", inputs, self.fresh(f"{name}_again"))
        return self._again[name]

    def take_weights(self, node: onnx.NodeProto, layer: Layer, numbers: Whole) -> None:
        """Give a node weights and bias in integers."""
        weight, axis = layer.weighted.weight, layer.weighted.axis
        others = [size for place, size in enumerate(weight.dims) if place != axis]
        values = np.moveaxis(numbers.weights.reshape(-1, *others), 0, axis)
        inputs = [
            self.constant(f"{weight.name}_int8", values),
            self.constant(f"{weight.name}_scale", numbers.scales),
        ]
        if self._zeros or node.op_type in FLOAT_OUTPUT:  # where onnxruntime wants to see them
            inputs.append(self.constant(f"{weight.name}_zero", np.zeros(len(numbers.scales), np.int8)))
        node.input[1] = self.node("DequantizeLinear", inputs, self.fresh(f"{weight.name}_widened"), axis=axis)
        if numbers.bias is not None:
            inputs = [
                self.constant(f"{weight.name}_bias", numbers.bias),
                self.constant(f"{weight.name}_bias_scale", numbers.bias_scales),
            ]
            if self._zeros:
                inputs.append(self.constant(f"{weight.name}_bias_zero", np.zeros(len(numbers.bias), np.int32)))
            bias = self.node("DequantizeLinear", inputs, self.fresh(f"{weight.name}_bias_widened"), axis=0)
            del node.input[2:]
            node.input.append(bias)

    def scaled(self, name: str, factors: np.ndarray, target: str) -> str:
        """A tensor with every channel times a number, (channels,) float32."""
        factor = self.constant(f"{target}_factors", factors.astype(np.float32).reshape(1, -1, 1, 1))
        return self.node("Mul", [name, factor], target)

    def unrounded(self, name: str, target: str) -> str:
        """A tensor with the same numbers from a node of another kind.

        A convolution in float between a DequantizeLinear and a QuantizeLinear is one in integers for onnxruntime, which
        makes up the missing weights; this keeps it from being one.
        """
        limits = np.finfo(np.float32)
        if not self._limits:
            self._limits += [self.constant(f"{end}_float32", np.array(getattr(limits, end))) for end in ("min", "max")]
        return self.node("Clip", [name, *self._limits], target)
