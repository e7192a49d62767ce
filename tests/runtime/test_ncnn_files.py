"""Real ``.param`` and ``.bin`` files: the same again byte for byte, and what ncnn itself makes of ours."""

import random
import subprocess

import ncnn
import numpy as np
import pytest

from commands import lt_export
from conftest import TINY
from converter.errors import ConversionError
from converter.formats.ncnn.convert import pnnx_binary
from converter.formats.ncnn.param import load_param
from converter.formats.ncnn.slots import WITHOUT_WEIGHTS, slots_of
from converter.formats.ncnn.weights import load_model, read_bin


@pytest.fixture(scope="module")
def half_files(tiny, tmp_path_factory):
    """The smallest network as pnnx converts it with its own half weights."""
    folder = tmp_path_factory.mktemp("half")
    done = lt_export("--resume", tiny, "--path-name", TINY, "-o", folder / "out", "--keep-torchscript", "-q")
    assert done.code == 0, done.err
    command = [pnnx_binary(), "model.pt", "inputshape=[1,3,127,127]f32", "fp16=1"]
    (folder / "model.pt").write_bytes((folder / "out/lighttrack_init.pt").read_bytes())
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "model.ncnn.param", folder / "model.ncnn.bin"


def models(exported, tiny_export, half_files):
    for folder in (exported[0], tiny_export):
        for graph in ("init", "update"):
            yield folder / f"lighttrack_{graph}.param", folder / f"lighttrack_{graph}.bin"
    yield half_files


def test_files_are_the_same_again(exported, tiny_export, half_files):
    for param, weights in models(exported, tiny_export, half_files):
        graph, arrays = load_model(param, weights)
        assert graph.text().encode() == param.read_bytes()
        assert arrays.data() == weights.read_bytes()
        assert sum(map(len, arrays.arrays)) >= 40


def test_half_weights_of_pnnx_are_read_as_halves(half_files, tiny_export):
    _, half = load_model(*half_files)
    _, full = load_model(tiny_export / "lighttrack_init.param", tiny_export / "lighttrack_init.bin")
    assert {array.tag for arrays in half.arrays for array in arrays} == {0x01306B47, None}
    assert {array.tag for arrays in full.arrays for array in arrays} == {0, None}
    pairs = [
        (one, other)
        for before, after in zip(full.arrays, half.arrays, strict=True)
        for one, other in zip(before, after, strict=True)
    ]
    assert len(pairs) >= 40
    for one, other in pairs:
        if other.tag is None:
            assert one.data == other.data
        else:  # pnnx rounds ties otherwise and flushes what is below the smallest normal half
            values = one.values()
            kept = np.abs(values) >= 2.0**-13
            assert np.abs(other.values()[kept] / values[kept] - 1).max() < 2.0**-10.9


def test_half_weights_of_ours_are_read_by_ncnn(tiny_export, tmp_path):
    param = tiny_export / "lighttrack_init.param"
    _, weights = load_model(param, tiny_export / "lighttrack_init.bin")
    smaller = weights.mapped(
        lambda index, array: array if array.tag is None else array.with_values(array.values(), 0x01306B47)
    )
    rounded = smaller.mapped(lambda index, array: array if array.tag is None else array.with_values(array.values(), 0))
    answers = []
    image = np.random.default_rng(0).standard_normal((3, 127, 127)).astype(np.float32)
    for name, arrays in (("half", smaller), ("rounded", rounded)):
        path = tmp_path / f"{name}.bin"
        path.write_bytes(arrays.data())
        with ncnn.Net() as net:
            for option in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
                setattr(net.opt, f"use_{option}", False)
            assert net.load_param(str(param)) == 0
            assert net.load_model(str(path)) == 0
            with net.create_extractor() as extractor:
                extractor.input("z", ncnn.Mat(image).clone())
                answers.append(np.array(extractor.extract("zf")[1]))
    assert np.array_equal(*answers)
    assert len(smaller.data()) < 0.6 * len(weights.data())


def test_damage_to_real_weights_is_refused(tiny_export):
    graph = load_param(tiny_export / "lighttrack_update.param")
    data = (tiny_export / "lighttrack_update.bin").read_bytes()
    whole = read_bin(graph, data, "update.bin")
    arrays = [array for layer in whole.arrays for array in layer]
    edges = {edge + shift for array in arrays for edge in [array.offset] for shift in (-1, 0, 1, 4)}
    sizes = sorted(size for size in edges if 0 <= size < len(data))
    for size in [*sizes, *random.Random(0).sample(range(len(data)), 200)]:
        with pytest.raises(ConversionError, match=rf"^update\.bin: cut off.* ends at byte {size}, "):
            read_bin(graph, data[:size], "update.bin")
    tags = [array.offset for array in arrays if array.tag is not None]
    for offset in tags:
        damaged = bytearray(data)
        damaged[offset + 1] ^= 0x10
        with pytest.raises(ConversionError, match=rf"^update\.bin: byte {offset} begins with tag 0x1000, "):
            read_bin(graph, bytes(damaged), "update.bin")


def test_weights_of_the_other_graph_are_refused(tiny_export):
    init, update = (tiny_export / f"lighttrack_{graph}" for graph in ("init", "update"))
    for param, weights in ((init, update), (update, init)):
        with pytest.raises(ConversionError, match="the weights of another model"):
            load_model(param.with_suffix(".param"), weights.with_suffix(".bin"))


def test_damaged_table_is_refused_or_still_a_table(tiny_export, tmp_path):
    """A thousand damaged copies: an error of ours with the file's name, or a table that is written as it is."""
    source = (tiny_export / "lighttrack_update.param").read_bytes()
    draw, path, refused = random.Random(0), tmp_path / "a.param", 0
    for _ in range(1000):
        damaged = bytearray(source)
        damaged[draw.randrange(len(source))] = draw.randrange(256)
        path.write_bytes(damaged)
        try:
            graph = load_param(path)
            assert graph.text().encode() == damaged
            for layer in graph.layers:
                slots_of(layer)
        except ConversionError as error:
            refused += 1
            assert "\n" not in str(error)  # noqa: PT017
    assert 200 < refused < 1000


def test_types_without_weights_are_ncnns():
    assert {name for name in WITHOUT_WEIGHTS if ncnn.layer_to_index(name) < 0} == set()


def test_a_table_larger_than_any_is_not_read(tmp_path):
    with (tmp_path / "a.param").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ConversionError, match=r"a\.param: has 1099511627776 bytes, expected at most"):
        load_param(tmp_path / "a.param")
