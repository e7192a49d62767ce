"""From TorchScript to ONNX: export, simplify, check, and say in the file what it is.

The traced graph goes through ``torch.onnx.export`` with ``dynamo=False``: a fifth of the dynamo exporter's
time, one file without side files, and the opset of choice.
"""

import io
import json
import logging
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch

from converter.errors import ConversionError
from converter.formats.onnx.file import rename_values
from converter.formats.onnx.half import store_halves
from converter.formats.source import Source
from converter.spec.tensors import GraphSpec, TensorSpec
from converter.util import process
from converter.util.atomic import write
from converter.util.version import version

log = logging.getLogger(__name__)

# passes that multiply a factor into weights, which may be halves before and none afterwards
SCALING = ("fuse_mul_into_conv", "fuse_preceding_mul_into_conv")
AXES = ("batch", "channels", "height", "width")

Axes = dict[str, dict[int, str]]
Shape = tuple[int | str, ...]
Found = tuple[str, Shape, str]


class OnnxConversion:
    """One graph to be converted; the work is done by :meth:`result`, in this process.

    Args:
        traced: the graph as TorchScript.
        source: what to make of it.
        folder: for the finished file.
        opset: 11 to 17.
        simplify: whether to run onnxsim.
        metadata: what the file says about itself, name to text.
        half: store weights as halves.
    """

    def __init__(
        self,
        traced: torch.jit.ScriptModule,
        source: Source,
        folder: Path,
        opset: int,
        simplify: bool,
        metadata: Mapping[str, str],
        half: bool = False,
    ):
        self.traced, self.source, self.path = traced, source, folder / f"{source.stem}.onnx"
        self.opset, self.simplify, self.metadata, self.half = opset, simplify, metadata, half

    def result(self) -> tuple[Path, ...]:
        """Convert, prove, write.

        Raises:
            ConversionError: when a step fails or changes the interface of the graph.
        """
        graph, axes = self.source.graph, free_axes(self.source)
        exported = onnx_from_torchscript(self.traced, graph, self.opset, axes)
        model = onnx.load_from_string(exported)
        if axes:
            state_outputs(model, graph, axes)
        rename_values(model, {tensor.meaning: tensor.name for tensor in (*graph.inputs, *graph.outputs)})
        exported = model.SerializeToString()
        if self.simplify:
            try:
                model = simplified(model, graph, SCALING if self.half else ())
                check(model, graph, "simplifying", axes)
            except ConversionError:
                check(onnx.load_from_string(exported), graph, "exporting", axes)  # perhaps it was wrong before
                raise
        else:
            check(model, graph, "exporting", axes)
        if self.half:
            store_halves(model)
            check(model, graph, "storing halves of", axes)
        describe(model, graph, self.metadata)
        write(self.path, model.SerializeToString(deterministic=True))
        return (self.path,)

    def stop(self) -> None:
        """Nothing runs beside this process."""


def free_axes(source: Source) -> Axes:
    """Where a model serves several sizes: meaning to {axis: what the size is called}."""
    graph, other = source.graph, source.other or source.graph
    free: Axes = {}
    tensors = zip((*graph.inputs, *graph.outputs), (*other.inputs, *other.outputs), strict=True)
    for tensor, again in tensors:
        for axis, (first_size, second_size) in enumerate(zip(tensor.shape, again.shape, strict=True)):
            if first_size != second_size:
                free.setdefault(tensor.meaning, {})[axis] = f"{tensor.meaning}_{AXES[axis]}"
    return free


def onnx_from_torchscript(
    traced: torch.jit.ScriptModule, graph: GraphSpec, opset: int, axes: Axes | None = None
) -> bytes:
    """The exporter's model, as the bytes of a file; tensors are called by their meaning.

    The exporter does not take every name that a file may have: no number, for example.

    Args:
        axes: as of :func:`free_axes`.

    Raises:
        ConversionError: with the exporter's first words.
    """
    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of torch.jit and of the exporter
            warnings.filterwarnings("ignore", message="no signature found for")  # of a script method, as it should be
            torch.onnx.export(
                traced,
                tuple(torch.zeros(tensor.shape) for tensor in graph.inputs),
                buffer,
                dynamo=False,
                opset_version=opset,
                input_names=[tensor.meaning for tensor in graph.inputs],
                output_names=[tensor.meaning for tensor in graph.outputs],
                dynamic_axes=axes or None,
            )
    except (RuntimeError, TypeError, ValueError, torch.onnx.errors.OnnxExporterError) as error:
        first = str(error).strip().partition("\n")[0]
        raise ConversionError(f"exporting {graph.name} to ONNX opset {opset} failed: {first}") from error
    return buffer.getvalue()


def state_outputs(model: onnx.ModelProto, graph: GraphSpec, axes: Axes) -> None:
    """Say of outputs what is known of them; of a graph for several sizes the exporter leaves even the batch open."""
    declared = {tensor.meaning: _shape(tensor, axes) for tensor in graph.outputs}
    for value in model.graph.output:
        for size, known in zip(value.type.tensor_type.shape.dim, declared.get(value.name, ()), strict=False):
            if isinstance(known, int):
                size.dim_value = known


def simplified(model: onnx.ModelProto, graph: GraphSpec, without: Sequence[str] = ()) -> onnx.ModelProto:
    """What onnxsim makes of the model, constants as initializers; its own comparison is left out, ours follows.

    Args:
        without: its passes to leave out.

    Raises:
        ConversionError: when onnxsim fails.
    """
    process.send_nothing()  # onnxsim imports onnxruntime
    with _without_sympy():
        import onnxsim  # not needed without this step

        simplify = onnxsim.simplify  # what is no such package at all lacks it
    try:
        result, _ = simplify(model, check_n=0, **({"skipped_optimizers": list(without)} if without else {}))
    except Exception as error:  # onnxsim raises what its C++ side throws
        first = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        raise ConversionError(f"onnxsim on {graph.name}: {first}; --no-simplify leaves it out") from error
    for node in [node for node in result.graph.node if node.op_type == "Constant"]:
        # some converters want the limits of a Clip as initializers
        result.graph.initializer.append(node.attribute[0].t)
        result.graph.initializer[-1].name = node.output[0]
        result.graph.node.remove(node)
    log.debug("onnxsim on %s: %d nodes, %d before", graph.name, len(result.graph.node), len(model.graph.node))
    return result


@contextmanager
def _without_sympy() -> Iterator[None]:
    """onnxsim would print formulas with it; it is half of what importing onnxsim takes."""
    hidden = sys.modules.setdefault("sympy", None) is None  # type: ignore[arg-type]  # None makes an import fail
    try:
        yield
    finally:
        if hidden:
            del sys.modules["sympy"]


def check(model: onnx.ModelProto, graph: GraphSpec, step: str, axes: Axes | None = None) -> None:
    """Valid for onnx, with the declared inputs and outputs in their order, all of it in the default domain.

    Raises:
        ConversionError: saying what the step changed.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, RuntimeError) as error:
        first = str(error).strip().partition("\n")[0]
        raise ConversionError(f"{step} {graph.name}: not a valid ONNX model: {first}") from error
    for what, values, declared in (
        ("inputs", model.graph.input, graph.inputs),
        ("outputs", model.graph.output, graph.outputs),
    ):
        actual = [_tensor(value) for value in values]
        expected = [(tensor.name, _shape(tensor, axes), "FLOAT") for tensor in declared]
        if actual != expected:
            raise ConversionError(f"{step} {graph.name}: {what} became {_listed(actual)}, expected {_listed(expected)}")
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx"):
            raise ConversionError(
                f"{step} {graph.name}: {node.domain}::{node.op_type} is not of the default ONNX domain"
            )


def _shape(tensor: TensorSpec, axes: Axes | None) -> Shape:
    free = (axes or {}).get(tensor.meaning, {})
    return tuple(free.get(axis, size) for axis, size in enumerate(tensor.shape))


def _tensor(value: onnx.ValueInfoProto) -> Found:
    kind = value.type.tensor_type
    shape = tuple(size.dim_value or size.dim_param or "?" for size in kind.shape.dim)
    return value.name, shape, onnx.TensorProto.DataType.Name(kind.elem_type)


def _listed(tensors: Iterable[Found]) -> str:
    return ", ".join(f"{name} {'x'.join(map(str, shape))} {kind}" for name, shape, kind in tensors) or "none"


def describe(model: onnx.ModelProto, graph: GraphSpec, metadata: Mapping[str, str]) -> None:
    """Producer and metadata, so that a lone file explains itself."""
    model.producer_name, model.producer_version = "lighttrack-export", version()
    tensors = {tensor.name: tensor.about for tensor in (*graph.inputs, *graph.outputs)}
    onnx.helper.set_model_props(model, {"graph": graph.name, "tensors": json.dumps(tensors), **metadata})
