"""ncnn's int8 layers beside whole numbers of numpy, with every geometry and activation, and what must not pass."""

import shutil

import numpy as np
import pytest
from int8_models import fed_of, graph_of, noise

from converter.errors import ConversionError
from converter.formats.int8 import LayerProof
from converter.formats.moments import Fed
from converter.formats.ncnn.int8.arithmetic import NEARLY
from converter.formats.ncnn.int8.layers import Scales, int8_arrays, int8_layers, with_int8
from converter.formats.ncnn.int8.proof import PACKED_TOLERANCE, TOLERANCE, int8_proof, intended
from converter.formats.ncnn.int8.quantiser import NcnnQuantiser
from converter.formats.ncnn.int8.table import read_table
from converter.formats.ncnn.runner import NcnnRunner
from converter.formats.ncnn.weights import HALF, INT8, TABLE, load_model, stored_precision

ACTIVATIONS = ("", "9=1", "9=2 -23310=1,0.1", "9=3 -23310=2,-0.5,1.0", "9=4", "9=5", "9=6 -23310=2,0.1666667,0.5")
GEOMETRIES = [
    ("Convolution", "0=16 1=1 6=256", 16),
    ("Convolution", "0=5 1=1 6=35", 7),
    ("Convolution", "0=16 1=3 4=1 6=2304", 16),
    ("Convolution", "0=32 1=3 3=2 4=1 6=4608", 16),
    ("Convolution", "0=8 1=3 2=2 4=2 6=1152", 16),
    ("Convolution", "0=8 1=5 11=3 2=1 12=2 3=2 13=1 4=1 15=2 14=2 16=0 6=720", 6),
    ("Convolution", "0=8 1=3 3=2 4=-233 6=432", 6),
    ("Convolution", "0=8 1=3 3=2 4=-234 6=432", 6),
    ("ConvolutionDepthWise", "0=16 1=3 4=1 6=144 7=16", 16),
    ("ConvolutionDepthWise", "0=16 1=5 3=2 4=2 6=400 7=16", 16),
    ("ConvolutionDepthWise", "0=16 1=3 2=2 4=2 6=144 7=16", 16),
    ("ConvolutionDepthWise", "0=6 1=3 4=1 6=54 7=6", 6),
    ("ConvolutionDepthWise", "0=6 1=3 3=2 4=1 6=54 7=6", 6),
    ("ConvolutionDepthWise", "0=6 1=5 4=2 6=150 7=6", 6),
    ("ConvolutionDepthWise", "0=16 1=3 4=1 6=576 7=4", 16),
    ("ConvolutionDepthWise", "0=6 1=1 6=12 7=3", 6),
]


def int8_model(folder, layers, inputs, outputs, corrected=False):
    """A quantiser, and its model with all that can be int8, in a folder."""
    quantiser = NcnnQuantiser([fed_of(folder, layers, inputs, outputs)])
    made = folder / "int8"
    made.mkdir()
    quantiser.write({layer.name for layer in quantiser.layers}, corrected, made)
    return quantiser, made


def one_layer(kind, params, channels, bias=True):
    term = "1=1" if kind == "InnerProduct" else "5=1"
    return ["Input x 0 1 x", f"{kind} conv 1 1 x y {params} {term if bias else ''}"]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("kind", "params", "channels"), GEOMETRIES)
def test_convolutions_are_as_in_numpy(tmp_path, kind, params, channels, bias):
    layers = one_layer(kind, params, channels, bias)
    quantiser, made = int8_model(tmp_path, layers, {"x": (channels, 13, 11)}, {"y": (1, 1, 1)})
    (proof,) = quantiser.prove({"update conv"}, made)
    assert proof.name == "update conv"
    packed = kind == "ConvolutionDepthWise" and int(params[2:4]) % 8 == 0
    assert proof.tolerance == (PACKED_TOLERANCE if packed else TOLERANCE)
    assert proof, proof


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    ("kind", "params", "shape"),
    [
        ("Convolution", "0=12 1=3 4=1 6=864", (8, 9, 9)),
        ("ConvolutionDepthWise", "0=16 1=3 4=1 6=144 7=16", (16, 9, 9)),
        ("ConvolutionDepthWise", "0=5 1=3 4=1 6=45 7=5", (5, 9, 9)),
        ("InnerProduct", "0=12 2=1152", (8, 4, 3)),
    ],
)
def test_activations_are_as_in_numpy(tmp_path, kind, params, shape, activation):
    layers = one_layer(kind, f"{params} {activation}", shape[0])
    quantiser, made = int8_model(tmp_path, layers, {"x": shape}, {"y": (1, 1, 1)}, corrected=True)
    (proof,) = quantiser.prove({"update conv"}, made)
    assert proof, proof


@pytest.mark.parametrize("outputs", [3, 8, 16])
@pytest.mark.parametrize("before", ["Reshape r 1 1 x a 0=96", "Reshape r 1 1 x a 0=96 1=5", "Noop r 1 1 x a"])
def test_inner_products_are_as_in_numpy(tmp_path, before, outputs):
    shape = (5, 8, 12) if "1=5" in before else (8, 4, 3)
    layers = ["Input x 0 1 x", before, f"InnerProduct fc 1 1 a y 0={outputs} 1=1 2={outputs * 96}"]
    quantiser, made = int8_model(tmp_path, layers, {"x": shape}, {"y": (1, 1, 1)})
    (proof,) = quantiser.prove({"update fc"}, made)
    assert proof.tolerance == TOLERANCE
    assert proof, proof


@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_a_number_that_ncnn_rounds_either_way_fails_no_layer(tmp_path, factor):
    """Its loops of eight numbers add a half in float32, which gives one; the rest of a row is rounded exactly."""
    fed = fed_of(tmp_path, one_layer("Convolution", "0=4 1=1 6=32", 8), {"x": (8, 5, 5)}, {"y": (4, 5, 5)})
    fed.feeds[0]["x"][0, :, ::2] = np.copysign(np.float32(NEARLY * factor), fed.feeds[0]["x"][0, :, ::2])
    graph, weights = load_model(*fed.files)
    scales = {"conv": Scales(np.full(4, 127, np.float32), np.float32(1))}
    graph, weights = with_int8(
        graph, weights, {"conv": int8_arrays(graph.layers[1], weights.arrays[1], scales["conv"])}
    )
    wanted = intended(load_model(*fed.files), scales)
    (tmp_path / "a.param").write_text(graph.text())
    (tmp_path / "a.bin").write_bytes(weights.data())
    files = (tmp_path / "a.param", tmp_path / "a.bin")
    assert all(int8_proof(files, fed.graph, fed.feeds[0], wanted))


# an inverted residual, its squeeze and excitation, and a head that no layer of it can be int8 in
BLOCK = [
    "Input x 0 1 x",
    "Convolution stem 1 1 x a 0=16 1=3 3=2 4=1 5=1 6=432 9=6 -23310=2,0.1666667,0.5",
    "Split s 1 2 a a0 a1",
    "Convolution expand 1 1 a0 b 0=32 1=1 5=1 6=512",
    "Swish swish 1 1 b c",
    "ConvolutionDepthWise depth 1 1 c d 0=32 1=3 4=1 5=1 6=288 7=32",
    "Split t 1 2 d d0 d1",
    "Pooling pool 1 1 d0 e 0=1 4=1",
    "InnerProduct squeeze 1 1 e f 0=8 1=1 2=256 9=2 -23310=1,0.3",
    "InnerProduct excite 1 1 f g 0=32 1=1 2=256 9=4",
    "Reshape up 1 1 g h 0=1 1=1 2=32",
    "BinaryOp times 2 1 d1 h i 0=2",
    "Convolution project 1 1 i j 0=16 1=1 5=1 6=512",
    "BinaryOp sum 2 1 a1 j k 0=0",
    "Split u 1 2 k k0 k1",
    "Convolution head 1 1 k0 y 0=4 1=3 4=1 5=1 6=576",
    "Deconvolution unused 1 1 k1 z 0=4 1=1 5=1 6=64",
]
INT8_NAMES = ("stem", "expand", "depth", "squeeze", "excite", "project", "head")


@pytest.fixture(scope="module")
def block(tmp_path_factory):
    folder = tmp_path_factory.mktemp("block")
    return (folder, *int8_model(folder, BLOCK, {"x": (3, 32, 32)}, {"y": (4, 16, 16), "z": (4, 16, 16)}))


def test_what_is_offered(block):
    _, quantiser, _ = block
    assert [layer.name for layer in quantiser.layers] == [f"update {name}" for name in INT8_NAMES]
    assert {layer.graph for layer in quantiser.layers} == {"update"}
    assert [layer.block for layer in quantiser.layers] == [
        "update stem",
        *["update expand"] * 5,
        "update head",
    ]
    amounts = {layer.name.split()[1]: layer.multiply_adds for layer in quantiser.layers}
    assert amounts == {
        "stem": 432 * 256,
        "expand": 512 * 256,
        "depth": 288 * 256,
        "squeeze": 256,
        "excite": 256,
        "project": 512 * 256,
        "head": 576 * 256,
    }


def test_every_layer_of_a_network_is_as_in_numpy(block):
    folder, quantiser, made = block
    every = {layer.name for layer in quantiser.layers}
    proofs = quantiser.prove(every, made)
    assert [proof.name for proof in proofs] == [layer.name for layer in quantiser.layers]
    assert all(proofs), proofs
    graph, weights = load_model(made / "update.param", made / "update.bin")
    assert stored_precision(weights) == "int8"
    assert {layer.name for layer in int8_layers(graph)} == {*INT8_NAMES}
    tags = {layer.name: arrays[0].tag for layer, arrays in zip(graph.layers, weights.arrays, strict=True) if arrays}
    assert {tags.pop(name) for name in INT8_NAMES} == {INT8}
    assert {*tags.values()} <= {TABLE, HALF}
    # with default options, as an application loads it
    feed = {"x": noise((3, 32, 32), 9)}
    plain, small = (
        NcnnRunner(place / "update.param", place / "update.bin", quantiser._models[0].fed.graph, half=True).infer(feed)
        for place in (folder, made)
    )
    for name, array in plain.items():
        assert 0 < np.linalg.norm(array - small[name]) < 0.1 * np.linalg.norm(array)


def test_no_layer_of_a_set_is_left_out_or_more(block, tmp_path):
    _, quantiser, _ = block
    for chosen in (set(), {"update depth"}, {"update expand", "update stem"}):
        quantiser.write(chosen, False, tmp_path)
        graph, weights = load_model(tmp_path / "update.param", tmp_path / "update.bin")
        assert {f"update {layer.name}" for layer in int8_layers(graph)} == chosen
        proofs = quantiser.prove(chosen, tmp_path)
        assert {proof.name for proof in proofs} == chosen
        assert all(proofs)
        assert (stored_precision(weights) == "int8") == bool(chosen)
        with pytest.raises(ConversionError, match="is int8 and should not be, or the other way round"):
            quantiser.prove({"update head"}, tmp_path)
    with pytest.raises(ConversionError, match="layer 'update unused' cannot compute in int8"):
        quantiser.write({"update unused"}, False, tmp_path)


def test_the_same_feeds_give_the_same_bytes(block, tmp_path):
    _, _, made = block
    _, again = int8_model(tmp_path, BLOCK, {"x": (3, 32, 32)}, {"y": (4, 16, 16), "z": (4, 16, 16)})
    for name in ("update.param", "update.bin"):
        assert (again / name).read_bytes() == (made / name).read_bytes()


def damaged(made, folder, change_layer=lambda layer: layer, change=lambda name, stored: stored):
    """A copy of the int8 model with something changed."""
    graph, weights = load_model(made / "update.param", made / "update.bin")
    shutil.copytree(made, folder, dirs_exist_ok=True)
    names = [layer.name for layer in graph.layers]
    text = type(graph)(tuple(map(change_layer, graph.layers)), graph.header, graph.trailer).text()
    (folder / "update.param").write_text(text)
    (folder / "update.bin").write_bytes(weights.mapped(lambda index, one: change(names[index], one)).data())
    return folder


def scaled(which, role, factor):
    def change(name, stored):
        return (
            stored.with_values(stored.values() * np.float32(factor), None)
            if (name, stored.role) == (which, role)
            else stored
        )

    return change


def rolled(which):
    def change(name, stored):
        if name != which or stored.role != "weight":
            return stored
        values = stored.values().astype(np.int8)
        assert values[0] != values[1]
        values[[0, 1]] = values[[1, 0]]
        return stored.with_whole(values)

    return change


def with_params(which, *pairs):
    def change(layer):
        if layer.name == which:
            for key, value in pairs:
                layer = layer.with_param(key, value)
        return layer

    return change


@pytest.mark.parametrize("which", INT8_NAMES)
@pytest.mark.parametrize(
    "damage",
    [
        lambda which: {"change": scaled(which, "input scale", 1.002)},
        lambda which: {"change": scaled(which, "weight scales", 0.998)},
        lambda which: {"change": rolled(which)},
        lambda which: {"change_layer": with_params(which, (9, 2), (-23310, "1,0.01"))},
    ],
    ids=["input scale", "weight scales", "two weights exchanged", "another activation"],
)
def test_a_layer_that_is_not_as_intended_fails_and_no_other_does(block, tmp_path, which, damage):
    _, quantiser, made = block
    folder = damaged(made, tmp_path, **damage(which))
    proofs = {proof.name: bool(proof) for proof in quantiser.prove({layer.name for layer in quantiser.layers}, folder)}
    assert proofs == {layer.name: layer.name != f"update {which}" for layer in quantiser.layers}


def test_scales_in_the_wrong_order_fail(block, tmp_path):
    """ncnn loads an input's scale in front of those of weights, and answers wrongly."""
    _, quantiser, made = block
    _, weights = load_model(made / "update.param", made / "update.bin")
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    exchanged = [(*arrays[:-2], arrays[-1], arrays[-2]) if len(arrays) > 3 else arrays for arrays in weights.arrays]
    (tmp_path / "update.bin").write_bytes(type(weights)(tuple(exchanged)).data())
    every = {layer.name for layer in quantiser.layers}
    assert not any(quantiser.prove(every, tmp_path))


def test_a_model_is_held_against_its_own_files_where_nothing_else_is_known(block):
    _, quantiser, made = block
    fed = quantiser._models[0].fed
    proofs = int8_proof((made / "update.param", made / "update.bin"), fed.graph, fed.feeds[1])
    assert [proof.name for proof in proofs] == list(INT8_NAMES)
    assert all(proofs)
    assert not LayerProof("a", float("nan"), 1.0)


def test_the_table_makes_the_same_weights_of_the_float_model(block):
    """As ncnn2int8 does: rounded products of the weights and their scales."""
    folder, quantiser, made = block
    every = {layer.name for layer in quantiser.layers}
    text = quantiser.table("update", every)
    assert dict(quantiser.beside(every)) == {"update.table": text}
    assert quantiser.beside(set()) == {}
    scales = read_table(text, "a.table").scales
    assert list(scales) == list(INT8_NAMES)
    source = load_model(folder / "update.param", folder / "update.bin")
    _, weights = load_model(made / "update.param", made / "update.bin")
    stored = {layer.name: arrays for layer, arrays in zip(source[0].layers, weights.arrays, strict=True)}
    for name, wanted in intended(source, scales).items():
        assert np.array_equal(stored[name][0].values(), wanted.weights.reshape(-1))
        assert np.array_equal(stored[name][-2].values(), scales[name].weights)
        assert stored[name][-1].values() == scales[name].input
    assert list(read_table(quantiser.table("update", {"update depth"}), "a.table").scales) == ["depth"]
    with pytest.raises(ConversionError, match="layer other has scales, but is not in the model"):
        intended(source, {"other": Scales(np.ones(1, np.float32), np.float32(1))})


def test_biases_make_up_for_the_mean(tmp_path):
    """An input far from zero whose range is cut off: what is missing is in the bias."""
    layers = one_layer("Convolution", "0=4 1=1 6=32", 8)
    fed = fed_of(tmp_path, layers, {"x": (8, 20, 20)}, {"y": (4, 20, 20)})
    for feed in fed.feeds:
        np.exp(feed["x"] * 1.5, out=feed["x"])
    quantiser = NcnnQuantiser([fed])
    exact = NcnnRunner(*fed.files, fed.graph)
    means = {}
    for corrected in (False, True):
        made = tmp_path / str(corrected)
        made.mkdir()
        quantiser.write({"update conv"}, corrected, made)
        assert all(quantiser.prove({"update conv"}, made))
        runner = NcnnRunner(made / "update.param", made / "update.bin", fed.graph)
        off = [runner.infer(feed)["y"] - exact.infer(feed)["y"] for feed in fed.feeds]
        means[corrected] = np.abs(np.mean(off, axis=(0, 1, 3, 4))).max()
    assert means[True] < 0.02 * means[False]


def test_graphs_in_bytes_have_no_int8_layer(tmp_path):
    layers = one_layer("Convolution", "0=4 1=1 6=32", 8)
    models = [fed_of(tmp_path, layers, {"x": (8, 5, 5)}, {"y": (4, 5, 5)}, name) for name in ("init", "update")]
    quantiser = NcnnQuantiser(models, ["init"])
    assert [layer.name for layer in quantiser.layers] == ["update conv"]
    made = tmp_path / "made"
    made.mkdir()
    quantiser.write({"update conv"}, False, made)
    found = {name: load_model(made / f"{name}.param", made / f"{name}.bin") for name in ("init", "update")}
    assert [len(int8_layers(graph)) for graph, _ in found.values()] == [0, 1]
    assert found["init"][1].arrays[1][0].tag in (TABLE, HALF)


def test_one_file_that_serves_several_graphs_has_the_layers_of_each(tmp_path):
    both = [
        *("Input z 0 1 z", "Input x 0 1 x"),
        "Convolution first 1 1 z zf 0=4 1=1 5=1 6=12",
        "Convolution second 1 1 x y 0=4 1=1 5=1 6=12",
    ]
    whole = fed_of(tmp_path, both, {"z": (3, 5, 5), "x": (3, 6, 6)}, {"zf": (4, 5, 5), "y": (4, 6, 6)})
    models = [
        Fed(whole.files, graph_of({given: shape}, {taken: ()}, name), [{given: feed[given]} for feed in whole.feeds])
        for name, given, shape, taken in (("init", "z", (3, 5, 5), "zf"), ("update", "x", (3, 6, 6), "y"))
    ]
    quantiser = NcnnQuantiser(models)
    made = tmp_path / "made"
    made.mkdir()
    for chosen in ({"init first", "update second"}, {"init first"}, {"update second"}):
        quantiser.write(chosen, False, made)
        assert {proof.name for proof in quantiser.prove(chosen, made) if proof} == chosen
        graph, _ = load_model(made / "update.param", made / "update.bin")
        assert {layer.name for layer in int8_layers(graph)} == {name.split()[1] for name in chosen}


def test_numbers_that_are_not_finite_are_no_calibration(tmp_path):
    fed = fed_of(tmp_path, one_layer("Convolution", "0=4 1=1 6=32", 8), {"x": (8, 5, 5)}, {"y": (4, 5, 5)})
    fed.feeds[1]["x"][0, 0, 0, 0] = np.inf
    with pytest.raises(ConversionError, match="layer conv takes numbers that are not finite"):
        NcnnQuantiser([fed])
