"""Reading an export back: its manifest, its models, and whether the files are still those that passed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from converter.errors import UsageError, VerificationError
from converter.folder.manifest import MANIFEST, listed_files
from converter.folder.workspace import foreign_files
from converter.spec.model import Model
from converter.spec.network import FORMAT_NAMES, GraphSpec, NetworkSpec, TensorSpec, Tolerance
from converter.util.files import sha256

MODEL_SUFFIXES = (".param", ".bin", ".onnx", ".pt")


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _File(_Read):
    name: str
    sha256: str
    bytes: int


class _Sizes(_Read):
    template_size: int
    search_size: int

    @property
    def pair(self) -> tuple[int, int]:
        return self.template_size, self.search_size


class _Graph(_Read):
    name: str
    mode: str | None = None
    format: str
    files: Annotated[tuple[_File, ...], Field(min_length=1)]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    sizes: tuple[_Sizes, ...] = ()


class _Checkpoint(_Read):
    file: str
    sha256: str
    epoch: Any = None


class _Tracker(_Sizes):
    sizes: tuple[_Sizes, ...] = ()


class _Format(_Read):
    split: str | None = None


class _Verification(_Read):
    status: str
    seed: int = 0
    tolerances: dict[str, Tolerance] = {}


class Manifest(_Read):
    """What ``lt-verify`` needs of a ``manifest.json``; ``data`` is all of it."""

    arch: str
    path_name: str
    checkpoint: _Checkpoint
    precision: str
    formats: dict[str, _Format] = {}
    graphs: Annotated[tuple[_Graph, ...], Field(min_length=1)]
    tracker: _Tracker
    verification: _Verification
    golden: str | None = None
    data: dict[str, Any] = {}

    def config(self) -> dict[str, Any]:
        """What it says of its network, as keys of a config; the first of its sizes."""
        inputs = [tensor for graph in self.graphs for tensor in graph.inputs]
        outputs = [tensor for graph in self.graphs for tensor in graph.outputs]
        return {
            "path_name": self.path_name,
            "template_size": self.tracker.template_size,
            "search_size": self.tracker.search_size,
            "masks": any(tensor.mask_of for tensor in inputs),
            "activations": {tensor.meaning: tensor.activation for tensor in outputs if tensor.activation},
        }

    def sizes(self) -> list[tuple[int, int]]:
        """Template and search sizes that it was verified at, the first first."""
        return list(dict.fromkeys([self.tracker.pair, *(each.pair for each in self.tracker.sizes)]))


def describe(model: Model, folder: Path) -> dict[str, Any]:
    """A model for the result's JSON: files with checksums, blobs with meanings."""
    tensors = [("input", tensor) for tensor in model.graph.inputs]
    tensors += [("output", tensor) for tensor in model.graph.outputs]
    return {
        "name": model.graph.name,
        "format": model.format,
        "files": [
            {"name": str(path), "sha256": sha256(path) if path.is_file() else None} for path in model.paths(folder)
        ],
        "names_from": model.names_from,
        "tensors": [{"role": role, **tensor.model_dump(mode="json")} for role, tensor in tensors],
    }


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an export folder.

    Raises:
        UsageError: when the folder is none of ours.
        VerificationError: when the manifest is damaged.
    """
    path = folder / MANIFEST
    try:
        text = path.read_bytes()
    except OSError as error:
        if not folder.is_dir():
            found = "is a file" if folder.is_file() else "no such folder"
            raise UsageError(f"export {folder}: {found}, expected a folder that lt-export wrote") from None
        raise UsageError(
            f"export {folder}: {MANIFEST}: {error.strerror}; for models without one pass --init and --update"
        ) from None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise VerificationError(f"{path} is damaged: {' '.join(str(error).split())}") from None
    if listed_files(data) is None:
        raise UsageError(f"export {folder}: {MANIFEST} is none of lt-export's, or of a version unknown here")
    try:
        return Manifest.model_validate_json(text).model_copy(update={"data": data})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise VerificationError(f"{path} is damaged: {where}: {first['msg']}") from None


def models_of(
    folder: Path, manifest: Manifest, network: NetworkSpec, declared: Mapping[str, TensorSpec], formats: Sequence[str]
) -> list[Model]:
    """The models of a manifest that are run with the network's template and search size.

    Args:
        network: the config, which knows the forward mode of every graph.
        declared: meaning to tensor at these sizes.
        formats: to leave the others out; all when empty.

    Raises:
        UsageError: when it lists none of these formats, or a graph that the config does not know.
        VerificationError: when it lists no graph of these sizes, or a shape is not what it has to be.
    """
    modes = {entry.mode for entry in network.graphs.values()}
    size = network.sizes
    models = []
    for graph in manifest.graphs:
        mode = graph.mode or (network.graphs[graph.name].mode if graph.name in network.graphs else None)
        if graph.format not in FORMAT_NAMES or mode not in modes:
            raise UsageError(f"export {folder}: unknown graph {graph.format} {graph.name}; is it of a newer lt-export?")
        sizes = [each.pair for each in graph.sizes] or [manifest.tracker.pair]
        if (formats and graph.format not in formats) or size not in sizes:
            continue
        first = size == sizes[0]
        inputs, outputs = (
            tuple(_shaped(tensor, graph, declared, first) for tensor in tensors)
            for tensors in (graph.inputs, graph.outputs)
        )
        spec = GraphSpec(name=graph.name, mode=mode, inputs=inputs, outputs=outputs)
        models.append(Model(spec, graph.format, tuple(file.name for file in graph.files)))
    if not models:
        listed = sorted({graph.format for graph in manifest.graphs})
        if formats and not {*formats} & {*listed}:
            raise UsageError(f"--format {formats[0]}: the export has {' and '.join(listed)} only")
        raise VerificationError(f"{folder / MANIFEST}: no graph has the sizes {size[0]}/{size[1]} that it lists")
    return models


def _shaped(tensor, graph, declared, first):
    """A tensor at the sizes looked at; the manifest has its shape at the graph's first."""
    known = declared.get(tensor.meaning)
    if known is None or (first and known.shape != tensor.shape):
        raise VerificationError(
            f"manifest.json: {graph.format} {graph.name} has {tensor.name} as {tensor.meaning} "
            f"{tensor.shape}, expected {known.shape if known else 'a tensor of the config'}"
        )
    return tensor.model_copy(update={"shape": known.shape})


def file_problems(folder: Path, manifest: Manifest) -> list[dict[str, str]]:
    """Model files that changed, are missing, or belong to no graph: [{file, problem}]."""
    problems = []
    sizes = {file.name: file.bytes for graph in manifest.graphs for file in graph.files}
    for name, checksum in listed_files(manifest.data).items():
        path = folder / name
        if not path.is_file():
            problems.append({"file": name, "problem": "is missing"})
        elif sha256(path) != checksum:
            found, listed = path.stat().st_size, sizes.get(name)
            grown = f": {found} bytes, the manifest says {listed}" if listed not in (None, found) else ""
            problems.append({"file": name, "problem": f"has changed since the export{grown}"})
    for name in foreign_files(folder):
        if Path(name).suffix in MODEL_SUFFIXES:
            problems.append({"file": name, "problem": "is no part of the export"})
    return problems
