"""Whole networks in ncnn's int8: every layer beside numpy, what stays in float, and blocks of a searchable number."""

import numpy as np
import pytest
from int8_networks import ARCHS, models_of

from converter.formats.format import format_of
from converter.formats.ncnn.int8.layers import int8_layers
from converter.formats.ncnn.runner import NcnnRunner
from converter.formats.ncnn.weights import INT8, load_model, stored_precision

FLOATING = {"Gemm", "MatMul", "MultiHeadAttention", "SDPA"}


@pytest.fixture(scope="module", params=ARCHS)
def network(request, tiny, stark_weights, nanotrack_weights, tmp_path_factory):
    folder = tmp_path_factory.mktemp("int8")
    models = models_of(request.param, tiny, stark_weights, nanotrack_weights, folder / "out", "two", ("param", "bin"))
    quantiser = format_of("ncnn").quantiser(models, ["init"])
    every = {layer.name for layer in quantiser.layers}
    quantiser.write(every, True, folder)
    return request.param, models, quantiser, folder


def test_every_int8_layer_is_as_in_numpy(network):
    _, _, quantiser, folder = network
    proofs = quantiser.prove({layer.name for layer in quantiser.layers}, folder)
    assert [proof.name for proof in proofs] == [layer.name for layer in quantiser.layers]
    assert all(proofs), [proof for proof in proofs if not proof]


def test_the_template_graph_has_bytes_and_the_other_int8(network):
    _, models, _, folder = network
    found = {fed.graph.name: load_model(*(folder / file.name for file in fed.files)) for fed in models}
    assert {name: stored_precision(weights) for name, (_, weights) in found.items()} == {"init": "w8", "update": "int8"}
    assert int8_layers(found["init"][0]) == []
    assert all(stored.tag != INT8 for arrays in found["init"][1].arrays for stored in arrays)
    graph, weights = found["update"]
    for layer, arrays in zip(graph.layers, weights.arrays, strict=True):
        if layer.type in FLOATING:
            assert all(stored.tag != INT8 for stored in arrays)


def test_all_files_are_a_third_or_less(network):
    _, models, _, folder = network
    before, after = (
        sum(
            (place / file.name).stat().st_size if place else file.stat().st_size for fed in models for file in fed.files
        )
        for place in (None, folder)
    )
    assert after < before / 3


def test_blocks_are_of_layers_beside_each_other(network):
    arch, _, quantiser, _ = network
    blocks = [layer.block for layer in quantiser.layers]
    names = list(dict.fromkeys(blocks))
    assert len(blocks) / 6 < len(names) <= len(blocks)
    assert {*names} <= {layer.name for layer in quantiser.layers}
    depthwise = {
        layer.name
        for fed in quantiser._models
        for layer in fed.source[0].layers
        if layer.type == "ConvolutionDepthWise"
    }
    sizes = {block: blocks.count(block) for block in names}
    alone = [layer for layer in quantiser.layers if sizes[layer.block] == 1 and layer.name.split()[1] in depthwise]
    assert arch.startswith("NanoTrack") or not alone


def test_answers_are_near_those_in_float_with_ncnns_default_options(network):
    _, models, _, folder = network
    for fed in models:
        plain = NcnnRunner(*fed.files, fed.graph).infer(fed.feeds[0])
        small = NcnnRunner(*(folder / file.name for file in fed.files), fed.graph, half=True).infer(fed.feeds[0])
        for name, array in plain.items():
            assert np.isfinite(small[name]).all()
            assert np.linalg.norm(small[name] - array) < 0.5 * np.linalg.norm(array)
