"""Weights of ncnn models in a byte each: what is a table, what a half, and that ncnn computes what was meant."""

import numpy as np
import pytest

from converter.formats.moments import Fed
from converter.formats.ncnn.runner import NcnnRunner
from converter.formats.ncnn.small import shrink
from converter.formats.ncnn.weights import HALF, RAW, TABLE, load_model
from converter.spec.tensors import GraphSpec, TensorSpec

LAYERS = """7767517
5 5
Input in 0 1 x
Convolution few 1 1 x a 0=16 1=3 4=1 5=1 6=432
Convolution many 1 1 a b 0=64 1=3 4=1 5=1 6=9216
ConvolutionDepthWise deep 1 1 b c 0=64 1=3 4=1 5=1 6=576 7=64
InnerProduct sums 1 1 c y 0=8 1=1 2=32768
"""
BLOB = ("b", 1, 64, 8, 8)
BEGINNING = LAYERS.replace("5 5", "3 3").partition("ConvolutionDepthWise")[0]
WIDE = """7767517
2 2
Input in 0 1 x
Convolution wide 1 1 x b 0=64 1=9 4=4 5=1 6=15552
"""
ALONE = """7767517
2 2
Input in 0 1 x
Convolution alone 1 1 x b 0={outputs} 1=3 4=1 5=1 6={count}
"""
COUNTS = {"few": (432, 16), "many": (9216, 64), "deep": (576, 64), "sums": (32768, 8), "wide": (15552, 64)}


def tensor(name, *shape):
    return TensorSpec(name=name, meaning=name, about=name, shape=shape)


def written(folder, name="a", layers=LAYERS, output=("y", 1, 8), change=lambda arrays: arrays):
    """A model's files and what it is shown, its inputs far from zero and of different spread."""
    generator = np.random.default_rng(0)
    arrays = {
        layer: [generator.standard_normal(count).astype(np.float32) for count in counts]
        for layer, counts in COUNTS.items()
    }
    param, weights = folder / f"{name}.param", folder / f"{name}.bin"
    param.write_text(layers)
    parts = [
        part
        for layer, (weight, bias) in change(arrays).items()
        if f" {layer} " in layers
        for part in (RAW.to_bytes(4, "little"), weight.tobytes(), bias.tobytes())
    ]
    weights.write_bytes(b"".join(parts))
    spread = np.array([0.1, 1.0, 3.0], np.float32).reshape(1, 3, 1, 1)
    feeds = [{"x": (generator.standard_normal((1, 3, 8, 8)).astype(np.float32) + 2) * spread} for _ in range(4)]
    inputs, outputs = (tensor("x", 1, 3, 8, 8),), (tensor(*output),)
    graph = GraphSpec(name=name, family="none", mode="none", inputs=inputs, outputs=outputs)
    return Fed((param, weights), graph, feeds)


def stored(fed):
    graph, weights = load_model(*fed.files)
    return {layer.name: arrays for layer, arrays in zip(graph.layers, weights.arrays, strict=True) if arrays}


def blobs(fed, *names):
    runner = NcnnRunner(*fed.files, fed.graph, any_outputs=True)
    return [runner.blobs(feed, names) for feed in fed.feeds]


def test_layers_too_small_for_a_table_are_halves_and_the_weights_are_near(tmp_path):
    fed = written(tmp_path)
    before, bytes_before = stored(fed), fed.files[1].stat().st_size
    shrink([fed])
    after = stored(fed)
    assert {name: arrays[0].tag for name, arrays in after.items()} == {
        "few": HALF, "many": TABLE, "deep": HALF, "sums": TABLE,
    }  # fmt: skip
    assert fed.files[1].stat().st_size < 0.3 * bytes_before
    for name, arrays in after.items():
        off = arrays[0].values() - before[name][0].values()
        assert np.sqrt((off**2).mean()) < 0.02
        assert arrays[1].tag is None


def test_ncnn_computes_with_the_values_of_the_tables(tmp_path):
    fed = written(tmp_path)
    expected = blobs(fed, "y")
    shrink([fed])
    kept = {name: [each.values() for each in arrays] for name, arrays in stored(fed).items()}
    widened = written(tmp_path, "wide", change=lambda arrays: {**arrays, **kept})
    for small, wide, full in zip(blobs(fed, "y"), blobs(widened, "y"), expected, strict=True):
        np.testing.assert_allclose(small["y"], wide["y"], rtol=1e-5, atol=1e-3)
        assert np.abs(small["y"] - full["y"]).max() < 0.03 * np.ptp(full["y"])


def test_biases_make_up_for_the_mean_of_what_weights_are_off_by(tmp_path):
    """The first layer's input has a mean in every channel; without the bias its output's mean would be off."""
    fed = written(tmp_path, change=lambda arrays: {**arrays, "few": [arrays["few"][0] * 1000, arrays["few"][1]]})
    before = stored(fed)
    expected = np.mean([blob["a"] for blob in blobs(fed, "a")], (0, 2, 3))
    shrink([fed])
    after = stored(fed)
    assert not np.array_equal(before["few"][1].values(), after["few"][1].values())
    off = np.mean([blob["a"] for blob in blobs(fed, "a")], (0, 2, 3)) - expected
    plain = off - (after["few"][1].values() - before["few"][1].values())
    assert np.abs(off).mean() < 0.6 * np.abs(plain).mean()  # at the border some weights see zeros


def test_what_two_models_have_is_stored_the_same_in_both(tmp_path):
    """Measured on both, so that one may be the prefix of the other."""
    whole = written(tmp_path)
    part = written(tmp_path, "part", BEGINNING, BLOB)
    shrink([part, whole])
    assert whole.files[1].read_bytes().startswith(part.files[1].read_bytes())
    assert stored(part)["many"][0].tag == TABLE


@pytest.mark.parametrize(("outputs", "tag"), [(16, TABLE), (8, RAW)])
def test_weights_that_no_half_can_hold_are_in_a_table_or_as_they_were(tmp_path, outputs, tag):
    """Whatever is smaller: of 432 weights the table, of 216 float32."""
    layers = ALONE.format(outputs=outputs, count=27 * outputs)

    def large(arrays):
        return {**arrays, "alone": [1e6 * arrays["few"][0][: 27 * outputs], arrays["few"][1][:outputs]]}

    fed = written(tmp_path, "alone", layers, ("b", 1, outputs, 8, 8), large)
    shrink([fed])
    assert stored(fed)["alone"][0].tag == tag
    assert np.isfinite(stored(fed)["alone"][0].values()).all()


def test_weights_of_channels_that_vary_count_more(tmp_path):
    """Of a layer whose inputs differ 900-fold in variance, the loudest channel's weights are nearer."""
    fed = written(tmp_path, "wide", WIDE, BLOB)
    before = stored(fed)["wide"][0].values()
    shrink([fed])
    assert stored(fed)["wide"][0].tag == TABLE
    off = np.abs(stored(fed)["wide"][0].values() - before).reshape(64, 3, 81).mean((0, 2))
    assert off[2] < 0.98 * off[0]
