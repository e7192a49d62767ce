"""Reading an export back: its manifest, its models, and whether the files are still those that passed."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.errors import UsageError, VerificationError
from converter.folder.listing import LARGEST_FILE
from converter.folder.manifest import MANIFEST, GraphEntry, Manifest
from converter.folder.workspace import foreign_files
from converter.formats.format import format_names, format_of
from converter.spec.model import Model
from converter.spec.network import NetworkSpec
from converter.spec.tensors import GraphSpec, TensorSpec
from converter.util.atomic import sha256

TORCHSCRIPT = ".pt"


@dataclass(frozen=True)
class FileProblem:
    """A file in an export folder that is not as its manifest says."""

    file: str
    problem: str

    def __str__(self) -> str:
        return f"{self.file} {self.problem}"

    def as_dict(self) -> dict[str, str]:
        return {"file": self.file, "problem": self.problem}


def describe(model: Model, folder: Path, checksums: Mapping[Path, str | None]) -> dict[str, Any]:
    """A model for the result's JSON: files with checksums, blobs with meanings."""
    tensors = [("input", tensor) for tensor in model.graph.inputs]
    tensors += [("output", tensor) for tensor in model.graph.outputs]
    return {
        "name": model.graph.name,
        "format": model.format,
        "files": [{"name": str(path), "sha256": checksums[path]} for path in model.paths(folder)],
        "names_from": model.names_from,
        "tensors": [{"role": role, **tensor.model_dump(mode="json")} for role, tensor in tensors],
    }


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
        VerificationError: when it lists no graph of these sizes, or a graph's tensors or shapes are not what they
            have to be: an output that it leaves out would be compared with nothing.
    """
    modes = {entry.mode: name for name, entry in network.graphs.items()}
    size = network.sizes
    models = []
    for graph in manifest.graphs:
        mode = graph.mode or (network.graphs[graph.name].mode if graph.name in network.graphs else None)
        if graph.format not in format_names() or mode not in modes:
            raise UsageError(f"export {folder}: unknown graph {graph.format} {graph.name}; is it of a newer lt-export?")
        sizes = [each.pair for each in graph.sizes] or [manifest.tracker.pair]
        if (formats and graph.format not in formats) or size not in sizes:
            continue
        first = size == sizes[0]
        own = modes[mode]
        for side, tensors, expected in (
            ("inputs", graph.inputs, network.inputs_of(own)),
            ("outputs", graph.outputs, network.graphs[own].outputs),
        ):
            if sorted(tensor.meaning for tensor in tensors) != sorted(expected):
                found = ", ".join(tensor.meaning for tensor in tensors) or "none"
                raise VerificationError(
                    f"{MANIFEST}: {graph.format} {graph.name} has {side} {found}, expected {', '.join(expected)}"
                )
        inputs, outputs = (
            tuple(_shaped(tensor, graph, declared, first) for tensor in tensors)
            for tensors in (graph.inputs, graph.outputs)
        )
        spec = GraphSpec(name=graph.name, family=network.family, mode=mode, inputs=inputs, outputs=outputs)
        models.append(Model(spec, graph.format, tuple(file.name for file in graph.files)))
    if not models:
        listed = sorted({graph.format for graph in manifest.graphs})
        if formats and not {*formats} & {*listed}:
            raise UsageError(f"--format {formats[0]}: the export has {' and '.join(listed)} only")
        raise VerificationError(f"{folder / MANIFEST}: no graph has the sizes {size[0]}/{size[1]} that it lists")
    return models


def _shaped(tensor: TensorSpec, graph: GraphEntry, declared: Mapping[str, TensorSpec], first: bool) -> TensorSpec:
    """A tensor at the sizes looked at; the manifest has its shape at the graph's first."""
    declared_tensor = declared.get(tensor.meaning)
    if declared_tensor is None or (first and declared_tensor.shape != tensor.shape):
        raise VerificationError(
            f"manifest.json: {graph.format} {graph.name} has {tensor.name} as {tensor.meaning} "
            f"{tensor.shape}, expected {declared_tensor.shape if declared_tensor else 'a tensor of the config'}"
        )
    for key in ("dtype", "mask_of", "activation"):
        found, expected = getattr(tensor, key), getattr(declared_tensor, key)
        if found != expected:
            raise VerificationError(
                f"{MANIFEST}: {graph.format} {graph.name} has {key} {found!r} for {tensor.name}, expected {expected!r}"
            )
    return tensor.model_copy(update={"shape": declared_tensor.shape})


def checksums_of(paths: Iterable[Path]) -> dict[Path, str | None]:
    """sha256 of files, None where one is missing.

    Raises:
        VerificationError: for one that is larger than any model.
    """
    return {path: _sha256(path) if os.path.isfile(path) else None for path in paths}


def _sha256(path: Path) -> str:
    if (size := path.stat().st_size) > LARGEST_FILE:
        raise VerificationError(f"{path} has {size} bytes, expected at most {LARGEST_FILE}")
    return sha256(path)


def changed_since(checksums: Mapping[Path, str | None]) -> list[FileProblem]:
    """Files that are others than those which were read; paths to their checksums then, None for one left out."""
    now = checksums_of(path for path, checksum in checksums.items() if checksum)
    return [
        FileProblem(path.name, "changed while it was verified: what lies there now was not")
        for path, checksum in now.items()
        if checksum != checksums[path]
    ]


def listed_paths(folder: Path, manifest: Manifest) -> list[Path]:
    return [folder / name for name in manifest.checksums()]


def file_problems(
    folder: Path, manifest: Manifest, checksums: Mapping[Path, str | None] | None = None
) -> list[FileProblem]:
    """Model files that changed, are missing, or belong to no graph.

    Args:
        checksums: of all files that the manifest lists, where they are known.
    """
    checksums = checksums_of(listed_paths(folder, manifest)) if checksums is None else checksums
    problems = []
    sizes = {file.name: file.bytes for graph in manifest.graphs for file in graph.files}
    for name, checksum in manifest.checksums().items():
        path = folder / name
        if checksums[path] is None:
            problems.append(FileProblem(name, "is missing"))
        elif checksums[path] != checksum:
            size, listed = path.stat().st_size, sizes.get(name)
            grown = f": {size} bytes, the manifest says {listed}" if listed not in (None, size) else ""
            problems.append(FileProblem(name, f"has changed since the export{grown}"))
    suffixes = {TORCHSCRIPT, *(suffix for name in format_names() for suffix in format_of(name).suffixes)}
    for name in foreign_files(folder):
        if Path(name).suffix in suffixes:
            problems.append(FileProblem(name, "is no part of the export"))
    return problems
