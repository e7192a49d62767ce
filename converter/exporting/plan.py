"""What an export and a later verification have in common: stages, sizes, inputs, and the reference's answers."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from converter.errors import CheckpointError, UsageError
from converter.families.family import FAMILIES
from converter.spec.dimensions import Dimensions
from converter.spec.network import GraphSpec, NetworkSpec, TensorSpec
from converter.spec.options import NetworkOptions

StageCallback = Callable[[str, float | None, str], None]


class Stages:
    """Tells a callback when a stage begins (seconds None) and ends (seconds, a note).

    Args:
        callback: (name, seconds, note).
    """

    def __init__(self, callback: StageCallback | None = None):
        self._callback = callback or (lambda name, seconds, note: None)

    @contextmanager
    def __call__(self, name: str) -> Iterator[list[str]]:
        """The block is the stage; what it appends to the list becomes the note."""
        start = time.perf_counter()
        notes: list[str] = []
        self._callback(name, None, "")
        yield notes
        self._callback(name, time.perf_counter() - start, ", ".join(notes))


def network_dimensions(options: NetworkOptions) -> Dimensions:
    """The sizes, stride and cells of the network that the options describe.

    Raises:
        ArchitectureError, UsageError: when they describe none.
    """
    spec = options.network
    if spec.family not in FAMILIES:
        raise UsageError(f"config: unknown family {spec.family!r}, known are {', '.join(FAMILIES)}")
    if spec.search_size < spec.template_size:
        raise UsageError(
            f"--search-size {spec.search_size}: smaller than the template, {spec.template_size}; "
            "expected the larger crop, for example 288 beside 127"
        )
    dimensions = FAMILIES[spec.family].dimensions(spec.path_name, spec.template_size, spec.search_size)
    if options.stride not in (None, dimensions.stride):
        raise UsageError(
            f"--stride {options.stride}: the output of path name {spec.path_name} has stride {dimensions.stride}; "
            f"pass --stride {dimensions.stride} or leave it out"
        )
    return dimensions


def check_checkpoint(path: Path) -> None:
    """Raises:
    CheckpointError: when there is no such file.
    """
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "no such file"
        raise CheckpointError(f"checkpoint {path}: {found}, expected a file written by torch.save")


def image_inputs(graphs: Iterable[GraphSpec]) -> tuple[TensorSpec, ...]:
    """The inputs that no graph produces, called by their meaning: template and search crop, and their masks."""
    graphs = list(graphs)
    produced = {tensor.meaning for graph in graphs for tensor in graph.outputs}
    inputs = {tensor.meaning: tensor for graph in graphs for tensor in graph.inputs}
    return tuple(
        tensor.model_copy(update={"name": meaning}) for meaning, tensor in inputs.items() if meaning not in produced
    )


def reference_answers(module: Any, spec: NetworkSpec, images: Sequence[TensorSpec], feeds: Sequence) -> list[dict]:
    """What the unpatched network says to every feed: tensors of the config by name."""
    from converter.network.reference import TorchReference

    reference = TorchReference(module, FAMILIES[spec.family], images, spec.activations)
    return [reference.infer(feed.tensors) for feed in feeds]


def reference_words(network: Any) -> str:
    """Who computed the reference answers."""
    return f"unpatched {network.methods}, {network.source}, torch on the CPU"
