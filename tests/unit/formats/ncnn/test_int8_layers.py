"""Which layers can be int8, what they become in the files, and what is refused there."""

import numpy as np
import pytest

from converter.errors import ConversionError
from converter.formats.ncnn.int8.layers import Scales, can_be_int8, int8_arrays, levels, with_int8
from converter.formats.ncnn.layer import Layer
from converter.formats.ncnn.param import NcnnGraph
from converter.formats.ncnn.weights import HALF, INT8, RAW, NcnnWeights, Stored, load_model, stored_precision

PARAM = """7767517
4 4
Input in 0 1 x
Convolution conv 1 1 x a 0=2 1=1 5=1 6=6
ReLU relu 1 1 a b
InnerProduct fc 1 1 b y 0=3 2=24
"""
WEIGHTS = np.float32([0.5, -0.24, 1.26, 0.1, 0.06, -0.05])
BIAS = np.float32([7, 8])


def layer(kind, params):
    return Layer(kind, "a", ("x",), ("y",), tuple(params.split()))


def weight(count, tag=RAW):
    return (Stored("weight", count, tag, np.zeros(count, np.float32).tobytes()),)


@pytest.mark.parametrize(
    ("kind", "params", "tag", "can"),
    [
        ("Convolution", "0=2 1=1 6=6", RAW, True),
        ("Convolution", "0=2 1=1 6=6 9=6", RAW, True),
        ("ConvolutionDepthWise", "0=2 1=1 6=6 7=2", RAW, True),
        ("InnerProduct", "0=2 2=6", RAW, True),
        ("Convolution", "0=2 1=1 6=6", HALF, False),
        ("Convolution", "0=2 1=1 6=6 8=2", RAW, False),
        ("Convolution", "0=2 1=1 6=6 18=1.0", RAW, False),
        ("Convolution", "0=2 1=1 6=6 9=7", RAW, False),
        ("ConvolutionDepthWise", "0=2 1=1 6=6 7=4", RAW, False),
        ("Deconvolution", "0=2 1=1 6=6", RAW, False),
        ("Gemm", "7=2 9=3 4=1", RAW, False),
    ],
)
def test_layers_that_can_be_int8(kind, params, tag, can):
    assert can_be_int8(layer(kind, params), weight(6, tag)) == can
    assert not can_be_int8(layer(kind, params), ())


@pytest.mark.parametrize(
    ("kind", "params", "expected"),
    [
        ("Convolution", "0=2 1=3", 31),
        ("Convolution", "0=2 1=3 2=2", 127),
        ("Convolution", "0=2 1=3 3=2", 127),
        ("Convolution", "0=2 1=3 11=1", 127),
        ("Convolution", "0=2 1=1", 127),
        ("ConvolutionDepthWise", "0=2 1=3 7=2", 127),
        ("InnerProduct", "0=2 2=6", 127),
    ],
)
def test_weights_for_winograd_have_six_bits(kind, params, expected):
    assert levels(layer(kind, params)) == expected


@pytest.fixture
def files(tmp_path):
    param, bin_file = tmp_path / "a.param", tmp_path / "a.bin"
    param.write_text(PARAM)
    raw = RAW.to_bytes(4, "little")
    bin_file.write_bytes(raw + WEIGHTS.tobytes() + BIAS.tobytes() + raw + np.arange(24, dtype=np.float32).tobytes())
    return param, bin_file


SCALES = Scales(np.float32([100, 20]), np.float32(3))


def quantised(files, shift=None, scales=SCALES):
    graph, weights = load_model(*files)
    made = int8_arrays(graph.layers[1], weights.arrays[1], scales, shift)
    return with_int8(graph, weights, {"conv": made})


def test_what_is_written(files):
    graph, weights = quantised(files)
    assert graph.layers[1].params[-1] == "8=2"
    assert (graph.layers[0], graph.layers[2:]) == (load_model(*files)[0].layers[0], load_model(*files)[0].layers[2:])
    expected = INT8.to_bytes(4, "little") + np.int8([50, -24, 126, 2, 1, -1, 0, 0]).tobytes()
    expected += np.float32([7, 8, 100, 20, 3]).tobytes()  # bias, weight scales, input scale
    assert weights.data() == expected + files[1].read_bytes()[4 + 24 + 8 :]
    shifted = quantised(files, np.array([0.5, -1]))[1]
    assert shifted.arrays[1][1].values().tolist() == [7.5, 7]
    assert shifted.arrays[1][0] == weights.arrays[1][0]


@pytest.mark.parametrize(("kind", "term"), [("Convolution", 2), ("ConvolutionDepthWise", 1), ("InnerProduct", 2)])
def test_the_term_is_that_of_ncnn2int8(kind, term):
    graph = NcnnGraph((layer(kind, "0=2 1=1 2=4 6=4 7=2"),))
    made, _ = with_int8(graph, NcnnWeights(((),)), {"a": ()})
    assert made.layers[0].param(8) == term


def test_a_wrong_number_of_scales_is_refused(files):
    with pytest.raises(ConversionError, match="layer conv has 3 weight scales, expected 2"):
        quantised(files, scales=Scales(np.ones(3, np.float32), np.float32(1)))


def rewritten(files, graph, data):
    files[0].write_text(graph.text())
    files[1].write_bytes(data)
    return load_model(*files)


def test_a_model_with_an_int8_layer_is_int8_however_the_rest_is_stored(files):
    graph, weights = quantised(files)
    read = rewritten(files, graph, weights.data())
    assert read[1].data() == weights.data()
    assert stored_precision(read[1]) == "int8"
    # ncnn makes float weights int8 when it loads them, if the layer has scales
    floating = read[1].mapped(lambda _, one: one.with_values(WEIGHTS, RAW) if one.tag == INT8 else one)
    assert stored_precision(rewritten(files, graph, floating.data())[1]) == "int8"
    assert rewritten(files, graph, floating.data())[1].data() == floating.data()


def test_int8_weights_that_nothing_scales_are_refused(files):
    _, weights = quantised(files)
    without = NcnnWeights((weights.arrays[0], weights.arrays[1][:2], *weights.arrays[2:]))
    plain = load_model(*files)[0]
    with pytest.raises(ConversionError, match=r"a\.bin: byte 0: weight of layer conv .*is int8, but .* no scales"):
        rewritten(files, plain, without.data())


@pytest.mark.parametrize(
    ("role", "value", "problem"),
    [
        ("input scale", 0, "holds 0,"),
        ("input scale", -1, "holds -1,"),
        ("input scale", np.nan, "holds nan,"),
        ("input scale", np.inf, "holds inf,"),
        ("weight scales", -1, "holds -1,"),
        ("weight scales", np.nan, "holds nan,"),
        ("weight scales", 0, ""),
        ("weight scales", np.inf, ""),
    ],
)
def test_scales_that_give_no_numbers_are_refused(files, role, value, problem):
    graph, weights = quantised(files)

    def damaged(_, stored):
        if stored.role != role:
            return stored
        return stored.with_values(np.where(np.arange(stored.count), stored.values(), np.float32(value)), None)

    data = weights.mapped(damaged).data()
    if problem:
        with pytest.raises(ConversionError, match=rf"a\.bin: byte \d+: {role} of layer conv .*{problem}"):
            rewritten(files, graph, data)
    else:
        assert rewritten(files, graph, data)[1].data() == data


@pytest.mark.parametrize(
    ("rest", "taker"),
    [
        ("ReLU relu 1 1 a y", "layer relu"),
        ("Convolution conv2 1 1 a y 0=1 1=1 6=2", "layer conv2"),
        ("Split s 1 2 a b c\nConvolution conv2 1 1 b y 0=1 1=1 6=2 8=2\nReLU relu 1 1 c z", "layer relu"),
        ("Split s 1 2 a b y\nConvolution conv2 1 1 b z 0=1 1=1 6=2 8=2", "the graph's output y"),
        ("Noop n 0 1 y", "the graph's output a"),
        ("Convolution conv2 1 1 a y 0=1 1=1 6=2 8=2", ""),
        ("Split s 1 2 a b c\nConvolution c2 1 1 b y 0=1 1=1 6=2 8=2\nConvolution c3 1 1 c z 0=1 1=1 6=2 8=2", ""),
    ],
)
def test_an_int8_output_is_for_int8_layers_alone(tmp_path, rest, taker):
    lines = ["Input in 0 1 x", "Convolution conv 1 1 x a 0=2 1=1 6=6 8=102", *rest.split("\n")]
    blobs = sum(int(line.split()[3]) for line in lines)
    (tmp_path / "a.param").write_text("\n".join(["7767517", f"{len(lines)} {blobs}", *lines, ""]))
    data = INT8.to_bytes(4, "little") + bytes(8) + np.float32([1, 1, 1, 1]).tobytes()
    second = (RAW.to_bytes(4, "little") + bytes(8)) if "conv2" in rest and "8=2" not in rest else b""
    int8 = INT8.to_bytes(4, "little") + bytes(4) + np.float32([1, 1]).tobytes()
    (tmp_path / "a.bin").write_bytes(data + second + int8 * rest.count("8=2"))
    if taker:
        with pytest.raises(ConversionError, match=rf"a\.param: layer conv \(8=102\) gives int8 to {taker}"):
            load_model(tmp_path / "a.param", tmp_path / "a.bin")
    else:
        load_model(tmp_path / "a.param", tmp_path / "a.bin")
