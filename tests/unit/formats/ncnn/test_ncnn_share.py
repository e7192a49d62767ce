"""One weights file for several ncnn models: which order of layers serves them all, and which models it cannot serve."""

import numpy as np
import pytest

from converter.errors import ConversionError
from converter.formats.ncnn.param import load_param, read_param
from converter.formats.ncnn.share import beginning_with, share
from converter.formats.ncnn.weights import NcnnWeights, Stored, halved, load_model, read_bin, stored_precision
from converter.util.content import Content

POSITIONS = "MemoryData       {name}   0 1 {name} 0=4 1=2"


def model(lines, seeds):
    """A graph, and for each of its layers with weights the seed that they are drawn with."""
    blobs = sum(int(line.split()[3]) for line in lines)
    graph = read_param(f"7767517\n{len(lines)} {blobs}\n" + "\n".join(lines) + "\n", "a.param")
    arrays, left = [], iter(seeds)
    for layer in graph.layers:
        tagged, count = {"InnerProduct": (0, 16), "MemoryData": (None, 8)}.get(layer.type, (None, 0))
        data = np.random.default_rng(next(left)).standard_normal(count).astype("<f4").tobytes() if count else b""
        arrays.append((Stored("weight" if tagged == 0 else "data", count, tagged, data),) if count else ())
    return graph, NcnnWeights(tuple(arrays))


def dense(name, source, to):
    return f"InnerProduct     {name}   1 1 {source} {to} 0=4 1=0 2=16"


TEMPLATE = model(["Input in0 0 1 z", dense("a", "z", "m"), dense("b", "m", "zf")], (1, 2))


def names(graph):
    return [layer.name for layer in graph.layers]


def test_weights_that_begin_so_already_stay_as_they_are():
    search = model(["Input in0 0 1 x", dense("a", "x", "m"), dense("b", "m", "n"), dense("c", "n", "y")], (1, 2, 3))
    assert beginning_with(search, TEMPLATE) is search


def test_layers_are_put_in_the_order_of_the_other_model():
    lines = ["Input in0 0 1 zf", dense("c", "zf", "k"), "Input in1 0 1 x", dense("first", "x", "m")]
    lines += ["ReLU r 1 1 m n", dense("second", "n", "xf"), "BinaryOp add 2 1 k xf y 0=0"]
    graph, weights = beginning_with(model(lines, (3, 1, 2)), TEMPLATE)
    assert names(graph) == ["in0", "in1", "first", "r", "second", "c", "add"]
    assert weights.data().startswith(TEMPLATE[1].data())
    assert len(weights.data()) == 3 * (4 + 64)
    assert graph == read_param(graph.text(), "again.param")


def test_of_two_layers_with_the_same_weights_the_one_that_can_come_first_does():
    lines = ["Input in0 0 1 x", dense("late", "x", "k"), dense("early", "x", "m"), dense("end", "k", "n")]
    lines = [lines[0], dense("c", "x", "c"), dense("late", "c", "k"), lines[2], dense("end", "m", "y")]
    graph, weights = beginning_with(model(lines, (3, 1, 1, 2)), TEMPLATE)
    assert names(graph) == ["in0", "early", "end", "c", "late"]
    assert weights.data().startswith(TEMPLATE[1].data())


def test_a_constant_of_the_other_alone_becomes_one_that_nothing_reads():
    first = model(["Input in0 0 1 z", dense("a", "z", "m"), POSITIONS.format(name="p")], (1, 5))
    lines = ["Input in0 0 1 x", POSITIONS.format(name="unread_0"), dense("a", "x", "m")]
    graph, weights = beginning_with(model(lines, (6, 1)), first)
    assert names(graph) == ["in0", "a", "unread_1", "unread_0"]
    assert graph.layers[2].outputs == ("unread_1",)
    assert weights.data().startswith(first[1].data())
    assert read_param(graph.text(), "again.param") == graph


def test_a_layer_with_other_weights_reads_past_those_of_the_other_model():
    """As where another batch norm is folded into a convolution: tags and halves are read as so many floats."""
    lines = ["Input in0 0 1 x", dense("a", "x", "m"), dense("b", "m", "n"), dense("c", "n", "y")]
    first, search = (model(lines, seeds) for seeds in ((1, 2, 3), (1, 2, 4)))
    for other, size in ((first, 16 + 1), ((first[0], halved(*first)), 8 + 1)):
        own = search if other is first else (search[0], halved(*search))
        graph, weights = beginning_with(own, other)
        assert names(graph) == ["in0", "a", "b", "unread_0", "c"]
        assert graph.layers[3].params == (f"0={size}",)
        assert weights.data().startswith(other[1].data())
        assert read_bin(graph, weights.data(), "a.bin") == weights
        assert stored_precision(weights) == stored_precision(own[1])


@pytest.mark.parametrize("seeds", [(1, 3, 4), (5, 6, 7)])
def test_models_with_less_in_common_than_apart_are_refused(seeds):
    lines = ["Input in0 0 1 x", dense("a", "x", "m"), dense("c", "m", "n"), dense("d", "n", "y")]
    other = model(lines, (1, 2, 8))
    same = 68 if seeds[0] == 1 else 0
    with pytest.raises(ConversionError, match=f"^of its 204 bytes of weights {same} are the same$"):
        beginning_with(model(lines, seeds), other)


def test_three_models_read_one_file(tmp_path):
    lines = ["Input in0 0 1 x", dense("c", "x", "k"), dense("a", "x", "m"), dense("b", "m", "n")]
    larger = model(lines, (3, 1, 2))
    largest = model([*lines, dense("d", "n", "y")], (3, 1, 2, 4))
    for stem, (graph, weights) in {"all_u_2": largest, "all_u_1": larger, "all_i": TEMPLATE}.items():
        (tmp_path / f"{stem}.param").write_text(graph.text())
        (tmp_path / f"{stem}.bin").write_bytes(weights.data())
    share(tmp_path, ["all_u_2", "all_u_1", "all_i"], "all.bin")
    assert (tmp_path / "all.bin").stat().st_size == 4 * (4 + 64)
    found = {
        stem: load_model(tmp_path / f"{stem}.param", tmp_path / "all.bin") for stem in ("all_i", "all_u_1", "all_u_2")
    }
    for stem, (graph, weights) in {"all_i": TEMPLATE, "all_u_1": larger, "all_u_2": largest}.items():
        read = {layer.name: arrays for layer, arrays in zip(found[stem][0].layers, found[stem][1].arrays, strict=True)}
        assert read == {layer.name: arrays for layer, arrays in zip(graph.layers, weights.arrays, strict=True)}


def test_what_cannot_be_shared_says_what_to_do(tmp_path):
    other = model(["Input in0 0 1 x", *(dense(name, "x", name) for name in "cde")], (3, 4, 5))
    for stem, (graph, weights) in {"init": TEMPLATE, "update": other}.items():
        (tmp_path / f"{stem}.param").write_text(graph.text())
        (tmp_path / f"{stem}.bin").write_bytes(weights.data())
    with pytest.raises(
        ConversionError, match=r"^--share-weights: update has too little in common with init: of its 136 .*; leave"
    ):
        share(tmp_path, ["init", "update"], "all.bin")
    assert not (tmp_path / "all.bin").exists()


def test_weights_may_go_on_where_the_name_is_that_of_several_models(tmp_path):
    (tmp_path / "all_a.param").write_text(TEMPLATE[0].text())
    data = TEMPLATE[1].data()
    for name in ("all_a.bin", "all.bin", "other.bin"):
        (tmp_path / name).write_bytes(data + bytes(10_000_000))
    assert load_model(tmp_path / "all_a.param", tmp_path / "all.bin")[1] == TEMPLATE[1]
    read = Content.holding(tmp_path / "all.bin", data + b"more")
    assert load_model(tmp_path / "all_a.param", read)[1] == TEMPLATE[1]
    with pytest.raises(ConversionError, match=r"^all_a.bin: goes on to byte 10000136"):
        load_model(tmp_path / "all_a.param", tmp_path / "all_a.bin")
    with pytest.raises(ConversionError, match=r"^other.bin: goes on to byte 10000136"):
        load_model(tmp_path / "all_a.param", tmp_path / "other.bin")
    (tmp_path / "all.bin").write_bytes(data[:-1])
    with pytest.raises(ConversionError, match=r"^all.bin: cut off"):
        load_model(tmp_path / "all_a.param", tmp_path / "all.bin")
    assert load_param(tmp_path / "all_a.param") == TEMPLATE[0]
