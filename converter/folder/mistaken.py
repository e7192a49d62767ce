"""What somebody probably meant who named other files than those that are wanted."""

import glob
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from converter.folder.manifest import MANIFEST
from converter.formats.format import Shapes, format_names, format_of
from converter.report.text import listed
from converter.spec.tensors import LARGEST_SIZE, SMALLEST_SIZE, GraphSpec
from converter.util.paths import why_no_folder

Sides = tuple[Shapes, Shapes]  # a file's inputs and its outputs


def files_in_place_of_export(files: Sequence[Path]) -> str:
    """What to say where an export folder is expected and somebody named files."""
    first = {suffix: form.suffixes[0] for form in map(format_of, format_names()) for suffix in form.suffixes}
    file = files[0]
    if file.name == MANIFEST or (file.suffix in first and os.path.isfile(file.parent / MANIFEST)):
        return f"{file} is part of an export: pass its folder, {file.parent}"
    models = list(dict.fromkeys(each.with_suffix(first[each.suffix]) for each in files if each.suffix in first))
    if len(models) == 1:
        return f"{file} is a single model: say which graph it is, --init {models[0]} or --update {models[0]}"
    if models:
        init, update = sorted(models, key=lambda model: "init" not in model.name)[:2]
        return f"these are single models: say which graph each is, --init {init} --update {update}"
    return f"{file} is a file, expected a folder that lt-export wrote; a checkpoint is passed as --resume {file}"


def in_place_of_checkpoint(path: Path) -> str | None:
    """What to say where a checkpoint is expected and somebody named what is made from one; None for anything else."""
    expected = "expected the file that training wrote"
    export = path.parent if path.name == MANIFEST else path
    if os.path.isfile(export / MANIFEST):
        part = "part of " if export != path else ""
        return f"{path} is {part}an export, {expected}; lt-verify verifies exports, lt-bench measures them"
    suffixes = {suffix for name in format_names() for suffix in format_of(name).suffixes if suffix != ".bin"}
    weights_of_ncnn = path.suffix == ".bin" and any(path.parent.glob(f"{glob.escape(path.stem)}*.param"))
    converted = path.suffix in suffixes or weights_of_ncnn
    return f"{path} is a converted model, {expected}; lt-verify verifies models" if converted else None


def without_manifest(folder: Path) -> str:
    """What to do with a folder that is no export."""
    suffixes = {format_of(name).suffixes[0] for name in format_names()}
    models = sorted(path for path in folder.iterdir() if path.suffix in suffixes) if not why_no_folder(folder) else []
    holds = f"it holds {listed(path.name for path in models)}: " if models else ""
    return f"{holds}for models without one pass --init and --update"


def exchanged(paths: Mapping[str, Path], sides: Mapping[str, Sides], specs: Sequence[GraphSpec]) -> str | None:
    """Why files cannot be the graphs that they were called, and which they can be; None where they can.

    Args:
        paths: graph name to file, as the user says.
        sides: likewise, what is in the files.
        specs: all graphs of the split.
    """
    by_name = {spec.name: spec for spec in specs}

    def fit(graphs: Sequence[str]) -> bool:
        pairs = list(zip(graphs, sides.values(), strict=True))
        counts = all(_count_fits(by_name[graph], side) for graph, side in pairs)
        template = [size for graph, side in pairs for size in image_sizes(side) if graph == "init"]
        search = [size for graph, side in pairs for size in image_sizes(side) if graph != "init"]
        return counts and not (template and search and max(template) > min(search))

    if fit(list(paths)):
        return None
    others = next((graphs for graphs in itertools.permutations(by_name, len(paths)) if fit(graphs)), None)
    if others is None:
        return None
    wrong = next(name for name, other in zip(paths, others, strict=True) if name != other)
    inputs, outputs = (", ".join(side) or "none" for side in sides[wrong])
    fitting = sorted(zip(others, paths.values(), strict=True), key=lambda pair: list(by_name).index(pair[0]))
    options = " ".join(f"{option(graph)} {path}" for graph, path in fitting)
    return (
        f"{option(wrong)} {paths[wrong]} has inputs {inputs} and outputs {outputs}, which {wrong} has not; the files "
        f"fit {options}"
    )


def option(graph: str) -> str:
    """By which a graph's file is named."""
    return f"--{graph.replace('_', '-')}"


def _count_fits(spec: GraphSpec, side: Sides) -> bool:
    return len(side[0]) == len(spec.inputs) and len(side[1]) >= len(spec.outputs)


def image_sizes(side: Sides) -> list[int]:
    """Sizes of the pictures that go in, where the file says one that a crop can have."""
    sizes = [shape[-1] for shape in side[0].values() if shape and len(shape) >= 3 and shape[-3] == 3]
    return [size for size in sizes if SMALLEST_SIZE <= size <= LARGEST_SIZE]
