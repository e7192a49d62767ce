"""The weights of a ``.bin``: which a layer asks for, read and written byte for byte, damage refused by offset."""

import random
from contextlib import nullcontext

import numpy as np
import pytest

from converter.errors import ConversionError
from converter.formats.ncnn.layer import Layer
from converter.formats.ncnn.param import NcnnGraph
from converter.formats.ncnn.slots import slots_of
from converter.formats.ncnn.weights import (
    HALF,
    INT8,
    RAW,
    SCALED,
    TABLE,
    NcnnWeights,
    Stored,
    halved,
    load_bin,
    load_model,
    load_part,
    read_bin,
    stored_precision,
)


def layer(kind, params="", name="a"):
    return Layer(type=kind, name=name, inputs=(), outputs=("b",), params=tuple(params.split()))


def graph(*layers):
    return NcnnGraph(tuple(layers))


def asked(kind, params):
    """``role:count``, with an apostrophe where a tag comes first."""
    return " ".join(f"{slot.role}:{slot.count}{chr(39) * slot.tagged}" for slot in slots_of(layer(kind, params)))


@pytest.mark.parametrize(
    ("kind", "params", "expected"),
    [
        ("Convolution", "0=8 1=3 5=1 6=216", "weight:216' bias:8"),
        ("Convolution", "0=8 1=3 5=0 6=216", "weight:216'"),
        ("Convolution", "0=8 1=3 6=216", "weight:216'"),
        ("Convolution", "0=8 1=3 6=216 8=2", "weight:216' weight scales:8 input scale:1"),
        ("Convolution", "0=8 1=3 5=1 6=216 8=102", "weight:216' bias:8 weight scales:8 input scale:1 output scale:1"),
        ("Convolution", "0=8 1=3 5=1 6=216 19=1", ""),
        ("ConvolutionDepthWise", "0=16 1=5 5=1 6=400 7=16", "weight:400' bias:16"),
        ("ConvolutionDepthWise", "0=16 6=400 7=4 8=1", "weight:400' weight scales:4 input scale:1"),
        ("ConvolutionDepthWise", "0=16 6=400 7=4 8=2", "weight:400' weight scales:1 input scale:1"),
        ("InnerProduct", "0=10 1=1 2=640", "weight:640' bias:10"),
        ("InnerProduct", "0=10 2=640 8=102", "weight:640' weight scales:10 input scale:1"),
        ("Deconvolution", "0=8 5=1 6=216 28=1", ""),
        ("Deconvolution", "0=8 5=1 6=216 19=1", "weight:216' bias:8"),
        ("BatchNorm", "0=24", "slope:24 mean:24 variance:24 bias:24"),
        ("MemoryData", "0=5 1=6 2=7", "data:210"),
        ("MemoryData", "0=5 1=6 11=2 2=7 21=0", "data:420'"),
        ("MemoryData", "", ""),
        ("LayerNorm", "0=96", "gamma:96 beta:96"),
        ("LayerNorm", "0=96 2=0", ""),
        ("GroupNorm", "0=4 1=32", "gamma:32 beta:32"),
        ("RMSNorm", "0=32", "gamma:32"),
        ("PReLU", "0=96", "slope:96"),
        ("Scale", "0=8 1=1", "scale:8 bias:8"),
        ("Scale", "0=-233 1=1", ""),
        ("Embed", "0=8 1=3 2=1 3=24", "weight:24' bias:8"),
        ("Gemm", "2=0 3=1", ""),
        ("Gemm", "5=1 6=1 8=4 9=6 10=4", "B:24' C:4'"),
        ("Gemm", "4=1 6=1 7=3 9=6 10=-1", "A:18'"),
        (
            "MultiHeadAttention",
            "0=8 1=2 2=32 3=6 4=5",
            "query weight:32' query bias:8 key weight:48' key bias:8 value weight:40' value bias:8 "
            "output weight:32' output bias:4",
        ),
        ("Padding", "6=3", "values:3"),
        ("ReLU", "", ""),
    ],
)
def test_arrays_that_a_layer_asks_for(kind, params, expected):
    assert asked(kind, params) == expected


@pytest.mark.parametrize(
    ("kind", "params", "words"),
    [
        ("LSTM", "0=8", "layer a is of type LSTM, whose weights cannot be read"),
        ("YoloV5Focus", "", "of type YoloV5Focus"),
        ("Gemm", "5=1 18=2", "a quantised Gemm"),
        ("MultiHeadAttention", "0=8 2=64 18=2", "a quantised MultiHeadAttention"),
        ("MultiHeadAttention", "0=0 2=64", "64 weights for 0 channels"),
        ("Convolution", "0=8", "asks for 0 numbers of weight"),
        ("Convolution", "0=8 6=-216", "asks for -216 numbers"),
        ("Convolution", "0=0 5=1 6=216", "asks for 0 numbers of bias"),
        ("Convolution", "0=8 6=2.16e2", "parameter 6 is '2.16e2', expected an integer"),
        ("Convolution", "0=8 6=1000000000000", "expected an integer of 32 bits"),
        ("Convolution", "0=8 6=" + "9" * 5000, "expected an integer of 32 bits"),
    ],
)
def test_layer_that_asks_for_what_cannot_be_is_refused(kind, params, words):
    with pytest.raises(ConversionError, match=r"a\.bin: ") as caught:
        read_bin(graph(layer(kind, params)), b"\0" * 100, "a.bin")
    assert words in str(caught.value)


MIXED = graph(
    layer("Convolution", "0=3 1=1 5=1 6=9", "conv"),
    layer("ReLU", "", "relu"),
    layer("BatchNorm", "0=3", "norm"),
    layer("InnerProduct", "0=5 2=15", "inner"),
    layer("MemoryData", "0=2", "data"),
)
WEIGHT, BIAS, NORM, INNER, DATA = (np.arange(count, dtype=np.float32) + 0.5 for count in (9, 3, 12, 15, 2))


def stored(values, tag):
    if tag == HALF:
        data = values.astype("<f2").tobytes()
    elif tag == INT8:
        data = values.astype("i1").tobytes()
    elif tag == TABLE:
        data = np.linspace(0, 255, 256, dtype="<f4").tobytes() + values.astype("u1").tobytes()
    else:
        data = values.astype("<f4").tobytes()
    return tag.to_bytes(4, "little") + data + b"\x83\x22\x01"[: -len(data) % 4]


def mixed(first=RAW, second=RAW):
    return b"".join([stored(WEIGHT, first), *(part.tobytes() for part in (BIAS, NORM)), stored(INNER, second), DATA])


@pytest.mark.parametrize("first", [RAW, HALF, INT8, SCALED, TABLE])
@pytest.mark.parametrize("second", [RAW, HALF, INT8, SCALED, TABLE])
def test_every_way_of_storing_is_read_and_written_again(first, second):
    data = mixed(first, second)
    weights = read_bin(MIXED, data, "a.bin")
    assert weights.data() == data
    whole = {INT8: np.floor, TABLE: np.floor}
    conv, _, norm, inner, memory = weights.arrays
    assert np.array_equal(conv[0].values(), whole.get(first, np.asarray)(WEIGHT))
    assert np.array_equal(conv[1].values(), BIAS)
    assert np.array_equal(np.concatenate([array.values() for array in norm]), NORM)
    assert np.array_equal(inner[0].values(), whole.get(second, np.asarray)(INNER))
    assert np.array_equal(memory[0].values(), DATA)
    assert [conv[0].tag, conv[1].tag, inner[0].tag] == [first, None, second]
    assert (conv[0].offset, conv[1].offset) == (0, len(stored(WEIGHT, first)))


def test_values_are_float32_in_every_storage():
    for tag in (RAW, HALF, INT8, SCALED, TABLE):
        assert read_bin(MIXED, mixed(tag), "a.bin").arrays[0][0].values().dtype == np.float32


def test_values_can_be_replaced():
    weights = read_bin(MIXED, mixed(), "a.bin")

    def doubled(index, array):
        return array.with_values(2 * array.values(), array.tag)

    again = read_bin(MIXED, weights.mapped(doubled).data(), "b.bin")
    for before, after in zip(weights.arrays, again.arrays, strict=True):
        for one, other in zip(before, after, strict=True):
            assert np.array_equal(other.values(), 2 * one.values())
            assert one.tag == other.tag


def test_halves_are_rounded_to_nearest_with_subnormals_and_infinity():
    array = read_bin(MIXED, mixed(), "a.bin").arrays[0][0]
    values = np.float32([1 + 2**-11, 1 + 3 * 2**-11, 2**-24, 2**-26, 70000, -65504, 6.0e-5, 0, -0.0])
    half = array.with_values(values, HALF)
    assert len(half.data) == 20
    assert half.data[18:] == b"\0\0"
    expected = [1, 1 + 2**-9, 2**-24, 0, np.inf, -65504, np.float32(np.float16(6.0e-5)), 0, -0.0]
    assert half.values().tolist() == pytest.approx(expected, abs=0)
    assert half.values()[6] != 0


@pytest.mark.parametrize(("values", "tag"), [(WEIGHT, None), (WEIGHT[:5], RAW), (WEIGHT, INT8)])
def test_values_that_do_not_fit_their_place_are_a_mistake(values, tag):
    with pytest.raises(ValueError, match="in place of 9"):
        read_bin(MIXED, mixed(), "a.bin").arrays[0][0].with_values(values, tag)


@pytest.mark.parametrize("tags", [(RAW, RAW), (HALF, HALF), (INT8, TABLE), (TABLE, INT8)])
def test_file_cut_off_anywhere_is_refused_with_layer_and_offset(tags):
    data = mixed(*tags)
    for size in range(len(data)):
        with pytest.raises(ConversionError) as caught:
            read_bin(MIXED, data[:size], "a.bin")
        message = str(caught.value)
        assert message.startswith("a.bin: cut off")
        assert f"ends at byte {size}, expected " in message
        assert any(f"of layer {name} (" in message for name in ("conv", "norm", "inner", "data"))


def test_where_a_file_is_cut_off_is_named():
    with pytest.raises(
        ConversionError,
        match=r"ends at byte 45, expected 12 bytes from byte 40 for the bias of layer conv \(Convolution\)$",
    ):
        read_bin(MIXED, mixed()[:45], "a.bin")


@pytest.mark.parametrize("more", [1, 3, 4, 1000])
def test_file_that_goes_on_is_refused(more):
    size = len(mixed())
    with pytest.raises(ConversionError, match=rf"a\.bin: goes on for {more} bytes after byte {size}"):
        read_bin(MIXED, mixed() + b"\0" * more, "a.bin")


@pytest.mark.parametrize("tag", [2, 0x40, 0x01306B46, 0x01306B47 ^ 0x8000, 0xFFFFFFFF, 7767517])
@pytest.mark.parametrize("offset", [0, 40 + 60])
def test_tag_that_ncnn_does_not_have_is_refused_with_its_offset(tag, offset):
    data = bytearray(mixed())
    data[offset : offset + 4] = tag.to_bytes(4, "little")
    with pytest.raises(ConversionError, match=rf"a\.bin: byte {offset} begins with tag {tag:#x}, expected one of 0x0,"):
        read_bin(MIXED, bytes(data), "a.bin")


def test_tag_of_another_storage_does_not_fit_the_length():
    for tag in (HALF, INT8, TABLE):
        data = tag.to_bytes(4, "little") + mixed()[4:]
        with pytest.raises(ConversionError, match=r"^a\.bin: "):
            read_bin(MIXED, data, "a.bin")


def test_any_flipped_byte_is_read_or_refused_but_nothing_else():
    data, random_ = mixed(HALF, RAW), random.Random(1)
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= random_.randrange(1, 256)
        tag_is_hit = at < 4 or 4 + 20 + 60 <= at < 8 + 20 + 60
        with pytest.raises(ConversionError, match=r"^a\.bin: ") if tag_is_hit else nullcontext():
            assert read_bin(MIXED, bytes(damaged), "a.bin").data() == damaged


def test_counts_in_the_table_never_make_memory():
    """2 ** 31 - 1 numbers in a file of a few bytes: refused from the sizes alone."""
    for params in ("0=8 6=2147483647", "0=2147483647 5=1 6=9"):
        with pytest.raises(ConversionError, match="cut off"):
            read_bin(graph(layer("Convolution", params)), mixed(), "a.bin")
    with pytest.raises(ConversionError, match="cut off"):
        read_bin(graph(layer("MemoryData", "0=2147483647 1=2147483647 2=2147483647")), b"", "a.bin")


def test_files_are_read_from_disk(tmp_path):
    param, weights = tmp_path / "a.param", tmp_path / "a.bin"
    param.write_text("7767517\n1 1\nMemoryData a 0 1 a 0=3\n")
    weights.write_bytes(np.float32([1, 2, 3]).tobytes())
    table, arrays = load_model(param, weights)
    assert [one.name for one in table.layers] == ["a"]
    assert arrays.arrays[0][0].values().tolist() == [1, 2, 3]


def test_missing_file_and_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.bin", tmp_path):
        with pytest.raises(ConversionError, match="cannot read"):
            load_bin(MIXED, path)


def test_much_longer_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "a.bin"
    with path.open("wb") as writer:
        writer.truncate(1 << 40)  # a hole: reading it would fill the memory
    with pytest.raises(ConversionError, match=r"a\.bin: goes on to byte"):
        load_bin(MIXED, path)


def halves_of(values):
    """One layer's weights, given any numbers, as halves."""
    values = np.asarray(values, np.float32)
    table = graph(layer("Convolution", f"0=1 1=1 6={values.size}"))
    data = RAW.to_bytes(4, "little") + values.tobytes()
    return halved(table, read_bin(table, data, "a.bin")).arrays[0][0]


def test_halves_of_a_model_leave_all_that_is_no_weight():
    before = read_bin(MIXED, mixed(), "a.bin")
    after = halved(MIXED, before)
    (conv, bias), relu, norm, (inner,), data = after.arrays
    assert (conv.tag, inner.tag, relu) == (HALF, HALF, ())
    assert (bias, norm, data) == (before.arrays[0][1], before.arrays[2], before.arrays[4])
    assert [one.tag for one in (bias, *norm, *data)] == [None] * 6
    written = after.data()
    assert written == mixed(HALF, HALF).replace(b"\x83\x22", b"\0\0")
    assert [one.data for arrays in read_bin(MIXED, written, "b.bin").arrays for one in arrays] == [
        one.data for arrays in after.arrays for one in arrays
    ]
    assert before.data() == mixed()


def test_halves_are_nearest_with_ties_to_even_as_numpys():
    random = np.random.default_rng(3)
    bits = random.integers(0, 1 << 32, 20000, dtype=np.uint32).view(np.float32)
    drawn = bits[np.abs(bits) < 65520]
    exact = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
    exact = exact[np.isfinite(exact)]
    between = np.sort(np.unique(exact)).astype(np.float64)
    middles = ((between[1:] + between[:-1]) / 2).astype(np.float32)
    values = np.concatenate([drawn, exact, middles, np.nextafter(middles, np.float32(np.inf))])
    values = values[np.abs(values) < 65520]
    found = halves_of(values)
    assert found.tag == HALF
    assert np.array_equal(np.frombuffer(found.data, "<f2", values.size), values.astype(np.float16))
    assert found.data[: 2 * values.size] == values.astype("<f2").tobytes()


def test_every_middle_between_two_halves_goes_to_the_even_one():
    halves = np.arange(0x7BFF, dtype=np.uint16)
    low, high = (bits.view(np.float16).astype(np.float64) for bits in (halves, halves + np.uint16(1)))
    found = np.frombuffer(halves_of((low + high) / 2).data, "<u2", halves.size)
    assert np.array_equal(found, halves + (halves & 1))


def test_values_that_a_half_holds_come_back_bit_for_bit():
    exact = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    exact = exact[np.isfinite(exact)]
    values = halves_of(exact).values()
    assert values.tobytes() == exact.astype(np.float32).tobytes()  # -0.0 and every subnormal, too
    assert np.count_nonzero((values != 0) & (np.abs(values) < 2.0**-14)) == 2 * 1023


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 63, 64])
def test_odd_counts_of_halves_are_filled_up_to_four_bytes(count):
    found = halves_of(np.arange(count) + 0.5)
    assert len(found.data) == 2 * count + 2 * (count % 2)
    assert found.data[2 * count :] == b"\0\0" * (count % 2)
    assert (found.count, found.values().size) == (count, count)


@pytest.mark.parametrize("value", [65520.0, -65520.0, 1e30, -np.inf, np.nan])
@pytest.mark.parametrize("at", [0, 8])
def test_weight_that_no_half_holds_is_refused_by_its_layer(value, at):
    data = bytearray(mixed())
    data[4 + 4 * at : 8 + 4 * at] = np.float32(value).tobytes()
    with pytest.raises(ConversionError) as caught:
        halved(MIXED, read_bin(MIXED, bytes(data), "a.bin"))
    assert str(caught.value) == (
        f"--half: layer conv has a weight of {abs(value):.4g}, and the largest half is 65504; leave --half out"
    )


def test_largest_weight_and_a_bias_of_any_size_pass():
    assert halves_of([np.nextafter(np.float32(65520), np.float32(0)), -65519]).values().tolist() == [
        65504,
        -65504,
    ]
    data = bytearray(mixed())
    data[40:44] = np.float32(1e30).tobytes()
    assert halved(MIXED, read_bin(MIXED, bytes(data), "a.bin")).arrays[0][1].values()[0] == np.float32(1e30)


@pytest.mark.parametrize("tag", [HALF, INT8, SCALED, TABLE])
def test_weights_that_are_stored_otherwise_already_stay(tag):
    before = read_bin(MIXED, mixed(tag, tag), "a.bin")
    assert halved(MIXED, before).data() == mixed(tag, tag)


def test_halves_of_halves_are_the_same():
    once = halved(MIXED, read_bin(MIXED, mixed(), "a.bin"))
    assert halved(MIXED, once) == once


PART = """7767517
6 6
Input                    in0                      0 1 x
Input                    in1                      0 1 zf
Convolution              conv_0                   1 1 x xf 0=3 1=1 5=1 6=9
BatchNorm                bn_0                     1 1 zf a 0=3
InnerProduct             inner_0                  1 1 xf b 0=5 2=15
BinaryOp                 add_0                    2 1 a b out 0=0
"""


@pytest.fixture
def whole(tmp_path):
    (tmp_path / "a.param").write_text(PART)
    (tmp_path / "a.bin").write_bytes(mixed()[: -DATA.nbytes])
    return tmp_path / "a.param", tmp_path / "a.bin"


@pytest.mark.parametrize(
    ("outputs", "layers", "data"),
    [
        (["xf"], ["in0", "conv_0"], mixed()[:52]),
        (["a"], ["in1", "bn_0"], mixed()[52:100]),
        (["b"], ["in0", "conv_0", "inner_0"], mixed()[:52] + mixed()[100:164]),
        (["xf", "a"], ["in0", "in1", "conv_0", "bn_0"], mixed()[:100]),
        (["out"], ["in0", "in1", "conv_0", "bn_0", "inner_0", "add_0"], mixed()[:164]),
        (["x"], ["in0"], b""),
    ],
)
def test_part_of_a_model_has_the_weights_of_its_layers(whole, outputs, layers, data):
    part, weights = load_part(*whole, outputs)
    assert [one.name for one in part.layers] == layers
    assert weights.data() == data
    assert len(weights.arrays) == len(layers)
    again = read_bin(part, weights.data(), "part.bin")
    assert again == weights


def test_part_of_a_damaged_model_is_refused(whole):
    whole[1].write_bytes(whole[1].read_bytes()[:-1])
    with pytest.raises(ConversionError, match=r"^a\.bin: cut off"):
        load_part(*whole, ["xf"])


def test_half_file_with_weights_that_are_read_as_another_tables():
    """The halves of one layer are no float32 of another with half as many weights: biases end elsewhere."""
    smaller = graph(layer("Convolution", "0=1 1=1 5=1 6=9", "conv"))
    larger = halved(
        graph(layer("Convolution", "0=2 1=1 5=1 6=18", "conv")),
        read_bin(
            graph(layer("Convolution", "0=2 1=1 5=1 6=18", "conv")), bytes(4) + np.ones(20, "<f4").tobytes(), "a.bin"
        ),
    )
    with pytest.raises(ConversionError, match=r"^a\.bin: goes on for 20 bytes after byte 28"):
        read_bin(smaller, larger.data(), "a.bin")


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ((), None),
        ((None,), None),
        ((RAW, None, SCALED), "fp32"),
        ((HALF, None, HALF), "half"),
        ((INT8,), "int8"),
        ((TABLE, TABLE), "w8"),
        ((HALF, RAW), "mixed"),
        ((HALF, HALF, INT8), "int8"),
        ((HALF, TABLE, None), "w8"),
        ((RAW, TABLE, HALF), "w8"),
    ],
)
def test_precision_is_that_of_every_tagged_weight(tags, found):
    arrays = tuple((Stored("weight", 0, tag, b""),) for tag in tags)
    assert stored_precision(NcnnWeights(arrays)) == found
