"""What blobs and files are called: by the config, by a preset, by the user, and what no name may be."""

import pytest

from converter.errors import UsageError
from converter.formats.format import format_names, format_of
from converter.spec.config import network_for
from converter.spec.dimensions import Dimensions
from converter.spec.naming import Naming, Rename, check_names, parse_rename, renamed

DIMENSIONS = Dimensions(template_size=127, search_size=288, stride=16, channels=96, template_cells=8, search_cells=18)
NETWORK = network_for(None)[1]
INIT, UPDATE = NETWORK.graph_specs("two", DIMENSIONS)
TWO, THREE = ["init", "update"], ["init", "backbone", "neck_head"]
PRESET = Naming(
    blobs={"init": {"z": "input1", "zf": "output.1"}, "update": {"zf": "input1", "x": "input2", "cls": "output.1"}},
    files={"init": "lighttrack_init"},
)


def names(naming, graph):
    spec = naming.named(NETWORK.graph_spec(graph, DIMENSIONS))
    return {tensor.meaning: tensor.name for tensor in (*spec.inputs, *spec.outputs)}


def after(*texts, naming=Naming(), graphs=TWO):  # noqa: B008 frozen
    """The names of all graphs when renamed so."""
    new = renamed(naming, NETWORK, graphs, [parse_rename(text, NETWORK.graphs) for text in texts])
    return {graph: names(new, graph) for graph in graphs}


@pytest.mark.parametrize(
    ("text", "graph", "old", "new"),
    [
        ("cls=score", None, "cls", "score"),
        ("init:zf=output.1", "init", "zf", "output.1"),
        ("zf=init:zf", None, "zf", "init:zf"),
        ("other:zf=a", None, "other:zf", "a"),  # no graph is called so, the blob might be
        ("a=b=c", None, "a", "b=c"),
        ("745=x", None, "745", "x"),
        ("init:a:b=c", "init", "a:b", "c"),
    ],
)
def test_rename_is_read(text, graph, old, new):
    assert parse_rename(text, NETWORK.graphs) == Rename(text, graph, old, new)


@pytest.mark.parametrize("text", ["", "cls", "=", "cls=", "=score", "init:=score", "init:zf", "init:zf=", "init:"])
def test_rename_of_another_form_is_refused(text):
    with pytest.raises(UsageError) as caught:
        parse_rename(text, NETWORK.graphs)
    assert str(caught.value) == f"--rename {text}: expected OLD=NEW, for example cls=output.1 or init:zf=output.1"


def test_without_names_tensors_are_called_by_their_meaning():
    assert names(Naming(), "update") == {name: name for name in ("zf", "x", "cls", "reg")}
    assert Naming().named(UPDATE) == UPDATE
    assert Naming().stem("neck_head", "lighttrack") == "lighttrack_neck_head"


def test_named_graph_differs_in_names_only():
    named = PRESET.named(UPDATE)
    assert [tensor.name for tensor in named.inputs] == ["input1", "input2"]
    assert [tensor.name for tensor in named.outputs] == ["output.1", "reg"]
    assert (named.name, named.mode) == ("update", "update")
    for before, tensor in zip((*UPDATE.inputs, *UPDATE.outputs), (*named.inputs, *named.outputs), strict=True):
        assert tensor.model_copy(update={"name": before.name}) == before
    assert [PRESET.stem(graph, "lighttrack") for graph in TWO] == ["lighttrack_init", "lighttrack_update"]
    assert Naming(files={"single": "lighttrack-op"}).stem("single", "lighttrack") == "lighttrack-op"


def test_rename_by_meaning_is_of_every_graph_that_has_it():
    assert after("zf=features", "x=image") == {
        "init": {"z": "z", "zf": "features"},
        "update": {"zf": "features", "x": "image", "cls": "cls", "reg": "reg"},
    }


def test_rename_of_one_graph_leaves_the_others():
    found = after("update:zf=template")
    assert (found["init"]["zf"], found["update"]["zf"]) == ("zf", "template")
    found = after("zf=a", "backbone:xf=b", graphs=THREE)
    assert (found["init"]["zf"], found["neck_head"]["zf"]) == ("a", "a")
    assert (found["backbone"]["xf"], found["neck_head"]["xf"]) == ("b", "xf")


def test_a_presets_name_may_be_renamed_by_name_and_by_meaning():
    assert after("output.1=o", naming=PRESET) == {
        "init": {"z": "input1", "zf": "o"},
        "update": {"zf": "input1", "x": "input2", "cls": "o", "reg": "reg"},
    }
    assert after("update:output.1=o", naming=PRESET)["init"]["zf"] == "output.1"
    assert after("cls=score", naming=PRESET)["update"]["cls"] == "score"
    assert after("cls=score", naming=PRESET)["init"] == names(PRESET, "init")


def test_a_name_in_the_files_goes_before_a_tensor_of_the_config():
    swapped = Naming(blobs={"update": {"cls": "reg", "reg": "boxes"}})
    found = after("reg=r", naming=swapped)["update"]
    assert (found["cls"], found["reg"]) == ("r", "boxes")
    assert after("boxes=r", naming=swapped)["update"] == {"zf": "zf", "x": "x", "cls": "reg", "reg": "r"}


def test_names_are_exchanged_at_once():
    found = after("cls=reg", "reg=cls")["update"]
    assert (found["cls"], found["reg"]) == ("reg", "cls")
    found = after("zf=x", "x=zf")
    assert (found["update"]["zf"], found["update"]["x"], found["init"]["zf"]) == ("x", "zf", "x")
    found = after("z=zf", "init:zf=z")["init"]
    assert found == {"z": "zf", "zf": "z"}


def test_renaming_leaves_the_files_and_what_was_there():
    new = renamed(PRESET, NETWORK, TWO, [parse_rename("cls=score", NETWORK.graphs)])
    assert new.files == PRESET.files
    assert PRESET.blobs["update"]["cls"] == "output.1"
    assert new.blobs["update"] == {"zf": "input1", "x": "input2", "cls": "score"}
    assert renamed(PRESET, NETWORK, TWO, []) == PRESET


def test_a_graph_that_is_not_converted_keeps_its_names():
    new = renamed(PRESET, NETWORK, ["init"], [parse_rename("zf=f", NETWORK.graphs)])
    assert new.blobs == {"init": {"z": "input1", "zf": "f"}, "update": PRESET.blobs["update"]}


@pytest.mark.parametrize(
    ("texts", "first", "second", "tensor"),
    [
        (["cls=a", "cls=b"], "cls=a", "cls=b", "cls of update"),
        (["zf=a", "init:zf=b"], "zf=a", "init:zf=b", "zf of init"),
        (["update:zf=b", "zf=a"], "update:zf=b", "zf=a", "zf of update"),
    ],
)
def test_two_names_for_one_tensor_are_refused(texts, first, second, tensor):
    with pytest.raises(UsageError) as caught:
        after(*texts)
    assert str(caught.value) == f"--rename {first} and --rename {second} both name the tensor {tensor}"


def test_two_names_for_one_tensor_by_name_and_by_meaning_are_refused():
    with pytest.raises(UsageError, match="both name the tensor cls of update"):
        after("cls=a", "update:output.1=b", naming=PRESET)


def test_the_same_rename_twice_is_one():
    assert after("zf=a", "init:zf=a", "zf=a") == after("zf=a")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("score=a", "no input or output is called 'score', known are init: z, zf; update: zf, x, cls, reg"),
        ("init:cls=a", "no input or output is called 'cls', known are init: z, zf"),
        ("backbone:x=a", "no graph backbone in this export, only init, update"),
        ("other:x=a", "no input or output is called 'other:x', known are"),
        ("xf=a", "no input or output is called 'xf', known are"),
    ],
)
def test_rename_of_what_is_not_there_is_refused_and_the_known_named(text, words):
    with pytest.raises(UsageError) as caught:
        after(text)
    assert str(caught.value).startswith(f"--rename {text}: {words}")


def test_known_names_are_those_of_the_preset():
    with pytest.raises(UsageError, match=r"known are init: input1, output\.1; update: input1, input2, output\.1, reg"):
        after("score=a", naming=PRESET)


def checked_files(format, files):
    check_names(format, format_of(format).legal, format_of(format).rule, files)


def checked(format, graph=UPDATE, **renames):
    checked_files(format, [("a", Naming(blobs={graph.name: renames}).named(graph))])


@pytest.mark.parametrize("format", ["ncnn", "onnx"])
@pytest.mark.parametrize(
    "name", ["745", "output.1", "a/b:c", "input-1", "!", "~", "#", "features[0]", "a'b", "x" * 255]
)
def test_legal_names_are_taken(format, name):
    checked(format, cls=name)


RULES = {
    "ncnn": "1 to 255 characters of printable ASCII without blank, quote or =",
    "onnx": "printable ASCII without blank, quote or =",
}


@pytest.mark.parametrize("format", ["ncnn", "onnx"])
@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a\t", "\n", 'a"', "a=b", "=", "\u00e9", "\x7f", "\x00", "a\u00a0b", "\u0663"]
)
def test_names_that_the_files_cannot_hold_are_refused(format, name):
    with pytest.raises(UsageError) as caught:
        checked(format, cls=name)
    assert str(caught.value) == f"update: {name!r} is no name for cls in {format}, expected {RULES[format]}"


def test_ncnn_reads_255_bytes_of_a_name():
    checked("onnx", cls="x" * 256)
    with pytest.raises(UsageError, match=r"^update: 'x{60}' is no name for cls in ncnn, expected 1 to 255 characters"):
        checked("ncnn", cls="x" * 256)
    assert format_names() == ["ncnn", "onnx", "rknn"]


@pytest.mark.parametrize(
    ("renames", "words"),
    [
        ({"cls": "reg"}, "cls and reg would both be called 'reg' in one onnx graph; rename one of them"),
        ({"zf": "x"}, "zf and x would both be called 'x' in one onnx graph"),
        ({"reg": "zf"}, "zf and reg would both be called 'zf' in one onnx graph"),
    ],
)
def test_one_name_for_two_tensors_of_a_graph_is_refused(renames, words):
    with pytest.raises(UsageError) as caught:
        checked("onnx", **renames)
    assert str(caught.value).startswith(f"update: {words}")


def test_names_of_different_graphs_and_of_different_case_may_be_equal():
    checked("ncnn", cls="CLS", reg="cls")
    checked_files("ncnn", [("a", PRESET.named(INIT)), ("b", PRESET.named(UPDATE))])


@pytest.mark.parametrize("second", ["model", "Model", "MODEL"])
def test_one_file_name_for_two_graphs_is_refused_whatever_its_case(second):
    with pytest.raises(UsageError) as caught:
        checked_files("ncnn", [("model", INIT), (second, UPDATE)])
    assert str(caught.value) == f"init and update would both be the file {second}; choose other file names"


def test_every_file_is_looked_at():
    bad = Naming(blobs={"init": {"z": ""}})
    for files in ([("a", bad.named(INIT)), ("b", UPDATE)], [("b", UPDATE), ("a", bad.named(INIT))]):
        with pytest.raises(UsageError, match=r"^init: '' is no name for z"):
            checked_files("ncnn", files)
