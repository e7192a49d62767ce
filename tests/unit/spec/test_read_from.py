"""A split can read several graphs from one that is converted: which files it has, and at which sizes they are run."""

from pathlib import Path

import pytest

from converter.errors import UsageError
from converter.exporting.plan import plan_export
from converter.spec.config import network_for
from converter.spec.options import ExportOptions
from converter.spec.presets import Wanted, choose


def planned(split="shared", format="onnx", arch="NanoTrackV1", preset=None, **changes):
    chosen = choose(Wanted(arch=arch, formats=(format,), split=split, preset=preset))
    return plan_export(ExportOptions(**{**dict(chosen), **changes}, checkpoint=Path("a.pth"), output=Path("out")))


def shapes(graph):
    return {tensor.name: tensor.shape for tensor in (*graph.inputs, *graph.outputs)}


def test_what_becomes_files():
    nanotrack, lighttrack = network_for("NanoTrackV1")[1], network_for(None)[1]
    assert nanotrack.splits["shared"] == nanotrack.splits["three"] == ["init", "backbone", "neck_head"]
    assert nanotrack.converted("shared") == ["backbone", "neck_head"]
    assert nanotrack.converted("three") == ["init", "backbone", "neck_head"]
    assert lighttrack.converted("one") == ["single"]


@pytest.mark.parametrize("format", ["onnx", "ncnn"])
def test_one_backbone_serves_both_crops(format):
    plan = planned(format=format, arch="NanoTrackV3")
    backbone, neck_head = plan.sources
    assert (backbone.stem, neck_head.stem, neck_head.other) == ("nanotrack_backbone", "nanotrack_neck_head", None)
    assert shapes(backbone.graph) == {"x": (1, 3, 255, 255), "xf": (1, 96, 16, 16)}
    assert shapes(backbone.other) == {"x": (1, 3, 127, 127), "xf": (1, 96, 8, 8)}
    (tracker,) = plan.trackers
    init, search, head = tracker.of(format)
    assert [model.graph.name for model in (init, search, head)] == ["init", "backbone", "neck_head"]
    assert init.files == search.files != head.files
    assert (init.graph.mode, shapes(init.graph)) == ("template", {"x": (1, 3, 127, 127), "xf": (1, 96, 8, 8)})
    assert [tensor.meaning for tensor in (*init.graph.inputs, *init.graph.outputs)] == ["z", "zf"]
    assert shapes(search.graph) == shapes(backbone.graph)
    assert [(image.name, image.shape[-1]) for image in tracker.images] == [("z", 127), ("x", 255)]


def test_names_of_the_shared_backbone_are_those_of_both_graphs():
    init, search, head = planned(preset="opencv-tracker-nano").trackers[0].of("onnx")
    for model in (init, search):
        assert model.files == ("nanotrack_backbone.onnx",)
        assert list(shapes(model.graph)) == ["input", "output"]
    assert head.files == ("nanotrack_head.onnx",)
    assert list(shapes(head.graph)) == ["input1", "input2", "output1", "output2"]


def test_a_shared_backbone_serves_every_search_size_too():
    plan = planned(dynamic_search=True)
    backbone, neck_head = plan.sources
    assert shapes(backbone.graph)["x"] == (1, 3, 255, 255)
    assert shapes(backbone.other)["x"] != (1, 3, 255, 255)
    assert (shapes(neck_head.graph)["xf"], shapes(neck_head.other)["xf"]) == ((1, 48, 16, 16), (1, 48, 12, 12))
    for tracker in plan.trackers:
        assert [model.files[0] for model in tracker.of("onnx")] == [
            "nanotrack_backbone.onnx",
            "nanotrack_backbone.onnx",
            "nanotrack_neck_head.onnx",
        ]
        size = tracker.network.search_size
        assert [shapes(graph)["x"][-1] for graph in tracker.graphs("onnx")[:2]] == [127, size]


def test_a_shared_file_with_several_search_sizes_is_refused():
    with pytest.raises(UsageError) as caught:
        planned(search_sizes=(255, 287))
    assert str(caught.value) == (
        "--split shared with search sizes 255, 287: its backbone is one file; pass --dynamic-search, or one "
        "--search-size at a time"
    )
