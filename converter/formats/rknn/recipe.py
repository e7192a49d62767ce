"""What an ``.rknn`` is built from: an ONNX file beside it that says for which chip and with which preprocessing.

The simulator runs no ``.rknn``, only what was built from its source in the same process. So the source is kept.
"""

from collections.abc import Sequence
from typing import Annotated

import onnx
from pydantic import Field, JsonValue, ValidationError

from converter.errors import ConversionError
from converter.formats.onnx.file import load_model
from converter.formats.rknn.reported import reported
from converter.spec.tensors import Frozen
from converter.util.content import File

KEY = "rknn"
Shapes = dict[str, tuple[int, ...] | None]
Three = Annotated[list[float], Field(min_length=3, max_length=3)]


class Recipe(Frozen):
    """How the toolkit is to build a model.

    Attributes:
        target: the chip.
        toolkit: its version.
        images: names of the inputs whose pixels the model normalises itself; None where it does not.
        mean, std: of those pixels, 0 to 255, one for each channel.
        operators: kinds of what the NPU computes, as the toolkit calls them.
        on_cpu: what the NPU does not compute, as "kind name".
        warnings: of the toolkit, but for those that every model gets.
        int8: how many layers the NPU computes in int8.
    """

    target: str
    toolkit: str
    images: list[str] | None = None
    mean: Three = Field(default_factory=lambda: [0.0, 0.0, 0.0])
    std: Three = Field(default_factory=lambda: [1.0, 1.0, 1.0])
    operators: list[str] = Field(default_factory=list)
    on_cpu: list[str] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)
    int8: int = 0

    def notes(self) -> list[str]:
        """What is to be known of the model on a board, a line each: what the simulator cannot tell."""
        lines = [f"the toolkit says: {line}" for line in self.warnings]
        if self.on_cpu:
            lines.append(f"the NPU does not compute {', '.join(self.on_cpu)}; its driver does on the CPU")
        return lines + reported(self.target, self.operators)

    def is_pixels(self, name: str) -> bool:
        """Whether an input takes pixels as they are: uint8, NHWC."""
        return self.images is not None and name in self.images

    def normalisation(self, inputs: Sequence[tuple[str, int]]) -> tuple[list[list[float]], list[list[float]]] | None:
        """The mean and the std of every channel of every input, for the toolkit; None where it is left out.

        Args:
            inputs: name and number of channels, in their order.
        """
        if self.images is None:
            return None
        means = [self.mean if self.is_pixels(name) else [0.0] * channels for name, channels in inputs]
        stds = [self.std if self.is_pixels(name) else [1.0] * channels for name, channels in inputs]
        return means, stds

    def described(self, name: str, shape: Sequence[int]) -> dict[str, JsonValue]:
        """An input or output as a board gets it or gives it."""
        if not self.is_pixels(name):
            return {"layout": "NCHW" if len(shape) == 4 else "as it is", "dtype": "float32", "shape": list(shape)}
        batch, channels, height, width = shape
        numbers: dict[str, JsonValue] = {"mean": list(self.mean), "std": list(self.std)}
        return {"layout": "NHWC", "dtype": "uint8", "shape": [batch, height, width, channels], **numbers}


def write_recipe(model: onnx.ModelProto, recipe: Recipe) -> None:
    """Say it in the file.

    Args:
        model: changed in place.
    """
    kept = {entry.key: entry.value for entry in model.metadata_props}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {**kept, KEY: recipe.model_dump_json()})


def read_recipe(file: File) -> Recipe:
    """What the source of an ``.rknn`` says.

    Raises:
        ConversionError: when it is no ONNX file, or says nothing of it.
    """
    stated = {entry.key: entry.value for entry in load_model(file).metadata_props}
    if KEY not in stated:
        raise ConversionError(f"{file.name} does not say how an .rknn is built from it (no {KEY!r} in its metadata)")
    try:
        return Recipe.model_validate_json(stated[KEY])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConversionError(
            f"{file.name}: {KEY} in its metadata is damaged: {where} {first['msg'].lower()}"
        ) from None


def interface(file: File) -> tuple[Shapes, Shapes]:
    """Names and shapes of a source's inputs and outputs.

    Raises:
        ConversionError: when it is no ONNX file.
    """
    graph = load_model(file).graph
    return _shapes(graph.input), _shapes(graph.output)


def about(file: File) -> dict[str, JsonValue]:
    """A source's graph, its inputs and its outputs as a board gets and gives them, for a manifest."""
    model, recipe = load_model(file), read_recipe(file)
    stated = {entry.key: entry.value for entry in model.metadata_props}
    inputs, outputs = interface(file)
    tensors: dict[str, JsonValue] = {
        side: {name: recipe.described(name, shape or ()) for name, shape in shapes.items()}
        for side, shapes in (("inputs", inputs), ("outputs", outputs))
    }
    more: dict[str, JsonValue] = {
        "operators": list(recipe.operators),
        "operators_on_cpu": list(recipe.on_cpu),
        "layers_in_int8": recipe.int8,
        "warnings": list(recipe.warnings),
        "reported_to_differ": list(reported(recipe.target, recipe.operators)),
    }
    return {"graph": stated.get("graph", ""), **tensors, **more}


def _shapes(values: Sequence[onnx.ValueInfoProto]) -> Shapes:
    sizes = {value.name: [size.dim_value for size in value.type.tensor_type.shape.dim] for value in values}
    return {name: tuple(shape) if shape and all(shape) else None for name, shape in sizes.items()}
