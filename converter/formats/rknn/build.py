"""An ``.rknn`` built from its source, in a process of the toolkit's own."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from converter.errors import ConversionError
from converter.formats.rknn.process import Toolkit, worth_telling
from converter.formats.rknn.recipe import Recipe
from converter.util.atomic import write
from converter.util.paths import read_bytes

log = logging.getLogger(__name__)

SOURCE, BUILT = "model.onnx", "model.rknn"  # always called so: the toolkit may write what a file is called into another


@dataclass(frozen=True)
class Built:
    """What building gave.

    Attributes:
        data: of the ``.rknn``.
        warnings: of the toolkit, but for those that every model gets.
        operators: kinds of what the NPU computes, as the toolkit calls them.
        on_cpu: what the NPU does not compute, as "kind name".
        int8: how many layers the NPU computes in int8.
    """

    data: bytes
    warnings: list[str]
    operators: list[str]
    on_cpu: list[str]
    int8: int

    @property
    def found(self) -> dict[str, list[str] | int]:
        """What the toolkit said of the model, for a recipe."""
        found = {"warnings": self.warnings, "operators": self.operators, "on_cpu": self.on_cpu}
        return {**found, "int8": self.int8}


def build(toolkit: Toolkit, source: bytes, recipe: Recipe, inputs: Sequence[tuple[str, int]], runs: bool) -> Built:
    """Build in a process that has built nothing before: a second model's bytes depend on the first.

    Args:
        toolkit: a new one.
        source: an ONNX file.
        inputs: name and number of channels, in their order.
        runs: whether it is then to run in the simulator.

    Raises:
        ConversionError: with the toolkit's last error.
    """
    place, target = toolkit.work / SOURCE, toolkit.work / BUILT
    write(place, without_metadata(source))
    normalisation = recipe.normalisation(inputs)
    mean, std = normalisation or (None, None)
    answer, _ = toolkit.call(
        "build", onnx=str(place), rknn=str(target), target=recipe.target, mean=mean, std=std, runs=runs
    )
    data, warnings = _read(target, toolkit.what), worth_telling(_texts(answer, "warnings"))
    return Built(data, warnings, _texts(answer, "operators"), _texts(answer, "on_cpu"), int(answer["int8"]))


def without_metadata(source: bytes) -> bytes:
    """An ONNX file without what it says about itself, so that a build depends on the graph alone."""
    model = onnx.load_from_string(source)
    del model.metadata_props[:]
    bare: bytes = model.SerializeToString(deterministic=True)
    return bare


def _texts(answer: dict[str, Any], key: str) -> list[str]:
    return [str(text) for text in answer.get(key, ())]


def _read(path: Path, what: str) -> bytes:
    try:
        data = read_bytes(path)
    except OSError as error:
        raise ConversionError(f"{what}: the toolkit wrote no file: {error.strerror}") from None
    if not data.startswith(b"RKNN"):
        raise ConversionError(f"{what}: what the toolkit wrote begins with {data[:4]!r}, expected b'RKNN'")
    return data
