"""int8 layers in Rockchip's simulator: whole networks, layer by layer, and models as they are published."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from int8_networks import ARCHS, onnx_models_of

from converter.errors import ConversionError
from converter.formats.format import format_of
from converter.formats.rknn.recipe import Recipe, read_recipe, write_recipe

RKNN = format_of("rknn")


def sources_of(models, recipe, folder):
    """ONNX models as what an ``.rknn`` was built from."""
    found = []
    for fed in models:
        model = onnx.load(fed.files[0])
        write_recipe(model, recipe)
        file = folder / f"{fed.files[0].stem}.rknn"
        source = folder / f"{file.name}.onnx"
        source.write_bytes(model.SerializeToString())
        found.append(replace(fed, files=(file, source)))
    return found


@pytest.fixture(scope="module", params=ARCHS)
def network(request, rknn_toolkit, tiny, stark_weights, nanotrack_weights, tmp_path_factory):
    folder = tmp_path_factory.mktemp("int8")
    models = onnx_models_of(request.param, tiny, stark_weights, nanotrack_weights, folder / "out")
    models = sources_of(models, Recipe(target="rk3588", toolkit=rknn_toolkit.toolkit), folder)
    return models, RKNN.quantiser(models, ["init"])


def written(network, names, folder):
    models, quantiser = network
    quantiser.write(names, True, folder)
    return {fed.graph.name: tuple(folder / file.name for file in fed.files) for fed in models}


def test_any_set_of_layers_computes_in_int8_as_its_source_says(network, tmp_path):
    """Every other layer: those between get integers and give some, and compute in half."""
    models, quantiser = network
    chosen = [layer.name for layer in quantiser.layers][::2]
    files = written(network, chosen, tmp_path)
    for fed in models:
        wanted = sum(layer.name in chosen for layer in quantiser.layers if layer.graph == fed.graph.name)
        assert read_recipe(files[fed.graph.name][1]).int8 >= wanted
        assert RKNN.precision(files[fed.graph.name]) == ("int8" if wanted else "half")
    proofs = quantiser.prove(chosen, tmp_path)
    assert [proof.name for proof in proofs] == chosen
    assert all(proofs), [proof for proof in proofs if not proof]


def test_what_is_published_runs_and_a_draft_answers_nearly_so(network, tmp_path):
    models, quantiser = network
    names = [layer.name for layer in quantiser.layers]
    files = written(network, names, tmp_path)
    for fed in models:
        runner = RKNN.load(files[fed.graph.name], fed.graph)
        try:
            found = runner.infer(fed.feeds[0])
        finally:
            runner.stop()
        draft = RKNN.load_draft(files[fed.graph.name][1:], fed.graph).infer(fed.feeds[0])
        for name, array in draft.items():
            assert np.linalg.norm(found[name] - array) < 0.3 * np.linalg.norm(array), (fed.graph.name, name)


def test_the_template_graph_stays_as_it_is(network, tmp_path):
    models, quantiser = network
    quantiser.draft([layer.name for layer in quantiser.layers], False, tmp_path)
    (fed,) = (each for each in models if each.graph.name == "init")
    before, after = (onnx.load(path).graph for path in (fed.files[1], tmp_path / fed.files[1].name))
    assert [node.op_type for node in after.node] == [node.op_type for node in before.node]
    assert {each.name: each.raw_data for each in after.initializer} == {
        each.name: each.raw_data for each in before.initializer if each.name in {e.name for e in after.initializer}
    }
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".onnx"] * len(models)


def test_a_layer_of_other_numbers_fails_its_proof(network, tmp_path):
    """The simulator gets what is published, and the proof is of what the source says: here of another one."""
    _, quantiser = network
    chosen = [quantiser.layers[-1].name]
    files = written(network, chosen, tmp_path)[quantiser.layers[-1].graph]
    assert all(quantiser.prove(chosen, tmp_path))
    model = onnx.load(files[1])
    weight = next(each for each in model.graph.initializer if each.name.endswith("_int8"))
    values = onnx.numpy_helper.to_array(weight)
    weight.CopyFrom(onnx.numpy_helper.from_array(np.roll(values, 1, 0) if len(values) > 1 else -values, weight.name))
    files[1].write_bytes(model.SerializeToString())
    runner = RKNN.load(files, next(fed.graph for fed in network[0] if fed.graph.name == quantiser.layers[-1].graph))
    try:
        with pytest.raises(ConversionError, match=r"is not what rknn-toolkit2 .* makes of"):
            runner.infer(next(fed.feeds[0] for fed in network[0] if fed.graph.name == quantiser.layers[-1].graph))
    finally:
        runner.stop()
