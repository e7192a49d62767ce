"""Which ncnn reads a graph, and a graph written for an older one."""

import re

import pytest

from converter.errors import ConversionError
from converter.formats.ncnn.layer import Layer
from converter.formats.ncnn.param import NcnnGraph, read_param
from converter.formats.ncnn.release import (
    FUSED_HARD_SWISH,
    INT8,
    MATMUL,
    RESHAPE_WITH_BATCH,
    SHAPE_EXPRESSIONS,
    oldest_release,
    readable_by,
)
from converter.spec.releases import FLOOR, RELEASE

CORRELATION = """7767517
6 6
Input                    in0                      0 1 zf
Input                    in1                      0 1 xf
Reshape                  reshape_0                1 1 zf 1 0=64 1=96
Permute                  permute_0                1 1 1 2 0=1
Reshape                  reshape_1                1 1 xf 3 0=324 1=96
MatMul                   matmul_0                 2 1 2 3 out
"""


def layer(kind, *params):
    return Layer(kind, "a", ("in",), ("out",), params)


def graph(*layers):
    return NcnnGraph(layers)


@pytest.mark.parametrize(
    ("kind", "params", "release"),
    [
        ("Convolution", "0=8 1=3 6=216", FLOOR),
        ("Convolution", "0=8 1=3 6=216 9=1", FLOOR),
        ("Convolution", "0=8 1=3 6=216 9=6", FUSED_HARD_SWISH),
        ("ConvolutionDepthWise", "0=8 1=3 6=216 9=6", FUSED_HARD_SWISH),
        ("InnerProduct", "0=8 2=216 9=6", FUSED_HARD_SWISH),
        ("InnerProduct", "0=8 2=216 9=5", FLOOR),
        ("Convolution", "0=8 1=3 6=216 8=0", FLOOR),
        *((kind, "0=8 1=3 2=216 6=216 8=2", INT8) for kind in ("Convolution", "ConvolutionDepthWise", "InnerProduct")),
        ("HardSwish", "0=0.16 1=0.5", FLOOR),
        ("Pooling", "0=1 4=1 9=6", FLOOR),
        ("Gemm", "3=1", FLOOR),
        ("MatMul", "", MATMUL),
        ("MatMul", "0=1", MATMUL),
        ("Einsum", "-23300=1,1", "20220701"),
        ("Reshape", "0=64 1=96", FLOOR),
        ("Reshape", '6="*(0h,0w),96"', SHAPE_EXPRESSIONS),
        ("Reshape", "0=6 1=16", FLOOR),
        ("Reshape", "0=64 1=96 12=0", RESHAPE_WITH_BATCH),
        ("Reshape", "0=64 1=96 13=0", RESHAPE_WITH_BATCH),
        ("Reshape", '6="0w,0h,96,1" 12=0 13=0', RESHAPE_WITH_BATCH),
        ("Crop", "12=0 6=1", FLOOR),
        ("SDPA", "", None),
        ("Reorg", "", None),
    ],
)
def test_oldest_release_that_reads_a_layer(kind, params, release):
    found = oldest_release(graph(layer("Input"), layer(kind, *params.split()), layer("ReLU")))
    assert found == release


def test_facts_of_the_releases():
    assert (FLOOR, MATMUL, FUSED_HARD_SWISH) == ("20210720", "20220216", "20220216")
    assert (SHAPE_EXPRESSIONS, RESHAPE_WITH_BATCH) == ("20250428", "20261020")
    assert all(RELEASE.fullmatch(release) for release in (FLOOR, MATMUL, SHAPE_EXPRESSIONS, RESHAPE_WITH_BATCH))
    assert not any(RELEASE.fullmatch(text) for text in ("", "2021072", "202107201", "19990101", "20210720\n", "v2021"))
    assert not any(re.search(RELEASE.pattern, text) for text in ("x20210720", "20210720x"))


def test_the_newest_layer_decides_wherever_it_stands():
    newer, newest = layer("MatMul"), layer("Reshape", '6="0w,0h"')
    assert oldest_release(graph(newest, newer)) == oldest_release(graph(newer, newest)) == SHAPE_EXPRESSIONS
    assert oldest_release(graph(newest, layer("SDPA"))) is None
    assert oldest_release(graph()) == FLOOR


@pytest.mark.parametrize(("params", "expected"), [((), ()), (("0=0",), ()), (("0=1",), ("3=1",))])
def test_matrix_product_becomes_a_gemm_for_a_release_without_it(params, expected):
    product = layer("MatMul", *params)
    for release in (FLOOR, "20220215"):
        (found,) = readable_by(graph(product), release).layers
        assert (found.type, found.params) == ("Gemm", expected)
        assert (found.name, found.inputs, found.outputs) == ("a", ("in",), ("out",))
    for release in (None, MATMUL, "20260101"):
        assert readable_by(graph(product), release).layers == (product,)


def test_only_what_is_too_new_is_written_otherwise():
    before = read_param(CORRELATION, "a.param")
    assert readable_by(before, None).text() == readable_by(before, MATMUL).text() == CORRELATION
    old = readable_by(before, FLOOR).text()
    changed = f"{'Gemm':<24} {'matmul_0':<24} 2 1 2 3 out\n"
    assert old.splitlines(keepends=True) == [*CORRELATION.splitlines(keepends=True)[:-1], changed]
    assert oldest_release(read_param(old, "b.param")) == FLOOR


@pytest.mark.parametrize("release", [None, "20250428", "20261020"])
def test_reshape_loses_a_batch_of_one(release):
    batch = layer("Reshape", '6="8,8,96,1"', "12=0", "13=0")
    (found,) = readable_by(graph(batch), release).layers
    assert found.params == ('6="8,8,96"',)
    assert (found.type, found.name, found.inputs, found.outputs) == ("Reshape", "a", ("in",), ("out",))


def test_other_parameters_of_a_reshape_stay_where_they_are():
    batch = layer("Reshape", "3=1", "12=0", '6="0w,0h,96,1"', "13=0", "5=2")
    assert readable_by(graph(batch), None).layers[0].params == ("3=1", '6="0w,0h,96"', "5=2")
    assert readable_by(graph(batch), None).layers[0].type == "Reshape"


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("Reshape", ('6="8,8,96,2"', "12=0", "13=0")),  # a batch of two is no picture
        ("Reshape", ('6="8,8,96,11"', "12=0", "13=0")),
        ("Reshape", ('6="8,96,1"', "12=0", "13=0")),
        ("Reshape", ('6="2,8,8,96,1"', "12=0", "13=0")),
        ("Reshape", ('6="8,8,96,1"', "12=0")),
        ("Reshape", ('6="8,8,96,1"', "12=1", "13=0")),
        ("Reshape", ('6="8,8,96,1"', "12=0", "13=1")),
        ("Reshape", ('6="8,8,96,1"',)),
        ("Reshape", ("0=8", "12=0", "13=0")),
        ("Crop", ('6="8,8,96,1"', "12=0", "13=0")),
    ],
)
def test_what_is_no_batch_of_one_is_left_alone(kind, params):
    assert readable_by(graph(layer(kind, *params)), None).layers[0].params == params


def test_what_stays_too_new_is_refused():
    expression = layer("Reshape", '6="*(0h,0w),96"')
    with pytest.raises(ConversionError) as caught:
        readable_by(graph(expression), "20230223")
    assert str(caught.value) == "the model needs ncnn 20250428, expected 20230223 at most"
    assert readable_by(graph(expression), SHAPE_EXPRESSIONS).layers == (expression,)
    two = layer("Reshape", '6="8,8,96,2"', "12=0", "13=0")
    with pytest.raises(ConversionError, match="needs ncnn 20261020, expected 20260101 at most"):
        readable_by(graph(two), "20260101")
    with pytest.raises(ConversionError, match="needs ncnn of an unknown release, expected 20260101 at most"):
        readable_by(graph(layer("SDPA")), "20260101")
    assert readable_by(graph(layer("SDPA")), None).layers == (layer("SDPA"),)


def test_older_than_all_that_was_tried_is_refused():
    with pytest.raises(ConversionError, match="needs ncnn 20210720, expected 20200101 at most"):
        readable_by(graph(layer("ReLU")), "20200101")
