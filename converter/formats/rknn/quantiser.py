"""int8 arithmetic in RKNN models: sources that round what is to be int8, and what the toolkit makes of them.

The toolkit takes QuantizeLinear and DequantizeLinear for the marks of a network that was trained with them: a layer
between two pairs computes in int8 with those scales, and every other one in half. So no data set is needed to build the
model again, and the source beside an ``.rknn`` says all that is in it. onnxruntime gets nearly the same numbers from it
in a fraction of the time, so that it stands for the simulator while sets of layers are tried.
"""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import onnx

from converter.errors import ConversionError
from converter.formats.int8 import Int8Layer, LayerProof
from converter.formats.moments import Fed
from converter.formats.onnx.quantiser import OnnxQuantiser
from converter.formats.onnx.whole import Style
from converter.formats.rknn.build import build
from converter.formats.rknn.process import Toolkit
from converter.formats.rknn.proof import proofs
from converter.formats.rknn.recipe import read_recipe, write_recipe
from converter.formats.rknn.root import rknn_root
from converter.util.atomic import write
from converter.util.paths import read_bytes

# The toolkit's build ends in an IndexError without the zeros. With weights in bytes before layers in half, with layers
# in int8 that give floats, or with one that reads what others read as floats, its words are "Invalid w_par['dtype']".
# With products of rows of features alone it does not end: two of its passes undo each other.
NPU = Style(most=127, zeros=True, in_bytes=False, guarded=False, products=False, apart=True, evened=False)
AT_ONCE = 2  # builds


class RknnQuantiser:
    """A tracker's models for an NPU with what calibration has shown of their sources; see
    :class:`converter.formats.int8.Quantiser`.

    Args:
        models: in half, each with its source and the inputs that it is shown.
        in_bytes: names of the graphs that stay as they are: an NPU has no weights in a byte for arithmetic in half.

    Raises:
        ConversionError: as :class:`converter.formats.onnx.quantiser.OnnxQuantiser`.
        DependencyError: when the toolkit is not set up.
    """

    def __init__(self, models: Sequence[Fed], in_bytes: Collection[str]):
        self._models = [(fed.files[0], replace(fed, files=fed.files[1:])) for fed in models]
        self._sources = OnnxQuantiser([fed for _, fed in self._models], in_bytes, NPU)
        self._root = rknn_root()
        self.layers: Sequence[Int8Layer] = self._sources.layers

    def draft(self, int8: Collection[str], corrected: bool, folder: Path) -> None:
        """As :meth:`converter.formats.int8.Quantiser.draft`: the sources."""
        self._sources.write(int8, corrected, folder)

    def write(self, int8: Collection[str], corrected: bool, folder: Path) -> None:
        """As :meth:`converter.formats.int8.Quantiser.write`."""
        self.draft(int8, corrected, folder)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda model: self._build(model[0], model[1], int8, folder), self._models))

    def prove(self, int8: Collection[str], folder: Path) -> Sequence[LayerProof]:
        """As :meth:`converter.formats.int8.Quantiser.prove`; layers are held against the nodes in the sources."""
        found: list[LayerProof] = []
        for _, fed in self._models:
            if layers := self._of(fed, int8):
                found += proofs(self._root, fed, folder / fed.files[0].name, layers)
        return found

    def beside(self, int8: Collection[str]) -> Mapping[str, str]:
        """As :meth:`converter.formats.int8.Quantiser.beside`: none, for the sources are there."""
        return {}

    def _of(self, fed: Fed, int8: Collection[str]) -> list[str]:
        """Those of some layers that are in a graph."""
        return [layer.name for layer in self.layers if layer.graph == fed.graph.name and layer.name in int8]

    def _build(self, file: Path, fed: Fed, int8: Collection[str], folder: Path) -> None:
        """Build a model of its source.

        Raises:
            ConversionError: with the toolkit's last error, and where it leaves a layer in half. What has no weights of
                its own may be int8 between two layers that are.
        """
        source = folder / fed.files[0].name
        data, toolkit = read_bytes(source), Toolkit(self._root, f"rknn {fed.graph.name}")
        recipe = read_recipe(source)
        inputs = [(tensor.name, tensor.shape[1]) for tensor in fed.graph.inputs]
        try:
            built = build(toolkit, data, recipe, inputs, runs=False)
        finally:
            toolkit.stop()
        if built.int8 < (wanted := len(self._of(fed, int8))):
            raise ConversionError(
                f"int8 in {file.name}: rknn-toolkit2 {self._root.toolkit} computes {built.int8} layers in int8 for "
                f"{recipe.target}, expected {wanted} or more"
            )
        model = onnx.load_from_string(data)
        write_recipe(model, recipe.model_copy(update=built.found))
        write(folder / file.name, built.data)
        write(source, model.SerializeToString(deterministic=True))
