"""Whole networks in onnxruntime's int8: any set of layers, proved one by one; what stays in float; answers."""

import numpy as np
import onnx
import pytest
from int8_networks import ARCHS, onnx_models_of

from converter.formats.format import format_of
from converter.formats.onnx.file import stored_precision
from converter.formats.onnx.runner import OnnxRunner


@pytest.fixture(scope="module", params=ARCHS)
def network(request, tiny, stark_weights, nanotrack_weights, tmp_path_factory):
    folder = tmp_path_factory.mktemp("int8")
    models = onnx_models_of(request.param, tiny, stark_weights, nanotrack_weights, folder / "out")
    quantiser = format_of("onnx").quantiser(models, ["init"])
    quantiser.write({layer.name for layer in quantiser.layers}, True, folder)
    return models, quantiser, folder


def test_every_int8_layer_is_computed_as_the_file_says(network):
    _, quantiser, folder = network
    proofs = quantiser.prove({layer.name for layer in quantiser.layers}, folder)
    assert [proof.name for proof in proofs] == [layer.name for layer in quantiser.layers]
    assert all(proofs), [proof for proof in proofs if not proof]


@pytest.mark.parametrize("start", [0, 1, 2])
def test_any_set_of_layers_is_computed_so(network, tmp_path, start):
    """Every third layer: those between stand between DequantizeLinear and QuantizeLinear, and stay in float."""
    _, quantiser, _ = network
    chosen = [layer.name for layer in quantiser.layers][start::3]
    quantiser.write(chosen, False, tmp_path)
    proofs = quantiser.prove(chosen, tmp_path)
    assert {proof.name for proof in proofs} == {*chosen}
    assert all(proofs), [proof for proof in proofs if not proof]


def test_the_template_graph_has_bytes_and_the_others_int8(network):
    models, quantiser, folder = network
    for fed in models:
        precision = stored_precision(folder / fed.files[0].name)
        assert precision == ("w8" if fed.graph.name == "init" else "int8")
    assert {layer.graph for layer in quantiser.layers} == {fed.graph.name for fed in models} - {"init"}
    assert all(layer.multiply_adds > 0 for layer in quantiser.layers)


def test_all_files_are_much_smaller_and_valid(network):
    models, _, folder = network
    for fed in models:
        onnx.checker.check_model(onnx.load(folder / fed.files[0].name), full_check=True)
    before, after = (
        sum(((place or fed.files[0].parent) / fed.files[0].name).stat().st_size for fed in models)
        for place in (None, folder)
    )
    assert after < 0.45 * before


def test_writing_again_gives_the_same_bytes(network, tmp_path):
    models, quantiser, folder = network
    quantiser.write([], True, tmp_path)
    quantiser.write({layer.name for layer in quantiser.layers}, True, tmp_path)
    for fed in models:
        assert (tmp_path / fed.files[0].name).read_bytes() == (folder / fed.files[0].name).read_bytes()


def test_answers_are_near_those_in_float(network):
    models, _, folder = network
    for fed in models:
        plain = OnnxRunner(fed.files[0], fed.graph).infer(fed.feeds[0])
        small = OnnxRunner(folder / fed.files[0].name, fed.graph).infer(fed.feeds[0])
        for name, array in plain.items():
            assert np.isfinite(small[name]).all()
            assert np.linalg.norm(small[name] - array) < 0.5 * np.linalg.norm(array), (fed.graph.name, name)
