"""``31=`` on layers: only bit 0 is ever written, only where it is missing; masks that corrupt memory are found."""

import pytest

from converter.checks.half.masks import dangerous_masks, protect_files, protected
from converter.errors import ConversionError
from converter.formats.ncnn.layer import computes_in_float
from converter.formats.ncnn.param import load_param, read_param

PARAM = """7767517
6 7
Input                    in0                      0 1 in0
Convolution              a                        1 1 in0 1 0=8 1=3 5=1 6=216
Split                    split                    1 2 1 2 3
Convolution              b                        1 1 2 4 0=8 1=1 6=64
Dropout                  none                     1 1 4 5
Convolution              c                        1 1 5 out0 0=8 1=1 6=64
"""


def masked(**masks):
    graph = read_param(PARAM, "a.param")
    for name, mask in masks.items():
        graph = graph.with_param(name, 31, mask)
    return graph


def masks_of(graph):
    return {layer.name: layer.param(31) for layer in graph.layers if layer.param(31)}


def test_only_the_named_layers_change_and_only_by_one_word():
    text = protected(masked(), ["a", "c"]).text()
    changed = {new: old for old, new in zip(PARAM.splitlines(), text.splitlines(), strict=True) if old != new}
    assert [new.split()[1] for new in changed] == ["a", "c"]
    assert all(new == f"{old} 31=1" for new, old in changed.items())


def test_twice_is_once():
    once = protected(masked(), ["a", "b"])
    assert protected(once, ["b", "a"]).text() == once.text()
    assert protected(masked(), []).text() == PARAM


@pytest.mark.parametrize(("before", "after"), [(0, 1), (1, 1), (64, 65), (65, 65), (2, 2), (3, 3), (66, 66)])
def test_other_bits_stay_and_half_storage_is_never_switched_off(before, after):
    graph = protected(masked(b=before), ["b"])
    assert masks_of(graph) == {"b": after}


@pytest.mark.parametrize("name", ["d", "1"])
def test_layer_that_is_not_there_is_refused(name):
    with pytest.raises(ConversionError, match=f"0 layers are called '{name}'"):
        protected(masked(), [name])


def test_layers_of_one_name_are_refused():
    graph = read_param(PARAM.replace("Dropout                  none", "Dropout                  b   "), "a.param")
    with pytest.raises(ConversionError, match="2 layers are called 'b'"):
        protected(graph, ["b"])


@pytest.mark.parametrize(
    ("masks", "found"),
    [
        ({}, []),
        ({"a": 1, "b": 1, "c": 1}, []),
        ({"b": 64}, []),
        ({"a": 3}, []),  # right behind the input
        ({"a": 2, "split": 2, "b": 3}, []),  # everything from the input on
        ({"c": 3}, []),  # behind a Dropout
        ({"b": 2}, [("b", 2, "2")]),
        ({"b": 3}, [("b", 3, "2")]),
        ({"a": 2, "b": 3}, [("b", 3, "2")]),  # the Split between them makes halves again
        ({"b": 66, "c": 3}, [("b", 66, "2")]),
        ({"none": 2}, [("none", 2, "4")]),
    ],
)
def test_masks_that_corrupt_memory_are_found(masks, found):
    dangers = dangerous_masks(masked(**masks), "update")
    assert [(danger.layer, danger.mask, danger.blob) for danger in dangers] == found
    for danger in dangers:
        assert str(danger).startswith(f"31={danger.mask} on layer {danger.layer} of update: ")
        assert "does not cast it back, which corrupts memory" in str(danger)
        assert danger.as_dict()["about"] == str(danger)


def test_layer_without_half_arithmetic_or_storage_computes_in_float():
    for mask, expected in ((0, False), (1, True), (2, True), (3, True), (4, False), (64, False)):
        layer = next(layer for layer in masked(b=mask).layers if layer.name == "b")
        assert computes_in_float(layer) is expected


def test_files_are_changed_where_needed_and_else_not_touched(tmp_path):
    paths = {name: tmp_path / f"{name}.param" for name in ("init", "update")}
    for path in paths.values():
        path.write_bytes(PARAM.replace("\n", "\r\n").encode())
        path.chmod(0o400)
    before = paths["init"].stat().st_mtime_ns
    assert protect_files(paths, {}) == {}
    assert protect_files(paths, {"init": ()}) == {}
    paths["update"].chmod(0o600)
    assert protect_files(paths, {"update": ("c", "a")}) == {"update": ("a", "c")}
    assert masks_of(load_param(paths["update"])) == {"a": 1, "c": 1}
    assert paths["update"].read_bytes().count(b"\r\n") == PARAM.count("\n")
    assert protect_files(paths, {"update": ("c", "a"), "init": ()}) == {}
    assert paths["init"].stat().st_mtime_ns == before


def test_file_that_cannot_be_written_is_an_error(tmp_path):
    path = tmp_path / "a" / "update.param"
    with pytest.raises(ConversionError, match="cannot read"):
        protect_files({"update": path}, {"update": ("a",)})
