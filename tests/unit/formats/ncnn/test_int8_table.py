"""ncnn2table's calibration table: its form is that of ncnn's tools/quantize."""

import numpy as np
import pytest

from converter.errors import ConversionError
from converter.formats.ncnn.int8.layers import Scales
from converter.formats.ncnn.int8.table import Table, check_table, read_table, table_text
from converter.formats.ncnn.layer import Layer
from converter.formats.ncnn.param import NcnnGraph

# as ncnn2table writes it: "%s_param_0 " and "%f " for each channel, then "%s " and "%f "; a blank ends each line
WRITTEN = "conv_0_param_0 156.639840 inf 0.000000 \nfc_1_param_0 123.500000 \nconv_0 26.764389 \nfc_1 0.062500 \n"
EMBED = "embed_0_param_0 31.750000 \nmha_0_param_0 1.0 2.0 \nmha_0_param_1 3.0 4.0 \n"


def read_by_ncnn2int8(text):
    """Keys to numbers as its read_int8scale_table takes them: strtok at blanks, sscanf of each word."""
    tables = {}
    for line in text.splitlines():
        words = [word for word in line.split(" ") if word]
        if not words:
            break
        tables[words[0]] = [np.float32(float(word)) for word in words[1:]]
    return tables


def scales(weights, given):
    return Scales(np.array(weights, np.float32), np.float32(given))


def test_a_table_of_ncnn2table_is_read():
    table = read_table(WRITTEN + EMBED, "a.table")
    assert list(table.scales) == ["conv_0", "fc_1"]
    # ncnn2table divides by zero for a channel of zeros: there is nothing to scale
    assert table.scales["conv_0"].weights.tolist() == [np.float32(156.63984), 1, 1]
    assert table.scales["conv_0"].weights.dtype == np.float32
    assert table.scales["conv_0"].input == np.float32(26.764389)
    assert table.scales["fc_1"].input == 0.0625
    assert table.others == {"embed_0_param_0": (31.75,), "mha_0_param_0": (1, 2), "mha_0_param_1": (3, 4)}
    assert read_table("", "a.table") == Table({}, {})
    assert read_table(WRITTEN.replace("\n", "\r\n"), "a.table").scales.keys() == table.scales.keys()


def test_what_is_written_is_read_the_same_to_the_last_bit():
    generator = np.random.default_rng(0)
    made = {
        f"conv_{number}": scales(10.0 ** generator.uniform(-30, 30, 5), 10.0 ** generator.uniform(-9, 9))
        for number in range(20)
    }
    text = table_text(made)
    again = read_table(text, "a.table").scales
    as_ncnn = read_by_ncnn2int8(text)
    assert list(again) == list(made)
    for name, each in made.items():
        assert np.array_equal(again[name].weights, each.weights)
        assert again[name].input == each.input
        assert as_ncnn[f"{name}_param_0"] == each.weights.tolist()
        assert as_ncnn[name] == [each.input]
    assert all(line.startswith("conv_") and not line.endswith(" ") for line in text.splitlines())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a_param_0 1 2\na 1\na 2\n", "line 3: a is there twice"),
        ("a_param_0 1 2\na_param_0 1 2\na 1\n", "line 2: a_param_0 is there twice"),
        ("a_param_0 1 x\na 1\n", "line 1: 'x' is no scale"),
        ("a_param_0 1 nan\na 1\n", "line 1: 'nan' is no scale"),
        ("a_param_0 1 -2\na 1\n", "line 1: '-2' is no scale"),
        ("a_param_0\na 1\n", "line 1: a_param_0 has no scales"),
        ("a_param_0 1\na\n", "line 2: input of a has scales '', expected one above 0"),
        ("a_param_0 1\na 1 2\n", "line 2: input of a has scales '1 2', expected one above 0"),
        ("a_param_0 1\na 0\n", "line 2: input of a has scales '0'"),
        ("a_param_0 1\na inf\n", "line 2: input of a has scales 'inf'"),
        ("a 1\n", "has a scale for the input of a, but no line a_param_0"),
        ("a_param_1 1\na 1\n", "but no line a_param_0"),
        (f"{'a' * 256} 1\n", "line 1 is too long"),
    ],
)
def test_a_table_that_ncnn2int8_would_misread_is_refused(text, problem):
    with pytest.raises(ConversionError) as caught:
        read_table(text, "a.table")
    assert str(caught.value).startswith("a.table: ")
    assert problem in str(caught.value)


@pytest.mark.parametrize("name", ["a b", "a\tb", "conv_param_0", "a" * 250])
def test_a_layer_whose_name_would_be_misread_is_refused(name):
    with pytest.raises(ConversionError, match="cannot be in ncnn's calibration table"):
        table_text({name: scales([1], 1)})


def test_a_table_is_held_against_its_model():
    graph = NcnnGraph((
        Layer("Convolution", "conv_0", ("x",), ("y",), ("0=3", "1=1", "6=9")),
        Layer("ConvolutionDepthWise", "dw", ("y",), ("z",), ("0=6", "1=1", "6=18", "7=2")),
        Layer("InnerProduct", "fc_1", ("z",), ("w",), ("0=1", "2=3")),
    ))  # fmt: skip
    check_table(read_table(WRITTEN, "a.table"), graph, "a.table")
    check_table(Table({"dw": scales([1, 2], 1)}, {}), graph, "a.table")
    for wrong, problem in (
        ({"dw": scales([1] * 6, 1)}, "a.table: layer dw has 6 weight scales, expected 2"),
        ({"conv_1": scales([1] * 3, 1)}, "a.table: layer conv_1 is not in the model"),
    ):
        with pytest.raises(ConversionError, match=problem):
            check_table(Table(wrong, {}), graph, "a.table")
