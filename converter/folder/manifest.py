"""What an export folder says about itself: ``manifest.json``."""

import json
import platform
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from converter import __version__
from converter.spec.dimensions import Dimensions
from converter.spec.model import Model, TrackerModels
from converter.spec.network import NetworkSpec, TensorSpec
from converter.spec.options import ExportOptions
from converter.util.files import sha256

MANIFEST = "manifest.json"
GOLDEN_INDEX = "index.json"
SCHEMA_VERSION = 1
GENERATOR = "lighttrack-export"


def listed_files(data: Any) -> dict[str, str] | None:
    """Name to sha256 of every file that a manifest or an index of golden vectors lists; None for other JSON."""
    try:
        if (data["generator"]["name"], data["schema_version"]) != (GENERATOR, SCHEMA_VERSION):
            return None
        if "files" in data:
            files = data["files"]
        else:
            files = [*data["extra_files"], *(file for graph in data["graphs"] for file in graph["files"])]
        return {file["name"]: file["sha256"] for file in files}
    except (KeyError, TypeError):
        return None


def build_manifest(
    options: ExportOptions,
    made: Any,
    extra_files: Sequence[Path],
    packages: Iterable[str],
    golden: str | None = None,
) -> dict[str, Any]:
    """The manifest of an export; the same export gives the same manifest.

    Args:
        made: a :class:`converter.exporting.pipeline.Made`.
        extra_files: published files that belong to no graph.
        packages: whose versions to record.
        golden: where the golden vectors are, from the export folder.
    """
    network, trackers = made.network, made.trackers
    graphs = _graphs(trackers)
    about = about_network(options.arch, options.network, trackers[0].dimensions, network)
    return {
        "schema_version": SCHEMA_VERSION,
        "generator": {"name": GENERATOR, "version": __version__},
        "arch": about["arch"],
        "path_name": about["path_name"],
        "network": network.source,
        "checkpoint": about["checkpoint"],
        "parameters": network.parameters,
        "multiply_adds": {model.graph.name: made.multiply_adds[model.graph] for model in graphs},
        "formats": {name: _format(options, made, name) for name in options.formats},
        "preset": options.preset,
        "precision": options.precision,
        "protected_from_half": made.protected,
        "graphs": [_graph(model, sizes, made.folder) for model, sizes in graphs.items()],
        "extra_files": [_file(path) for path in extra_files],
        "golden": golden,
        "preprocess": about["preprocess"],
        "tracker": {**about["tracker"], "sizes": [_sizes(tracker) for tracker in trackers]},
        "tools": tool_versions(packages),
        "verification": made.verification,
        "arm": made.arm,
    }


def about_network(arch: str, spec: NetworkSpec, dimensions: Dimensions, network: Any) -> dict[str, Any]:
    """Which network it is, how its inputs are made and what a tracker does with its outputs."""
    checkpoint = network.checkpoint
    return {
        "arch": arch,
        "path_name": network.path_name,
        "checkpoint": {"file": checkpoint.file, "sha256": checkpoint.sha256, "epoch": checkpoint.epoch},
        "preprocess": _preprocess(spec.preprocess),
        "tracker": {
            "stride": dimensions.stride,
            "template_size": spec.template_size,
            "search_size": spec.search_size,
            "score_size": dimensions.search_cells,
            **spec.tracker,
            **dict.fromkeys(spec.activations, "probability"),
        },
    }


def file_metadata(options: ExportOptions, network: Any) -> dict[str, str]:
    """What a model file that is found alone should say: name to text."""
    return {
        "arch": options.arch,
        "path_name": network.path_name,
        "checkpoint": network.checkpoint.file,
        "checkpoint_sha256": network.checkpoint.sha256,
        "preprocess": json.dumps(_preprocess(options.network.preprocess)),
    }


def _graphs(trackers: Sequence[TrackerModels]) -> dict[Model, list[tuple[int, int]]]:
    """Every graph of every format once, one that serves several sizes at the first; and the sizes."""
    first: dict[tuple[str, str], Model] = {}
    sizes: dict[Model, list[tuple[int, int]]] = {}
    for format in trackers[0].formats:
        for tracker in trackers:
            for model in tracker.of(format):
                described = first.setdefault((format, model.graph.name), model)
                sizes.setdefault(described, []).append(tracker.network.sizes)
    return sizes


def _sizes(tracker: TrackerModels) -> dict[str, int]:
    dimensions = tracker.dimensions
    return {
        "template_size": dimensions.template_size,
        "search_size": dimensions.search_size,
        "score_size": dimensions.search_cells,
    }


def _format(options, made, name):
    about = {"split": options.split_of(name)}
    if name == "onnx":
        about |= {"opset": options.opset, "simplified": options.simplify}
    about["dynamic_search"] = options.dynamic_search
    if name == "ncnn":
        about["oldest_ncnn"] = made.oldest_ncnn
    return about


def _graph(model: Model, sizes: Sequence[tuple[int, int]], folder: Path) -> dict[str, Any]:
    return {
        "name": model.graph.name,
        "mode": model.graph.mode,
        "format": model.format,
        "files": [_file(path) for path in model.paths(folder)],
        "inputs": [_tensor(tensor) for tensor in model.graph.inputs],
        "outputs": [_tensor(tensor) for tensor in model.graph.outputs],
        "sizes": [{"template_size": template, "search_size": search} for template, search in sizes],
    }


def _file(path: Path) -> dict[str, Any]:
    return {"name": path.name, "sha256": sha256(path), "bytes": path.stat().st_size}


def _tensor(tensor: TensorSpec):
    return {
        "name": tensor.name,
        "meaning": tensor.meaning,
        "about": tensor.about,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "activation": tensor.activation,
        "mask_of": tensor.mask_of,
    }


def _preprocess(preprocess):
    """The normalisation on bytes, as ncnn's ``substract_mean_normalize`` takes it, and on 0-1 pixels."""
    low, high = preprocess.pixel_range
    per_unit = 255.0 / (high - low)
    mean = [round((value - low) * per_unit, 6) for value in preprocess.mean]
    std = [round(value * per_unit, 6) for value in preprocess.std]
    return {
        "colour_order": preprocess.colour_order,
        "pixel_range": [0, 255],
        "mean": mean,
        "std": std,
        "norm": [round(1.0 / value, 10) for value in std],
        "on_0_1": {"mean": [round(value / 255, 6) for value in mean], "std": [round(value / 255, 6) for value in std]},
    }


def tool_versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of what made and checked the models."""
    versions = {"python": platform.python_version()}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "unknown"
    return versions
