"""Models and the trackers that they make up: which files, which format, what is missing."""

from dataclasses import FrozenInstanceError

import pytest
from comparisons import DIMENSIONS, NETWORK, models_of, tracker_of

from converter.spec.model import Model, TrackerModels, with_other_graphs
from converter.spec.tensors import TensorSpec

INIT, UPDATE = NETWORK.graph_specs("two", DIMENSIONS)
BACKBONE, NECK_HEAD = NETWORK.graph_specs("three", DIMENSIONS)[1:]


def both_formats():
    return TrackerModels(NETWORK, DIMENSIONS, models_of([INIT, UPDATE]) + models_of([INIT, BACKBONE], "onnx"))


def test_files_are_named_before_there_are_any(tmp_path):
    model = Model(INIT, "ncnn", ("a.param", "a.bin"))
    assert model.paths(tmp_path / "not there") == (tmp_path / "not there/a.param", tmp_path / "not there/a.bin")
    assert str(model) == "ncnn init"
    assert model.names_from == "manifest"


def test_a_model_is_a_value():
    """Runners are found by the model that they run."""
    assert {Model(INIT, "ncnn", ("a",)): "runner"}[Model(INIT, "ncnn", ("a",))] == "runner"
    assert Model(INIT, "ncnn", ("a",)) != Model(INIT, "onnx", ("a",))
    assert Model(INIT, "ncnn", ("a",)) != Model(INIT, "ncnn", ("b",))
    with pytest.raises(FrozenInstanceError):
        Model(INIT, "ncnn", ("a",)).format = "onnx"


def test_models_of_a_format_keep_their_order():
    tracker = both_formats()
    assert tracker.formats == ("ncnn", "onnx")
    assert [model.graph.name for model in tracker.of("ncnn")] == ["init", "update"]
    assert [str(model) for model in tracker.of("onnx")] == ["onnx init", "onnx backbone"]
    assert tracker.graphs("onnx") == (INIT, BACKBONE)
    assert tracker.of("tflite") == tracker.graphs("tflite") == ()


def test_a_graph_of_two_formats_is_there_once():
    assert both_formats().all_graphs() == (INIT, UPDATE, BACKBONE)


def test_images_are_what_no_graph_gives():
    images = both_formats().images
    assert [type(image) for image in images] == [TensorSpec] * 2
    assert [(image.meaning, image.shape) for image in images] == [("z", (1, 3, 127, 127)), ("x", (1, 3, 288, 288))]


@pytest.mark.parametrize(
    ("graphs", "split", "missing"),
    [
        ([INIT, UPDATE], "two", {}),
        ([INIT, UPDATE], None, {}),
        ([INIT], "two", {"ncnn": ("update",)}),
        ([INIT], "three", {"ncnn": ("backbone", "neck_head")}),
        ([UPDATE], None, {"ncnn": ("init",)}),
        ([BACKBONE, NECK_HEAD], None, {"ncnn": ("init",)}),
        ([INIT, UPDATE], "three", {}),  # whole, though in another split than was said
    ],
)
def test_graphs_that_a_tracker_lacks(graphs, split, missing):
    assert tracker_of(graphs).missing({"ncnn": split}) == missing


def test_a_format_without_any_model_lacks_all_graphs():
    assert both_formats().missing({"ncnn": "two", "onnx": "three", "tflite": "two"}) == {
        "onnx": ("neck_head",),
        "tflite": ("init", "update"),
    }


def test_only_items_with_a_graph_of_their_own_are_kept():
    items = {"first": [INIT, UPDATE], "same": [UPDATE, INIT], "more": [INIT, BACKBONE], "part": [BACKBONE], "none": []}
    assert with_other_graphs(items, items.__getitem__) == ["first", "more"]
    assert with_other_graphs([], items.__getitem__) == []
