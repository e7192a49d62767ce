"""The layer table of a ``.param`` file: read, renamed, written, weighed."""

import pytest

from converter.errors import ConversionError
from converter.ncnn_format import Layer, NcnnGraph, read_param

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
    assert [line.split() for line in graph.text().splitlines()] == [line.split() for line in PARAM.splitlines()]
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


@pytest.mark.parametrize(
    ("kind", "params", "size"),
    [
        ("Convolution", "0=8 1=3 5=1 6=216", 4 + 4 * 216 + 4 * 8),
        ("Convolution", "0=8 1=3 5=0 6=216", 4 + 4 * 216),
        ("Convolution", "0=8 1=3 6=216", 4 + 4 * 216),
        ("ConvolutionDepthWise", "0=16 1=5 5=1 6=400 7=16", 4 + 4 * 400 + 4 * 16),
        ("InnerProduct", "0=10 1=1 2=640", 4 + 4 * 640 + 4 * 10),
        ("InnerProduct", "0=10 1=0 2=640", 4 + 4 * 640),
        ("BatchNorm", "0=24", 4 * 4 * 24),
        ("MemoryData", "0=5 1=6 2=7", 4 * 5 * 6 * 7),
        ("MemoryData", "0=5", 4 * 5),
        ("ReLU", "", 0),
        ("Convolution", "0=8 1=3 5=1 6=216 8=1", None),
        ("Convolution", "0=8 1=3 5=1 6=216 19=1", None),
        ("ConvolutionDepthWise", "0=16 1=5 6=400 8=2", None),
        ("InnerProduct", "0=10 1=1 2=640 8=1", None),
        ("LayerNorm", "0=96", None),
        ("PReLU", "0=96", None),
        ("MultiHeadAttention", "0=96 1=8 2=9216", None),
    ],
)
def test_weight_bytes_of_a_layer(kind, params, size):
    assert NcnnGraph((layer(kind, *params.split()),)).weight_bytes() == size


def test_weight_bytes_are_added_up(graph):
    assert graph.weight_bytes() == 4 + 4 * 216 + 4 * 8
    both = NcnnGraph((*graph.layers, layer("BatchNorm", "0=8"), layer("BatchNorm", "0=2")))
    assert both.weight_bytes() == 4 + 4 * 216 + 4 * 8 + 16 * 10


def test_one_layer_of_unknown_weight_makes_the_sum_unknown(graph):
    assert NcnnGraph((layer("LSTM"), *graph.layers)).weight_bytes() is None
