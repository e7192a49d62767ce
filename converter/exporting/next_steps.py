"""What comes after an export: the files, how to call them, and how to verify them on a clip."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from converter.folder.listing import PreprocessEntry
from converter.folder.manifest import FormatEntry, GraphEntry, Manifest
from converter.report.blocks import NOTE, Block, Points, Row, Section, Table, columns
from converter.report.text import listed
from converter.spec.tensors import TensorSpec

CLIP = ("--clip", "VIDEO", "--box", "X,Y,W,H")  # what only the user knows


def next_section(manifest: Manifest, folder: Path, verify: Sequence[object]) -> Section:
    """What an application needs in order to call the models, and the command that verifies them on a clip.

    Args:
        folder: where they are.
        verify: the words of the command that verifies them, without a clip.
    """
    inside = any(each.normalise == "inside" for each in manifest.formats.values())
    lines = [_image(tensor) for tensor in _images(manifest)]
    if manifest.preprocess:
        lines.append(_inside(manifest.preprocess) if inside else _preprocessing(manifest.preprocess))
    lines.append(f"{'outputs: ' + listed(_outputs(manifest))}")
    lines += [_runtime(each) for each in manifest.formats.values() if each.toolkit]
    lines.append(f"verify them on a clip: {shlex.join(map(str, (*verify, *CLIP)))}")
    blocks: tuple[Block, ...] = (
        Table(columns("Graph", "Files", "Inputs", "Outputs"), tuple(map(_row, manifest.graphs))),
        Points(tuple(lines)),
    )
    return Section("next", "What comes next", NOTE, f"the models in {folder}, and how to call them.", blocks)


def _row(graph: GraphEntry) -> Row:
    files = ", ".join(f"{file.name} {file.bytes / 1e6:.2f} MB" for file in graph.files)
    return Row((f"{graph.format} {graph.name}", files, _shapes(graph.inputs), _shapes(graph.outputs)))


def _shapes(tensors: Sequence[TensorSpec]) -> str:
    return ", ".join(f"{tensor.name} {'x'.join(map(str, tensor.shape))}" for tensor in tensors)


def _images(manifest: Manifest) -> list[TensorSpec]:
    """The inputs that no graph gives, each name once."""
    given = {tensor.meaning for graph in manifest.graphs for tensor in graph.outputs}
    images = {
        (tensor.name, tensor.shape): tensor
        for graph in manifest.graphs
        for tensor in graph.inputs
        if tensor.meaning not in given
    }
    return list(images.values())


def _image(tensor: TensorSpec) -> str:
    if tensor.mask_of:
        return f"input {tensor.name}: {tensor.about}"
    height, width = tensor.shape[-2:]
    return f"input {tensor.name}: {tensor.about}, {width}x{height} pixels"


def _preprocessing(preprocess: PreprocessEntry) -> str:
    if {*preprocess.mean} == {0.0} and {*preprocess.std} == {1.0}:
        return f"preprocessing: {preprocess.colour_order}, pixels of 0 to 255 as they are, without mean and std"
    mean, std = (", ".join(map(str, values)) for values in (preprocess.on_0_1.mean, preprocess.on_0_1.std))
    return f"preprocessing: {preprocess.colour_order}, (pixel / 255 - mean) / std with mean {mean} and std {std}"


def _inside(preprocess: PreprocessEntry) -> str:
    return f"preprocessing: {preprocess.colour_order}, uint8, NHWC, pixels as they are: mean and std are in the models"


def _runtime(made: FormatEntry) -> str:
    return (
        f"on the {made.target}: librknnrt {made.toolkit}, which belongs to the toolkit; an older one can refuse the "
        "models or answer wrongly"
    )


def _outputs(manifest: Manifest) -> list[str]:
    """Those that no graph takes: what a frame is answered with."""
    taken = {tensor.meaning for graph in manifest.graphs for tensor in graph.inputs}
    outputs = [tensor for graph in manifest.graphs for tensor in graph.outputs if tensor.meaning not in taken]
    return list(dict.fromkeys(f"{tensor.name} ({tensor.about})" for tensor in outputs))
