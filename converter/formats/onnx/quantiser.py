"""int8 arithmetic in ONNX models: which layers can have it, and the models for any set of them."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import onnx

from converter.errors import ConversionError
from converter.formats.int8 import Int8Layer, LayerProof
from converter.formats.moments import Fed
from converter.formats.onnx.file import load_model
from converter.formats.onnx.layers import blocks_of, layers_of
from converter.formats.onnx.observed import Observed, observe
from converter.formats.onnx.proof import proofs
from converter.formats.onnx.qdq import Quantised
from converter.formats.onnx.small import Key, Small, smaller, weighted
from converter.formats.onnx.whole import HOST, Style
from converter.util.atomic import write

LEAST_OPSET = 13  # has a scale for every channel


class OnnxQuantiser:
    """A tracker's ONNX models with what calibration has shown of them; see :class:`converter.formats.int8.Quantiser`.

    Args:
        models: in float32, each with the inputs that it is shown.
        in_bytes: names of the graphs whose weights are stored in a byte each, and nothing else of them changes.
        style: for what runs them; where that takes no weights in bytes, nothing of those graphs changes at all.

    Raises:
        ConversionError: for models that cannot be read or run, and for those of an opset that lacks what it takes.
    """

    def __init__(self, models: Sequence[Fed], in_bytes: Collection[str], style: Style = HOST):
        loaded = [load_model(fed.files[0]) for fed in models]
        for fed, model in zip(models, loaded, strict=True):
            _check_opset(fed.files[0], model)
        small: Mapping[Key, Small] = {}
        if style.in_bytes:
            small = smaller([(fed, weighted(model)) for fed, model in zip(models, loaded, strict=True)])
        self.layers: Sequence[Int8Layer] = []
        self._models: dict[Path, Quantised] = {}
        self._fed = {fed.files[0]: fed for fed in models}
        found = []
        for fed, model in zip(models, loaded, strict=True):
            graph = fed.graph.name
            layers = [] if graph in in_bytes else layers_of(model, graph)
            layers = style.layers_of(layers)
            observed = observe(fed, layers) if layers else Observed({}, {})
            self._models[fed.files[0]] = Quantised(model, layers, observed, small, style)
            block = blocks_of(model, graph)
            found += [
                Int8Layer(layer.name, graph, block[layer.name], observed.multiply_adds[layer]) for layer in layers
            ]
        self.layers = found

    def write(self, int8: Collection[str], corrected: bool, folder: Path) -> None:
        """As :meth:`converter.formats.int8.Quantiser.write`."""
        for path, quantised in self._models.items():
            model = quantised.model(int8, corrected)
            try:
                onnx.checker.check_model(model, full_check=True)
            except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, RuntimeError) as error:
                first = str(error).strip().partition("\n")[0]
                raise ConversionError(f"int8 in {path.name}: not a valid ONNX model: {first}") from error
            data = model.SerializeToString(deterministic=True)
            write(folder / path.name, data)

    def draft(self, int8: Collection[str], corrected: bool, folder: Path) -> None:
        """As :meth:`converter.formats.int8.Quantiser.draft`: the models themselves."""
        self.write(int8, corrected, folder)

    def prove(self, int8: Collection[str], folder: Path) -> Sequence[LayerProof]:
        """As :meth:`converter.formats.int8.Quantiser.prove`; layers are held against the nodes in the file."""
        found: list[LayerProof] = []
        for path, quantised in self._models.items():
            if layers := quantised.names & {*int8}:
                found += proofs(self._fed[path], folder / path.name, layers)
        return found

    def beside(self, int8: Collection[str]) -> Mapping[str, str]:
        """As :meth:`converter.formats.int8.Quantiser.beside`: none, for ONNX says it all."""
        return {}


def _check_opset(path: Path, model: onnx.ModelProto) -> None:
    version = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 0)
    if version < LEAST_OPSET:
        raise ConversionError(
            f"int8 in {path.name}: it has opset {version}, expected {LEAST_OPSET} or later; pass --opset {LEAST_OPSET}"
        )
