"""Every parser of files from elsewhere: how inputs are made for it, and what has to hold of what it gives."""

import functools
import itertools
import math
import struct
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import golden_folder
import seeds
import torch
from comparisons import DIMENSIONS, NETWORK
from comparisons import models_of as models_in
from mutation import changed_bytes, changed_json, changed_words
from onnx_changes import changed_onnx

from converter.calibrate.listing import MARKER as CALIBRATION
from converter.calibrate.read import read_calibration
from converter.checks.dumps.loading import load_dumps
from converter.checks.dumps.reading import DumpError, read_numbers
from converter.checks.dumps.reference import Reference
from converter.checks.layers import ncnn_side, onnx_side
from converter.errors import ConverterError
from converter.families.choice import known_archs
from converter.families.dimensions import dimensions_of
from converter.families.family import Family, family_of
from converter.folder.exported import file_problems, models_of
from converter.folder.golden import read_golden
from converter.folder.golden_index import GOLDEN_INDEX
from converter.folder.manifest import MANIFEST, read_manifest
from converter.folder.subject import Subject
from converter.formats.ncnn.int8.table import read_table as read_scales
from converter.formats.ncnn.int8.table import table_text
from converter.formats.ncnn.param import load_param, read_param, read_table
from converter.formats.ncnn.release import oldest_release, readable_by
from converter.formats.ncnn.scales import check_scales
from converter.formats.ncnn.weights import load_bin, read_bin
from converter.formats.onnx.file import part_of, read_onnx
from converter.network.checkpoint import compare_keys, read_checkpoint, shapes_of
from converter.network.recognise import arch_of, hint, sizes_of
from converter.spec.config import network_for
from converter.spec.model import TrackerModels
from converter.spec.naming import parse_rename
from converter.spec.network import NetworkSpec
from converter.verifying.golden import check_golden

RARELY = 1000  # what builds whole networks

Change = Callable[[Sequence[bytes], int, bytes], bytes]
OURS = (ConverterError, DumpError)


@dataclass(frozen=True)
class Target:
    """A parser.

    Attributes:
        seeds: makes good inputs.
        run: parses one, in a folder of its own, and asserts what has to hold; raises one of ours for a bad one.
        changes: ways to make inputs.
    """

    seeds: Callable[[], Sequence[bytes]]
    run: Callable[[bytes, Path], None]
    changes: tuple[Change, ...] = (changed_bytes,)


TRACKER = TrackerModels(NETWORK.model_copy(update={"path_name": "p"}), DIMENSIONS, models_in(golden_folder.TWO))
NO_SUBJECT = Subject(None, Path(), ())
NETWORK_OF_SEEDS = {"w": torch.zeros(2, 3), "n": torch.tensor(0)}


def checkpoint(data: bytes, folder: Path) -> None:
    path = folder / "a.pth"
    path.write_bytes(data)
    read = read_checkpoint(path)
    assert all(isinstance(key, str) for key in read.state)
    str(compare_keys(read.state, NETWORK_OF_SEEDS))
    arch_of(read.state)
    if compare_keys(read.state, NETWORK_OF_SEEDS):
        assert all(torch.isfinite(value).all() for value in read.state.values())


def pickled(data: bytes, folder: Path) -> None:
    checkpoint(seeds.as_archive(data), folder)


@functools.cache
def archs() -> tuple[str, ...]:
    return tuple(known_archs())


@functools.cache
def networks() -> tuple[tuple[Family, NetworkSpec], ...]:
    """Of every arch."""
    specs = [network_for(arch)[1] for arch in archs()]
    return tuple((family_of(spec.family), spec) for spec in specs)


def weights(data: bytes, folder: Path) -> None:
    """Keys and shapes, a line each, as :func:`shapes_of` has them."""
    shapes = {}
    for line in data.decode(errors="replace").splitlines():
        key, *sides = line.split(" ")
        shapes[key] = tuple(int(side) for side in sides if side.isascii() and side.isdecimal() and len(side) < 15)
    for family, spec in networks():
        assert all(16 <= size <= 1024 for size in sizes_of(family, shapes, spec.sizes))
        if not zlib.crc32(data) % RARELY:
            hint(family, spec, shapes)
        family.settle(spec.path_name, shapes)


def a_yaml(data: bytes, folder: Path) -> None:
    path = folder / "a.yaml"
    path.write_bytes(data)
    _, spec = network_for(None, path)
    dimensions = dimensions_of(spec)
    for split in spec.splits:
        for graph in spec.graph_specs(split, dimensions):
            for tensor in (*graph.inputs, *graph.outputs):
                assert 0 < math.prod(tensor.shape) <= 2**27
    spec.model_dump_json()


def path_name(data: bytes, folder: Path) -> None:
    name = data.decode(errors="replace")
    for arch in archs():
        try:
            _, spec = network_for(arch, None, {"path_name": name})
            family_of(spec.family).dimensions(name, 128, 256)
        except ConverterError:
            continue
    parse_rename(name, ("init", "update"))


def manifest(data: bytes, folder: Path) -> None:
    (folder / MANIFEST).write_bytes(data)
    read = read_manifest(folder)
    assert all((folder / name).resolve().is_relative_to(folder) for name in read.checksums())
    file_problems(folder, read)
    read.text()
    _, network = network_for(read.arch, None, read.config())
    for sizes in read.sizes():
        sized = network.at(*sizes)
        dimensions = dimensions_of(sized)
        specs = [spec for split in sized.splits for spec in sized.graph_specs(split, dimensions)]
        declared = {tensor.meaning: tensor for spec in specs for tensor in (*spec.inputs, *spec.outputs)}
        for model in models_of(folder, read, sized, declared, ()):
            assert all(path.resolve().is_relative_to(folder) for path in model.paths(folder))


@functools.cache
def manifests() -> list[bytes]:
    """Of one format and of two, as they are written."""
    from manifests import whole

    return [whole("two").text().encode(), whole("two", "three").text().encode()]


def golden(data: bytes, folder: Path) -> None:
    whole = seeds.golden_folder()
    seeds.golden_index()
    (whole / GOLDEN_INDEX).write_bytes(data)
    read = read_golden(whole)
    read.index.text()
    check_golden(read, NO_SUBJECT, TRACKER)
    reference = Reference(read, NETWORK, golden_folder.TOLERANCES)
    load_dumps(seeds.dumps_folder(), reference, {})
    for arrays in (*(feed.tensors for feed in read.feeds()), *read.answers()):
        assert all(array.dtype == "float32" for array in arrays.values())


def calibration(data: bytes, folder: Path) -> None:
    whole = seeds.calibration_folder()
    seeds.calibration_listing()
    (whole / CALIBRATION).write_bytes(data)
    read = read_calibration(whole)
    read.listing.text()
    read.check_files()
    for graph in read.listing.graphs:
        for feed in read.feeds(graph.name):
            assert all(array.dtype == "float32" for array in feed.values())


def param(data: bytes, folder: Path) -> None:
    path = folder / "a.param"
    path.write_bytes(data)
    graph = load_param(path)
    assert read_param(graph.text(), "again") == graph
    graph.input_shapes()
    graph.part(graph.output_blobs()).text()
    oldest_release(graph)
    ncnn_side.read((path,), golden_folder.INIT)
    with suppress(ConverterError):
        readable_by(graph, "20210720")
    with suppress(ConverterError):
        load_bin(graph, path)


def table(data: bytes, folder: Path) -> None:
    read_table(data.decode(errors="replace"), "a.pnnx.param").text()


def scales_table(data: bytes, folder: Path) -> None:
    read = read_scales(data.decode(errors="replace"), "a.table")
    with suppress(ConverterError):  # for names that nothing but a table has
        again = read_scales(table_text(read.scales), "again").scales
        assert list(again) == list(read.scales)
        for name, scales in read.scales.items():
            assert scales.weights.tobytes() == again[name].weights.tobytes()
            assert scales.input == again[name].input


def a_bin(data: bytes, folder: Path) -> None:
    for text in (seeds.PARAM, seeds.SHAPED, seeds.INT8):
        graph = read_param(text.decode(), "a.param")
        try:
            read = read_bin(graph, data, "a.bin")
        except ConverterError:
            continue
        assert read.data() == data
        with suppress(ConverterError):
            check_scales(zip(graph.layers, read.arrays, strict=True), "a.bin")
        for stored in itertools.chain(*read.arrays):
            assert stored.values().shape == (stored.count,)


@functools.cache
def bins() -> list[bytes]:
    halves, raw = (0x01306B47).to_bytes(4, "little"), bytes(4)
    first = raw + bytes(4 * 108) + bytes(16) + halves + bytes(72) + bytes(16) + bytes(16)
    second = raw + bytes(4 * 96) + bytes(12) + bytes(16) + halves + bytes(12) + raw + bytes(8)
    int8 = (0x000D4B38).to_bytes(4, "little")
    third = int8 + bytes(108) + struct.pack("<9f", 0, 0, 0, 0, 1, 2, 3, 4, 5)
    return [first, second, third, int8 + bytes(108) + bytes(16)]


def onnx(data: bytes, folder: Path) -> None:
    path = folder / "a.onnx"
    path.write_bytes(data)
    graph = read_onnx(path)
    for node in graph.nodes:
        if node.outputs:
            part_of(path, node.outputs[:1])
    onnx_side.read((path,), golden_folder.INIT)


def _dumps(suffix: str) -> Callable[[bytes, Path], None]:
    def run(data: bytes, folder: Path) -> None:
        path = folder / f"a{suffix}"
        path.write_bytes(data)
        numbers = read_numbers(path, [6, 12], pixels=True)
        assert numbers.values.dtype == "float32"
        assert numbers.values.ndim == 1

    return run


def _changed_pickle(seeds_of: Sequence[bytes], which: int, program: bytes) -> bytes:
    return changed_bytes(seeds_of, which, program, seeds.pickle_words())


def _changed_header(seeds_of: Sequence[bytes], which: int, program: bytes) -> bytes:
    """Of .safetensors, the JSON in its frame."""
    whole = seeds_of[which % len(seeds_of)]
    begin = 8 + int.from_bytes(whole[:8], "little")
    text = changed_json([whole[8:begin]], 0, program)
    return len(text).to_bytes(8, "little") + text + whole[begin:]


@functools.cache  # of whole networks
def _states() -> list[bytes]:
    """Keys and shapes of every family's networks."""
    states = []
    for family, spec in networks():
        shapes = shapes_of(family.build(family.settle(spec.path_name, {}), *spec.sizes).state_dict())
        lines = [" ".join(map(str, (key, *shape))) for key, shape in shapes.items()]
        states.append("\n".join(lines).encode())
    return states


KEYS = [b"features.blocks.1.0.conv_dw.weight 3 1 5 5", b"features.blocks.9999999.0.conv_dw.weight"]
KEYS += [b"box_head.conv_tower.7.depthwise.weight", b"pos_emb_x.row_embed.weight 99999999 128", b"0", b"10000000000000"]


def _changed_keys(seeds_of: Sequence[bytes], which: int, program: bytes) -> bytes:
    return changed_words(seeds_of, which, program, KEYS)


TARGETS = {
    "torch": Target(seeds.torch_files, checkpoint),
    "pickle": Target(seeds.pickles, pickled, (_changed_pickle, changed_bytes)),
    "safetensors": Target(lambda: seeds.SAFETENSORS, checkpoint, (_changed_header, changed_bytes)),
    "weights": Target(_states, weights, (_changed_keys,)),
    "yaml": Target(lambda: seeds.YAML, a_yaml, (changed_bytes, changed_words)),
    "path_name": Target(lambda: [NETWORK.path_name.encode(), b"dsconv_v3_4", b"cls=a", b"init:zf=b"], path_name),
    "manifest": Target(manifests, manifest, (changed_json, changed_bytes)),
    "golden": Target(lambda: [seeds.golden_index()], golden, (changed_json, changed_bytes)),
    "calibration": Target(lambda: [seeds.calibration_listing()], calibration, (changed_json, changed_bytes)),
    "param": Target(lambda: [seeds.PARAM, seeds.SHAPED], param, (changed_words, changed_bytes)),
    "table": Target(lambda: [seeds.TABLE], table, (changed_words, changed_bytes)),
    "scales": Target(lambda: [seeds.SCALES], scales_table, (changed_words, changed_bytes)),
    "bin": Target(bins, a_bin),
    "onnx": Target(seeds.onnx_models, onnx, (changed_onnx, changed_bytes)),
    "npy": Target(seeds.arrays, _dumps(".npy")),
    "raw": Target(lambda: [bytes(24), bytes(12), bytes(6)], _dumps(".bin")),
    "text": Target(lambda: seeds.NUMBERS_AS_TEXT, _dumps(".csv"), (changed_words, changed_bytes)),
}
