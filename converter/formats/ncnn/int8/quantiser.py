"""ncnn models in int8: calibrated once, and written for any set of layers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from converter.errors import ConversionError
from converter.formats.int8 import Int8Layer, LayerProof
from converter.formats.moments import Fed
from converter.formats.ncnn.int8.calibration import Calibrated, calibrated
from converter.formats.ncnn.int8.layers import NcnnModel, with_int8
from converter.formats.ncnn.int8.proof import int8_proof, intended
from converter.formats.ncnn.int8.table import table_text
from converter.formats.ncnn.small import measured, small_weights
from converter.formats.ncnn.weights import Stored, load_model
from converter.util.atomic import write


@dataclass(frozen=True, eq=False)
class _Model:
    """One model.

    Attributes:
        fed: its files and what it is shown.
        source: as it is.
        small: the same with its weights in a byte each.
        calibrated: layer to what is known of those that can be int8, in the order in which they run.
    """

    fed: Fed
    source: NcnnModel
    small: NcnnModel
    calibrated: Mapping[str, Calibrated]

    def chosen(self, int8: Collection[str]) -> dict[str, Calibrated]:
        """Layers to be int8, by their name in the file."""
        return {name: each for name, each in self.calibrated.items() if each.listed.name in int8}


class NcnnQuantiser:
    """A tracker's ncnn models, calibrated.

    Args:
        models: with what they are shown.
        in_bytes: names of graphs none of whose layers is to compute in int8.

    Raises:
        ConversionError: for models that cannot be read or run, or whose inner numbers are not finite.
    """

    def __init__(self, models: Sequence[Fed], in_bytes: Collection[str] = ()):
        loaded = [load_model(*fed.files) for fed in models]
        shown = [measured(fed, model) for fed, model in zip(models, loaded, strict=True)]
        found = [
            {} if fed.graph.name in in_bytes else dict(calibrated(fed, model, moments))
            for fed, model, moments in zip(models, loaded, shown, strict=True)
        ]
        small = small_weights(loaded, shown)
        self._models = [
            _Model(fed, source, (source[0], weights), layers)
            for fed, source, weights, layers in zip(models, loaded, small, found, strict=True)
        ]
        self.layers: Sequence[Int8Layer] = [each.listed for model in self._models for each in model.calibrated.values()]

    def write(self, int8: Collection[str], corrected: bool, folder: Path) -> None:
        """As of :class:`converter.formats.int8.Quantiser`."""
        self._check(int8)
        stored: dict[tuple[Path, ...], dict[str, tuple[Stored, ...]]] = {}
        for model in self._models:  # one file may serve several graphs
            stored.setdefault(model.fed.files, {}).update(
                (name, each.corrected if corrected else each.plain) for name, each in model.chosen(int8).items()
            )
        for model in self._models:
            graph, weights = with_int8(*model.small, stored[model.fed.files])
            param, bin_file = model.fed.files
            write(folder / param.name, graph.text().encode())
            write(folder / bin_file.name, weights.data())

    def draft(self, int8: Collection[str], corrected: bool, folder: Path) -> None:
        """As of :class:`converter.formats.int8.Quantiser`: the models themselves."""
        self.write(int8, corrected, folder)

    def prove(self, int8: Collection[str], folder: Path) -> Sequence[LayerProof]:
        """As of :class:`converter.formats.int8.Quantiser`; on the first feed of each model."""
        self._check(int8)
        proofs = []
        for model in self._models:
            chosen = model.chosen(int8)
            wanted = intended(model.source, {name: each.scales for name, each in chosen.items()})
            files = tuple(folder / file.name for file in model.fed.files)
            for proof in int8_proof(files, model.fed.graph, model.fed.feeds[0], wanted):
                proofs.append(replace(proof, name=chosen[proof.name].listed.name))
        return proofs

    def beside(self, int8: Collection[str]) -> Mapping[str, str]:
        """Calibration tables as ncnn2int8 takes them, for each model with int8 layers."""
        return {
            f"{model.fed.files[0].stem}.table": self.table(model.fed.graph.name, int8)
            for model in self._models
            if model.chosen(int8)
        }

    def table(self, graph: str, int8: Collection[str]) -> str:
        """The calibration table of a graph's int8 layers, which makes them of the float32 model by ncnn2int8.

        Raises:
            ConversionError: for a layer whose name cannot be in a table.
        """
        self._check(int8)
        model = next(model for model in self._models if model.fed.graph.name == graph)
        return table_text({name: each.scales for name, each in model.chosen(int8).items()})

    def _check(self, int8: Collection[str]) -> None:
        if unknown := sorted({*int8} - {layer.name for layer in self.layers}):
            raise ConversionError(f"layer {unknown[0]!r} cannot compute in int8, expected one of {len(self.layers)}")
