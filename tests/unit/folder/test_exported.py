"""Reading a manifest back: what network it is of, which sizes, and which models are run at one of them."""

import json
from pathlib import Path

import pytest

from converter.errors import UsageError, VerificationError
from converter.folder.exported import describe, models_of
from converter.folder.manifest import read_manifest
from converter.spec.config import network_for
from converter.spec.dimensions import Dimensions

NETWORK = network_for(None)[1]


def dimensions(template, search):
    return Dimensions(template, search, 16, 96, -(-template // 16), -(-search // 16))


def declared(template, search):
    specs = [spec for split in NETWORK.splits for spec in NETWORK.graph_specs(split, dimensions(template, search))]
    return {tensor.meaning: tensor for spec in specs for tensor in (*spec.inputs, *spec.outputs)}


def pairs(*sizes):
    return [{"template_size": template, "search_size": search} for template, search in sizes]


def entry(graph, template, search, *sizes, format="ncnn", name=None, **changes):
    spec = NETWORK.graph_spec(graph, dimensions(template, search))
    tensors = {
        role: [{**tensor.model_dump(mode="json"), "name": f"in_{tensor.name}"} for tensor in getattr(spec, role)]
        for role in ("inputs", "outputs")
    }
    name = name or graph
    return {
        "name": name,
        "mode": spec.mode,
        "format": format,
        "files": [{"name": f"{name}.{format}", "sha256": "0", "bytes": 3}],
        "sizes": pairs(*sizes),
        **tensors,
        **changes,
    }


def manifest_of(graphs, sizes=((127, 288),), **changes):
    return {
        "schema_version": 1,
        "generator": {"name": "lighttrack-export"},
        "arch": "LightTrackM_Subnet",
        "path_name": "p",
        "checkpoint": {"file": "a.pth", "sha256": "0", "epoch": 1},
        "precision": "fp32",
        "graphs": graphs,
        "extra_files": [],
        "tracker": {**pairs(*sizes)[0], "score_size": 18, "sizes": pairs(*sizes)},
        "verification": {"status": "passed"},
        **changes,
    }


@pytest.fixture
def read(tmp_path):
    def read(*arguments, **changes):
        (tmp_path / "manifest.json").write_text(json.dumps(manifest_of(*arguments, **changes)))
        return read_manifest(tmp_path)

    return read


def models(manifest, template, search, *formats):
    network = NETWORK.at(template, search)
    return models_of(Path("out"), manifest, network, declared(template, search), formats)


SEVERAL = [
    entry("init", 127, 288, (127, 288), (127, 256)),
    entry("update", 127, 288, (127, 288), name="update_288"),
    entry("update", 127, 256, (127, 256), name="update_256"),
]


def test_config_is_that_of_the_first_size(read):
    manifest = read(SEVERAL, [(127, 288), (127, 256)])
    sizes = {"template_size": 127, "search_size": 288}
    assert manifest.config() == {"path_name": "p", **sizes, "masks": False, "activations": {}}
    assert manifest.sizes() == [(127, 288), (127, 256)]


def test_config_says_whether_masks_are_taken(read):
    graph = entry("update", 127, 288)
    graph["inputs"][0]["mask_of"] = "x"
    assert read([entry("init", 127, 288), graph]).config()["masks"] is True


def test_config_says_which_outputs_are_probabilities(read):
    graph = entry("update", 127, 288)
    graph["outputs"][0]["activation"] = "sigmoid"
    manifest = read([entry("init", 127, 288), graph])
    assert manifest.config()["activations"] == {"cls": "sigmoid"}
    spec = network_for(None, None, manifest.config() | {"path_name": NETWORK.path_name})[1]
    assert spec == NETWORK.with_scores("sigmoid")


def test_sizes_begin_with_the_trackers_own_and_are_there_once(read):
    manifest = read(SEVERAL, [(127, 288), (127, 288), (127, 256), (128, 288)])
    assert manifest.sizes() == [(127, 288), (127, 256), (128, 288)]
    old = manifest_of(SEVERAL)
    del old["tracker"]["sizes"]
    assert read(SEVERAL, tracker=old["tracker"]).sizes() == [(127, 288), (127, 256)]
    assert read([entry("init", 127, 288)], tracker=old["tracker"]).sizes() == [(127, 288)]


def test_models_are_those_that_run_at_the_sizes(read):
    manifest = read(SEVERAL, [(127, 288), (127, 256)])
    assert [model.graph.name for model in models(manifest, 127, 288)] == ["init", "update_288"]
    init, update = models(manifest, 127, 256)
    assert (init.graph.name, update.graph.name, update.graph.mode) == ("init", "update_256", "update")
    assert [tensor.name for tensor in update.graph.inputs] == ["in_zf", "in_x"]
    assert update.graph.inputs[1].shape == (1, 3, 256, 256)
    assert update.files == ("update_256.ncnn",)
    assert (update.format, update.names_from) == ("ncnn", "manifest")


def test_one_model_of_many_sizes_has_the_shapes_of_the_size_looked_at(read):
    manifest = read([entry("init", 127, 288), entry("update", 127, 288, (127, 288), (127, 192))])
    (update,) = models(manifest, 127, 192)
    assert {tensor.meaning: tensor.shape for tensor in (*update.graph.inputs, *update.graph.outputs)} == {
        "zf": (1, 96, 8, 8),
        "x": (1, 3, 192, 192),
        "cls": (1, 1, 12, 12),
        "reg": (1, 4, 12, 12),
    }


def test_a_shape_that_is_wrong_at_the_first_size_is_noticed(read):
    wrong = entry("update", 127, 256, (127, 288), (127, 256))
    manifest = read([entry("init", 127, 288), wrong])
    with pytest.raises(VerificationError) as caught:
        models(manifest, 127, 288)
    assert str(caught.value) == ("manifest.json: ncnn update has in_x as x (1, 3, 256, 256), expected (1, 3, 288, 288)")
    assert models(manifest, 127, 256)


def test_a_tensor_that_the_config_does_not_know_is_noticed_at_every_size(read):
    strange = entry("update", 127, 288, (127, 288), (127, 256))
    strange["outputs"][1]["meaning"] = "mask"
    manifest = read([strange])
    for search in (288, 256):
        with pytest.raises(VerificationError, match=r"ncnn update has outputs cls, mask, expected cls, reg"):
            models(manifest, 127, search)


@pytest.mark.parametrize(("side", "found"), [("outputs", "cls"), ("inputs", "zf"), ("outputs", "none")])
def test_a_tensor_that_is_left_out_is_noticed(read, side, found):
    """It would be compared with nothing."""
    graph = entry("update", 127, 288)
    graph[side] = graph[side][: found != "none"]
    with pytest.raises(VerificationError, match=rf"ncnn update has {side} {found}, expected "):
        models(read([graph]), 127, 288)


@pytest.mark.parametrize(("key", "value"), [("dtype", "float16"), ("mask_of", "x"), ("activation", "sigmoid")])
def test_a_tensor_that_is_described_otherwise_is_noticed(read, key, value):
    graph = entry("update", 127, 288)
    graph["outputs"][0][key] = value
    with pytest.raises(VerificationError, match=rf"ncnn update has {key} '{value}' for in_cls, expected "):
        models(read([graph]), 127, 288)


def test_graphs_of_an_earlier_manifest_have_no_sizes_and_modes(read):
    old = [entry("init", 127, 288), entry("update", 127, 288)]
    for graph in old:
        del graph["sizes"], graph["mode"]
    manifest = read(old)
    assert [model.graph.mode for model in models(manifest, 127, 288)] == ["template", "update"]
    assert manifest.graphs[0].sizes == ()


@pytest.mark.parametrize("changes", [{"mode": "track"}, {"mode": None, "name": "update_288"}, {"format": "tflite"}])
def test_graphs_of_a_newer_export_are_refused(read, changes):
    manifest = read([entry("init", 127, 288), {**entry("update", 127, 288), **changes}])
    with pytest.raises(UsageError, match=r"^export out: unknown graph (ncnn|tflite) update.*newer lt-export"):
        models(manifest, 127, 288)


def test_formats_leave_the_others_out(read):
    manifest = read([entry("init", 127, 288), entry("init", 127, 288, format="onnx")])
    assert [model.format for model in models(manifest, 127, 288)] == ["ncnn", "onnx"]
    assert [model.format for model in models(manifest, 127, 288, "onnx")] == ["onnx"]
    only = read([entry("init", 127, 288)])
    with pytest.raises(UsageError, match=r"^--format onnx: the export has ncnn only$"):
        models(only, 127, 288, "onnx")


@pytest.mark.parametrize("formats", [(), ("ncnn",)])
def test_sizes_that_no_graph_is_run_with_are_refused(read, formats):
    manifest = read([entry("init", 127, 288, (127, 288))], [(127, 288), (127, 256)])
    with pytest.raises(VerificationError, match=r"^out/manifest\.json: no graph has the sizes 127/256 that it lists$"):
        models(manifest, 127, 256, *formats)


def test_description_has_names_and_meanings(read):
    (init,) = models(read([entry("init", 127, 288)]), 127, 288)
    found = describe(init, Path("out"), {Path("out/init.ncnn"): None})
    assert [(one["role"], one["name"], one["meaning"]) for one in found["tensors"]] == [
        ("input", "in_z", "z"),
        ("output", "in_zf", "zf"),
    ]
    assert found["files"] == [{"name": "out/init.ncnn", "sha256": None}]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"tracker": {"template_size": 127}}, "tracker.search_size"),
        ({"tracker": {**pairs((127, 288))[0], "sizes": [{"template_size": 127}]}}, "tracker.sizes.0.search_size"),
        ({"graphs": [{**entry("init", 127, 288), "sizes": [[127, 288]]}]}, "graphs.0.sizes.0"),
        ({"graphs": []}, "graphs"),
    ],
)
def test_a_damaged_manifest_is_refused_with_the_key(read, change, where):
    with pytest.raises(VerificationError, match=rf"manifest\.json is damaged: {where}"):
        read(**{"graphs": SEVERAL, **change})
