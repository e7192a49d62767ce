"""The layer table of a ``.param`` file: read, renamed, changed, written again byte for byte."""

from contextlib import nullcontext

import pytest

from converter.errors import ConversionError
from converter.formats.ncnn.layer import Layer
from converter.formats.ncnn.param import NcnnGraph, load_param, read_param, read_table

PARAM = """7767517
6 7
Input                    in0                      0 1 in0
Input                    in1                      0 1 in1
Convolution              conv_0                   1 1 in0 1 0=8 1=3 5=1 6=216
Split                    split_0                  1 2 1 2 3
BinaryOp                 add_0                    2 1 2 in1 out0 0=0
ReLU                     relu_0                   1 1 3 out1
"""


@pytest.fixture
def graph():
    return read_param(PARAM, "a.param")


def layer(kind, *params):
    return Layer(type=kind, name="a", inputs=(), outputs=("b",), params=params)


def test_layers_are_read_in_order(graph):
    assert [layer.type for layer in graph.layers] == ["Input", "Input", "Convolution", "Split", "BinaryOp", "ReLU"]
    assert graph.layers[4] == Layer("BinaryOp", "add_0", ("2", "in1"), ("out0",), ("0=0",))
    assert graph.layers[2].params == ("0=8", "1=3", "5=1", "6=216")


def test_text_is_the_file_again(graph):
    assert graph.text() == PARAM
    assert read_param(graph.text(), "b.param") == graph


def test_inputs_and_outputs_are_in_file_order(graph):
    assert graph.input_blobs() == ["in0", "in1"]
    assert graph.output_blobs() == ["out0", "out1"]


def test_constant_is_no_input():
    assert NcnnGraph((layer("MemoryData", "0=5"),)).input_blobs() == []


def test_integer_parameter_is_read_by_its_exact_key():
    conv = layer("Convolution", "10=7", "0=8", "1=3")
    assert [conv.param(0), conv.param(1), conv.param(10), conv.param(5), conv.param(5, 1)] == [8, 3, 7, 0, 1]


def test_renaming_changes_every_place_of_a_blob(graph):
    renamed = graph.renamed({"in1": "x", "3": "kept", "out0": "cls"})
    assert renamed.input_blobs() == ["in0", "x"]
    assert renamed.output_blobs() == ["cls", "out1"]
    assert renamed.layers[3].outputs == ("2", "kept")
    assert renamed.layers[4].inputs == ("2", "x")
    assert renamed.layers[5].inputs == ("kept",)
    assert [layer.name for layer in renamed.layers] == [layer.name for layer in graph.layers]
    assert graph.input_blobs() == ["in0", "in1"]


def test_names_may_be_exchanged(graph):
    renamed = graph.renamed({"out0": "out1", "out1": "out0"})
    assert renamed.output_blobs() == ["out1", "out0"]


def test_renaming_to_itself_is_no_collision(graph):
    assert graph.renamed({"in0": "in0"}) == graph


@pytest.mark.parametrize("names", [{"out0": "in1"}, {"out0": "cls", "out1": "cls"}, {"in0": "2", "in1": "x"}])
def test_renaming_two_blobs_to_one_name_is_refused(graph, names):
    with pytest.raises(ConversionError, match="two blobs one name"):
        graph.renamed(names)


def test_renaming_a_missing_blob_is_refused(graph):
    with pytest.raises(ConversionError, match="no blob 'out2'"):
        graph.renamed({"out2": "reg"})


@pytest.mark.parametrize("text", ["", "7767518\n0 0\n", "<html>\n", "\n7767517\n0 0\n"])
def test_other_magic_number_is_refused(text):
    with pytest.raises(ConversionError, match=r"a\.param: line 1 .* 7767517"):
        read_param(text, "a.param")


@pytest.mark.parametrize("lines", range(1, 8))
def test_file_cut_off_between_lines_is_refused(lines):
    with pytest.raises(ConversionError, match=r"^a\.param: "):
        read_param("\n".join(PARAM.splitlines()[:lines]), "a.param")


@pytest.mark.parametrize("lost", range(1, 6))
def test_file_cut_off_within_the_last_line_is_refused(lost):
    text = PARAM.rstrip().rsplit(maxsplit=lost)[0]
    with pytest.raises(ConversionError, match=r"^a\.param: "):
        read_param(text, "a.param")


@pytest.mark.parametrize("counts", ["5 7", "7 7", "6 6", "6 8", "6", "six seven", "6 7 8", ""])
def test_wrong_counts_are_refused(counts):
    with pytest.raises(ConversionError, match=r"^a\.param: "):
        read_param(PARAM.replace("6 7\n", f"{counts}\n", 1), "a.param")


@pytest.mark.parametrize("line", ["ReLU relu_0 one 1 3 out1", "ReLU relu_0 1 1 3", "ReLU"])
def test_line_that_is_no_layer_is_refused(line):
    text = "\n".join([*PARAM.splitlines()[:-1], line])
    with pytest.raises(ConversionError, match=r"a\.param: cut off or not a layer table"):
        read_param(text, "a.param")


# as onnx2ncnn writes: narrower columns, trailing blanks, both spellings of arrays, texts, shape hints, a mask
ONNX2NCNN = """7767517
8 9
Input            input1                   0 1 input1
Input            input2                   0 1 input2 -23330=4,3,288,288,3
Convolution      Conv_0                   1 1 input2 823 0=16 1=3 3=2 4=1 5=1 6=432 9=2 -23310=1,1.000000e-01
Split            splitncnn_0              1 2 823 823_splitncnn_0 823_splitncnn_1
Clip             Clip_1                   1 1 823_splitncnn_0 431 0=0.000000e+00 1=6.000000e+00\x20
Reshape          Reshape_2                1 1 823_splitncnn_1 432 6="*(0h,0w), 96"
Convolution\tConv_3  1 1 431 433 0=16 1=1 5=1 6=256 9=3 10=0.0,6.0  31=64

BinaryOp         Add_4                    2 1 432 433 out 0=0
"""


@pytest.mark.parametrize("text", [PARAM, ONNX2NCNN, ONNX2NCNN + "\n\n", ONNX2NCNN.rstrip("\n")])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_writers_file_is_the_same_again(text, end, tmp_path):
    path = tmp_path / "a.param"
    path.write_bytes(text.replace("\n", end).encode())
    assert load_param(path).text().encode() == path.read_bytes()


def test_parameters_of_every_kind_are_read():
    layers = {layer.name: layer for layer in read_param(ONNX2NCNN, "a.param").layers}
    assert layers["Conv_0"].numbers(10) == (0.1,)
    assert layers["Conv_3"].numbers(10) == (0.0, 6.0)
    assert layers["Conv_3"].param(31) == 64
    assert layers["Conv_3"].numbers(7) == ()
    assert layers["Clip_1"].number(1) == 6.0
    assert layers["Clip_1"].number(2, 0.5) == 0.5
    assert layers["Reshape_2"].params == ('6="*(0h,0w), 96"',)
    assert layers["input2"].numbers(30) == (3, 288, 288, 3)


@pytest.mark.parametrize(
    ("word", "call"),
    [
        ("3=1.5", lambda layer: layer.param(3)),
        ("3=1e3", lambda layer: layer.param(3)),
        ("3=2147483648", lambda layer: layer.param(3)),
        ("3=x", lambda layer: layer.param(3)),
        ("3=1,2", lambda layer: layer.param(3)),
        ("3=1", lambda layer: layer.number(3)),  # ncnn would take the integer's bits for a float's
        ("3=1.0,2.0", lambda layer: layer.number(3)),
        ("-23303=3,1.0,2.0", lambda layer: layer.numbers(3)),
        ("-23303=x", lambda layer: layer.numbers(3)),
        ("3=1.0,x", lambda layer: layer.numbers(3)),
    ],
)
def test_parameter_of_another_kind_is_refused_by_layer_and_key(word, call):
    with pytest.raises(ConversionError, match=r"^layer a: parameter 3 is "):
        call(layer("Convolution", word))


def test_zero_is_a_float_however_it_is_written():
    assert layer("Clip", "0=0", "1=-0.0").number(0, 5.0) == 0.0


def test_changing_a_parameter_changes_one_word_of_one_line(graph):
    changed = graph.with_param("conv_0", 31, 1).text()
    assert changed == PARAM.replace("6=216\n", "6=216 31=1\n")
    assert graph.text() == PARAM
    again = read_param(changed, "b.param").with_param("conv_0", 31, 65).text()
    assert again == PARAM.replace("6=216\n", "6=216 31=65\n")
    assert read_param(again, "b.param").with_param("conv_0", 0, 4).layers[2].params[0] == "0=4"


def test_changing_a_parameter_keeps_other_lines_and_line_ends_of_another_writer():
    text = ONNX2NCNN.replace("\n", "\r\n")
    changed = read_param(text, "a.param").with_param("Conv_0", 31, 1).text()
    before, after = text.split("\r\n"), changed.split("\r\n")
    assert [line for line in after if line not in before] == [
        f"{'Convolution':<24} {'Conv_0':<24} 1 1 input2 823 0=16 1=3 3=2 4=1 5=1 6=432 9=2 -23310=1,1.000000e-01 31=1"
    ]
    assert len(before) == len(after)


@pytest.mark.parametrize("name", ["conv_1", ""])
def test_changing_a_missing_layer_is_refused(graph, name):
    with pytest.raises(ConversionError, match="0 layers are called"):
        graph.with_param(name, 31, 1)


def test_changing_one_of_two_layers_of_a_name_is_refused():
    text = PARAM.replace("relu_0", "add_0")
    with pytest.raises(ConversionError, match="2 layers are called 'add_0'"):
        read_param(text, "a.param").with_param("add_0", 31, 1)


def test_renaming_writes_only_the_lines_it_concerns():
    renamed = read_param(ONNX2NCNN, "a.param").renamed({"out": "cls"})
    kept = [line for line in ONNX2NCNN.splitlines() if line and "Add_4" not in line]
    assert [line for line in renamed.text().splitlines() if "Add_4" not in line] == kept
    assert read_param(renamed.text(), "b.param").output_blobs() == ["input1", "cls"]


def test_layers_left_out_change_the_counts(graph):
    from dataclasses import replace

    shorter = replace(graph, layers=graph.layers[:3])
    assert shorter.text() == "7767517\n3 3\n" + "".join(PARAM.splitlines(keepends=True)[2:5])


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("relu_0                   1 1 3 out1", "relu_0 1 1 3 out1 slope", 8),
        ("0=0", "0=", 7),
        ("0=0", "=0", 7),
        ("0=0", "32=0", 7),
        ("0=0", "-1=0", 7),
        ("0=0", "-23340=1,0", 7),
        ("0=0", "0=-", 7),
        ("0=0", "0=\x00", 7),
        ("1 1 3 out1", "-1 1 3 out1", 8),
        ("1 1 3 out1", "1000000000000 1 3 out1", 8),
        ("1 1 3 out1", f"{'9' * 5000} 1 3 out1", 8),
        ("1 1 3 out1", "1 1 4 out1", 8),  # ncnn's loader would write behind its table of blobs
        ("1 1 3 out1", "1 1 3 out0", 8),
        ("6 7\n", "5 7\n", 8),
        ("relu_0", "re\x00lu", 8),
        ("0=0", '0="a,b', 7),
        ("0=0", '0="', 7),
        ("1=3", "0=3", 5),  # ncnn would take the last
        ("1=3", "00=3", 5),
        ("1=3", "-23300=1,3", 5),
        ("0=8 1=3", "-23301=1,8 1=3", 5),
        ("ReLU ", "Re\x00U ", 8),
        ("1 1 3 out1", "1 1 3 out1\x00", 8),
        ("0=0", '0="a\x00b"', 7),
        ("relu_0", '"re lu"', 8),  # ncnn would take the rest for the counts
        ("relu_0", '"re\tlu"', 8),
        ("relu_0", "r" * 256, 8),
        ("relu_0", "\u00e9" * 128, 8),
    ],
)
def test_damaged_line_is_refused_by_its_number(old, new, line):
    assert old in PARAM
    with pytest.raises(ConversionError, match=rf"^a\.param: .*line {line}\b"):
        read_param(PARAM.replace(old, new, 1), "a.param")


@pytest.mark.parametrize("counts", ["1000000000000 7", "6 1000000000000", f"{'9' * 5000} 7", "-6 7", "6.0 7"])
def test_counts_that_cannot_be_are_refused_at_once(counts):
    with pytest.raises(ConversionError, match=r"^a\.param: .*line"):
        read_param(PARAM.replace("6 7\n", f"{counts}\n", 1), "a.param")


def test_bytes_that_are_no_text_are_refused_by_line(tmp_path):
    path = tmp_path / "a.param"
    path.write_bytes(PARAM.encode().replace(b"relu_0", b"rel\xff_0"))
    with pytest.raises(ConversionError, match=r"^a\.param: line 8 is not text \(byte"):
        load_param(path)


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\x80\x02}q", bytes(range(256))])
def test_foreign_file_is_refused(content, tmp_path):
    path = tmp_path / "a.param"
    path.write_bytes(content)
    with pytest.raises(ConversionError, match=r"^a\.param: line \d "):
        load_param(path)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ConversionError, match="cannot read"):
        load_param(tmp_path / "none.param")


def test_the_longest_names_that_ncnn_reads():
    text = PARAM.replace("relu_0", "r" * 255).replace("out1", "\u00e9" * 127)
    assert read_param(text, "a.param").text() == text


def test_file_cut_off_at_any_byte_is_refused_or_lacks_parameters_only():
    for size in range(len(PARAM) - 1):
        with nullcontext() if size > PARAM.rindex("out1") else pytest.raises(ConversionError, match=r"^a\.param: "):
            read_param(PARAM[:size], "a.param")


def test_pnnx_tables_have_parameters_of_another_form():
    text = "7767517\n2 1\npnnx.Input pnnx_input_0 0 1 0 #0=(1,3,8,8)f32\npnnx.Output pnnx_output_0 1 0 0\n"
    assert read_table(text, "a").layers[0].params == ("#0=(1,3,8,8)f32",)
    with pytest.raises(ConversionError, match="line 3"):
        read_param(text, "a")


def chosen(graph, *outputs):
    return [layer.name for layer in graph.part(outputs).layers]


def test_part_is_what_some_blobs_depend_on(graph):
    assert chosen(graph, "out0") == ["in0", "in1", "conv_0", "split_0", "add_0"]
    assert chosen(graph, "out1") == ["in0", "conv_0", "split_0", "relu_0"]
    assert chosen(graph, "1") == ["in0", "conv_0"]
    assert chosen(graph, "in1") == ["in1"]
    assert chosen(graph, "out0", "out1") == [layer.name for layer in graph.layers]
    assert chosen(graph, "1", "in1") == ["in0", "in1", "conv_0"]
    assert chosen(graph) == []
    assert chosen(graph, "absent") == []
    assert graph.part(["out1"]).input_blobs() == ["in0"]


def test_part_is_a_file_with_counts_of_its_own(graph):
    part = graph.part(["out1"])
    lines = PARAM.splitlines(keepends=True)
    assert part.text() == "7767517\n4 5\n" + "".join([lines[2], *lines[4:6], lines[7]])
    assert read_param(part.text(), "a.param") == part
    assert graph.text() == PARAM
    assert part.header == ""
    assert graph.part(["out0", "out1"]) == graph
    assert graph.part(blob for blob in ["out1"]) == part


def test_making_room_calls_inner_blobs_otherwise(graph):
    room = graph.making_room({"1", "out1", "nobody"})
    assert room.layers[2].outputs == room.layers[3].inputs == ("blob0",)
    assert room.output_blobs() == ["out0", "blob1"]
    assert room.renamed({"out0": "1", "in0": "out1"}).output_blobs() == ["1", "blob1"]
    assert [layer.name for layer in room.layers] == [layer.name for layer in graph.layers]
    assert graph.layers[2].outputs == ("1",)


def test_making_room_takes_names_that_nobody_has(graph):
    other = graph.renamed({"2": "blob0", "3": "blob2"})
    room = other.making_room(["1", "in0", "blob1"])
    assert room.layers[0].outputs == ("blob3",)
    assert room.layers[2].outputs == ("blob4",)
    assert room.layers[3].outputs == ("blob0", "blob2")
    assert len({blob for layer in room.layers for blob in layer.outputs}) == 7


@pytest.mark.parametrize("names", [(), ("absent",), {"blob0"}])
def test_making_room_where_there_is_room_changes_nothing(graph, names):
    assert graph.making_room(names).text() == PARAM


def test_blobs_that_swap_names_with_inner_ones():
    """As an export does it: pnnx's own names in the way of the declared ones."""
    graph = read_param(PARAM, "a.param")
    names = {"in0": "1", "in1": "in0", "out0": "2", "out1": "in1"}
    found = graph.making_room(set(names.values()) - names.keys()).renamed(names)
    assert found.input_blobs() == ["1", "in0"]
    assert found.output_blobs() == ["2", "in1"]
    assert found.layers[2].inputs == ("1",)
    assert found.layers[4].inputs == ("blob1", "in0")


@pytest.mark.parametrize("content", [PARAM, ONNX2NCNN])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text.encode("utf-16"), r"line 1 is not text \(byte 0\)"),
        (lambda text: text.encode("utf-16-le"), r"line 1 is '7\\x007\\x006"),
        (lambda text: text.encode("utf-16-be"), r"line 1 is "),
        (lambda text: text.encode("utf-32"), r"line 1 is not text \(byte 0\)"),
        (lambda text: text.encode("utf-8-sig"), r"line 1 is '\\ufeff7767517', expected ncnn's magic number 7767517"),
        (lambda text: text.replace("7767517", "7767518").encode(), r"line 1 is '7767518', expected"),
        (lambda text: text.replace("7767517", "07767517").encode(), r"line 1 is '07767517', expected"),
        (lambda text: text.replace("\n", "\r").encode(), r"line 1 is "),
        (lambda text: text.replace("\n", "\x00").encode(), r"line 1 is "),
        (lambda text: b"\n" + text.encode(), r"line 1 is '', expected"),
        (lambda text: text.encode()[1:], r"line 1 is '767517', expected"),
        (lambda text: b"\x00" + text.encode(), r"line 1 is '\\x007767517', expected"),
        (lambda text: text.encode() + b"\x00", r"line \d+: layer |line \d+ is over"),
        (lambda text: text.encode() * 2, r"line \d+ is over"),
        (lambda text: text[:8].encode(), r"line 2 is not there, expected the numbers of layers and blobs"),
    ],
)
def test_text_in_another_form_is_refused(content, damage, words, tmp_path):
    path = tmp_path / "a.param"
    path.write_bytes(damage(content))
    with pytest.raises(ConversionError, match=rf"^a\.param: (cut off or not a layer table, )?({words})"):
        load_param(path)
