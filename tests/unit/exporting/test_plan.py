"""Which models an export is made of, and what a device runs with them at every size."""

from pathlib import Path

import numpy as np
import pytest

from converter.errors import ArchitectureError, UsageError
from converter.exporting.plan import plan_export, search_sizes, sizes
from converter.formats.format import format_of
from converter.formats.source import Source
from converter.proof.feeds import Feed
from converter.spec.config import network_for
from converter.spec.naming import Naming
from converter.spec.options import ExportOptions

SERVED = (192, 208, 224, 240, 256, 272, 288, 304, 320)
ANDROID = Naming(
    blobs={"single": {"x": "input", "zf": "temp", "cls": "cls", "reg": "reg", "xf": "745"}},
    files={"single": "lighttrack-op"},
)


def options(template=127, search=288, config=None, **changes):
    network = network_for(None, overrides={"template_size": template, "search_size": search})[1]
    network = network.model_copy(update=config or {})
    return ExportOptions(
        arch="LightTrackM_Subnet", checkpoint=Path("a.pth"), output=Path("out"), network=network, **changes
    )


def shapes(graph):
    return {tensor.name: tensor.shape for tensor in (*graph.inputs, *graph.outputs)}


def files(plan, format="ncnn"):
    """Stem to what the files are made from, in order."""
    sources = [source for source in plan.sources if source.format == format]
    assert len({source.stem for source in sources}) == len(sources)
    return {source.stem: source for source in sources}


def run(tracker, format="ncnn"):
    suffixes = format_of(format).suffixes
    models = tracker.of(format)
    stems = [model.files[0].removesuffix(suffixes[0]) for model in models]
    assert [model.files for model in models] == [tuple(stem + suffix for suffix in suffixes) for stem in stems]
    return [(model.graph.name, stem) for model, stem in zip(models, stems, strict=True)]


def test_by_itself_an_export_is_two_models_of_one_size():
    plan = plan_export(options())
    (tracker,) = plan.trackers
    assert (tracker.network.sizes, tracker.formats) == ((127, 288), ("ncnn",))
    assert run(tracker) == [("init", "lighttrack_init"), ("update", "lighttrack_update")]
    assert [(file.format, file.other) for file in files(plan).values()] == [("ncnn", None)] * 2
    assert tracker.graphs("ncnn") == tuple(source.graph for source in plan.sources)
    assert [(image.name, image.meaning, image.shape) for image in tracker.images] == [
        ("z", "z", (1, 3, 127, 127)),
        ("x", "x", (1, 3, 288, 288)),
    ]
    assert (tracker.dimensions.template_cells, tracker.dimensions.search_cells) == (8, 18)


def test_three_graphs_run_in_their_order():
    (tracker,) = plan_export(options(split="three", formats=("onnx",))).trackers
    assert run(tracker, "onnx") == [(name, f"lighttrack_{name}") for name in ("init", "backbone", "neck_head")]


def test_every_search_size_has_an_update_model_and_all_share_init():
    plan = plan_export(options(search_sizes=(288, 256, 320)))
    assert [tracker.network.sizes for tracker in plan.trackers] == [(127, 288), (127, 256), (127, 320)]
    assert [run(tracker) for tracker in plan.trackers] == [
        [("init", "lighttrack_init"), (f"update_{size}", f"lighttrack_update_{size}")] for size in (288, 256, 320)
    ]
    assert list(files(plan)) == ["lighttrack_init", *(f"lighttrack_update_{size}" for size in (288, 256, 320))]
    for tracker, size in zip(plan.trackers, (288, 256, 320), strict=True):
        update = tracker.of("ncnn")[1]
        assert shapes(update.graph) == {
            "zf": (1, 96, 8, 8),
            "x": (1, 3, size, size),
            "cls": (1, 1, size // 16, size // 16),
            "reg": (1, 4, size // 16, size // 16),
        }
        assert files(plan)[f"lighttrack_update_{size}"] == Source("ncnn", f"lighttrack_update_{size}", update.graph)
        assert update.graph.mode == "update"
        assert tracker.images[1].shape == (1, 3, size, size)
        assert tracker.network.search_size == tracker.dimensions.search_size == size


def test_suffixes_follow_the_names_of_the_files():
    naming = Naming(files={"init": "start", "update": "step"}, blobs={"update": {"cls": "output.1"}})
    plan = plan_export(options(search_sizes=(288, 256), naming=naming))
    assert list(files(plan)) == ["start", "step_288", "step_256"]
    assert [tracker.graphs("ncnn")[1].outputs[0].name for tracker in plan.trackers] == ["output.1", "output.1"]


def test_three_graphs_at_two_sizes_have_two_backbones_and_two_heads():
    plan = plan_export(options(search_sizes=(288, 256), split="three"))
    parts = ("init", "backbone_288", "neck_head_288", "backbone_256", "neck_head_256")
    assert list(files(plan)) == [f"lighttrack_{part}" for part in parts]


def test_a_graph_that_is_the_same_at_both_sizes_is_one_model():
    plan = plan_export(options(search=256, search_sizes=(256, 255), split="three"))
    parts = ("init", "backbone_256", "neck_head", "backbone_255")
    assert list(files(plan)) == [f"lighttrack_{part}" for part in parts]


def test_a_size_given_twice_is_one():
    assert search_sizes(options(search_sizes=(288, 256, 288, 256))) == (288, 256)
    (tracker,) = plan_export(options(search_sizes=(288, 288))).trackers
    assert [stem for _, stem in run(tracker)] == ["lighttrack_init", "lighttrack_update"]


@pytest.mark.parametrize(("size", "cells"), [(255, 16), (256, 16), (287, 18), (289, 19), (303, 19)])
def test_cells_of_a_size_that_the_stride_does_not_divide_are_rounded_up(size, cells):
    (tracker,) = plan_export(options(search=size)).trackers
    assert tracker.dimensions.search_cells == cells
    assert shapes(tracker.graphs("ncnn")[1])["cls"] == (1, 1, cells, cells)


def test_one_model_for_every_size_of_the_config():
    plan = plan_export(options(dynamic_search=True))
    assert [tracker.network.sizes for tracker in plan.trackers] == [
        (127, 288),
        *((127, size) for size in SERVED if size != 288),
    ]
    assert list(files(plan)) == ["lighttrack_init", "lighttrack_update"]
    init, update = files(plan).values()
    assert init.other is None
    assert shapes(update.graph)["x"] == (1, 3, 288, 288)
    assert shapes(update.other)["x"] == (1, 3, 192, 192)
    assert shapes(update.other)["reg"] == (1, 4, 12, 12)
    for tracker in plan.trackers:
        size = tracker.network.sizes[1]
        assert run(tracker) == [("init", "lighttrack_init"), ("update", "lighttrack_update")]
        assert shapes(tracker.graphs("ncnn")[1])["x"] == tracker.images[1].shape == (1, 3, size, size)


def test_one_model_for_every_size_begins_with_the_users():
    plan = plan_export(options(search=192, dynamic_search=True))
    assert [tracker.network.sizes[1] for tracker in plan.trackers] == list(SERVED)
    assert shapes(files(plan)["lighttrack_update"].other)["x"] == (1, 3, 208, 208)
    assert search_sizes(options(search=256, search_sizes=(256,), dynamic_search=True))[0] == 256


def test_one_file_is_run_twice_and_takes_both_templates():
    plan = plan_export(options(template=128, search=256, split="one", naming=ANDROID))
    assert [tracker.network.sizes for tracker in plan.trackers] == [(128, 256), (127, 256)]
    assert list(files(plan)) == ["lighttrack-op"]
    (single,) = files(plan).values()
    assert (single.format, single.graph.name, single.graph.mode, single.other) == ("ncnn", "single", "single", None)
    assert shapes(single.graph) == {
        "temp": (1, 96, 8, 8),
        "input": (1, 3, 256, 256),
        "cls": (1, 1, 16, 16),
        "reg": (1, 4, 16, 16),
        "745": (1, 96, 16, 16),
    }
    for tracker, template in zip(plan.trackers, (128, 127), strict=True):
        init, update = tracker.graphs("ncnn")
        assert (init.name, init.mode, update.name, update.mode) == ("init", "template", "update", "update")
        assert shapes(init) == {"input": (1, 3, template, template), "745": (1, 96, 8, 8)}
        assert [(tensor.name, tensor.meaning) for tensor in (*init.inputs, *init.outputs)] == [
            ("input", "z"),
            ("745", "zf"),
        ]
        assert shapes(update) == {name: shape for name, shape in shapes(single.graph).items() if name != "745"}
        assert [(image.name, image.shape[-1]) for image in tracker.images] == [("z", template), ("x", 256)]


def test_one_file_without_names_is_read_at_the_search_features():
    plan = plan_export(options(split="one"))
    assert [tracker.network.sizes for tracker in plan.trackers] == [(127, 288), (128, 288)]
    init, update = plan.trackers[0].of("ncnn")
    assert [tensor.name for tensor in (*init.graph.inputs, *init.graph.outputs)] == ["x", "xf"]
    assert [tensor.name for tensor in update.graph.inputs] == ["zf", "x"]
    assert init.files == update.files == ("lighttrack_single.param", "lighttrack_single.bin")


def test_one_file_with_another_template_takes_that_one_only():
    assert sizes(options(template=112, split="one")) == [(112, 288)]
    assert sizes(options(template=128, split="two")) == [(128, 288)]


def test_one_file_whose_other_template_is_larger_than_the_search_crop():
    one = network_for(None)[1].read_from["one"].model_copy(update={"template_sizes": [128, 320]})
    assert sizes(options(split="one", config={"read_from": {"one": one}})) == [(127, 288), (128, 288)]


def test_one_file_for_every_size():
    plan = plan_export(options(split="one", dynamic_search=True))
    assert [tracker.network.sizes for tracker in plan.trackers] == [
        (127, 288),
        *((127, size) for size in SERVED if size != 288),
        (128, 288),
    ]
    (single,) = files(plan).values()
    assert (shapes(single.graph)["x"][-1], shapes(single.other)["x"][-1]) == (288, 192)


def test_both_formats_at_once_have_a_split_each():
    (tracker,) = plan_export(options(formats=("ncnn", "onnx"))).trackers
    assert [graph.name for graph in tracker.graphs("ncnn")] == ["init", "update"]
    assert [graph.name for graph in tracker.graphs("onnx")] == ["init", "backbone", "neck_head"]
    assert [model.format for model in tracker.of("onnx")] == ["onnx"] * 3
    assert [graph.name for graph in tracker.all_graphs()] == ["init", "update", "backbone", "neck_head"]
    assert [image.name for image in tracker.images] == ["z", "x"]


def test_both_formats_at_several_sizes():
    plan = plan_export(options(formats=("onnx", "ncnn"), search_sizes=(288, 256)))
    assert plan.trackers[0].formats == ("onnx", "ncnn")
    assert len(files(plan, "ncnn")) == 3
    assert len(files(plan, "onnx")) == 5
    (tracker,) = plan_export(options(formats=("onnx", "ncnn"), split="two")).trackers
    assert len(tracker.all_graphs()) == 2


def test_feed_among_others_says_its_sizes():
    network = network_for(None)[1].at(128, 256)
    feed = Feed("noise 0", {"z": np.zeros(1)})
    assert feed.at(network.sizes).name == "noise 0 at 128/256"
    assert feed.at(network.sizes).tensors is feed.tensors


def refused(error=UsageError, **changes):
    with pytest.raises(error) as caught:
        plan_export(options(**changes))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_dynamic_search_with_several_sizes_is_refused():
    message = refused(dynamic_search=True, search_sizes=(288, 256))
    assert message.startswith("--dynamic-search serves every search size; give --search-size once")


def test_dynamic_search_from_a_size_that_is_not_served_is_refused():
    assert refused(search=300, dynamic_search=True) == (
        "--search-size 300 with --dynamic-search: expected one of 192, 208, 224, 240, 256, 272, 288, 304, 320"
    )
    message = refused(dynamic_search=True, config={"dynamic_search": []})
    assert message == "--dynamic-search: LightTrackM_Subnet has no other search sizes; leave it out"


def test_several_sizes_of_weights_that_are_of_one_are_refused():
    message = refused(search_sizes=(288, 256), config={"one_size": True})
    assert message == "--search-size 288 and 256: weights of this network are of one size; give it once"


def test_dynamic_search_for_an_old_ncnn_is_refused():
    message = refused(dynamic_search=True, oldest_ncnn="20210720")
    assert message.startswith("--dynamic-search: ncnn 20210720 is too old for it, expected 20250428 or later")
    assert len(plan_export(options(dynamic_search=True, oldest_ncnn="20250428")).trackers) == len(SERVED)
    old = plan_export(options(dynamic_search=True, oldest_ncnn="20210720", formats=("onnx",)))
    assert len(old.trackers) == len(SERVED)


@pytest.mark.parametrize("how", [{"split": "one"}, {"config": {"default_splits": {"ncnn": "one", "onnx": "three"}}}])
def test_one_file_with_several_sizes_is_refused(how):
    message = refused(search_sizes=(288, 256), **how)
    assert message.startswith("--split one with search sizes 288, 256: it is one file; pass --dynamic-search")


@pytest.mark.parametrize("formats", [("onnx",), ("ncnn", "onnx")])
def test_one_file_is_refused_where_a_runtime_runs_whole_graphs(formats):
    assert refused(split="one", formats=formats) == (
        "--split one: expected two or three for onnx, whose runtime runs whole graphs only"
    )


@pytest.mark.parametrize("split", ["four", ""])
def test_unknown_split_is_refused(split):
    assert refused(split=split) == f"--split {split}: expected one of two, three, one"


def test_search_crop_smaller_than_the_template_is_refused():
    assert refused(template=256, search=192).startswith(
        "--template-size 256, --search-size 192: the search crop is smaller than the template, 256"
    )
    assert "the search crop is smaller than the template, 256" in refused(template=256, search_sizes=(288, 192))


def test_what_the_network_cannot_be_is_refused():
    assert refused(template=118).startswith("--template-size 118: the features have")
    assert refused(ArchitectureError, config={"path_name": "back_"}).startswith("path name 'back_'")


def test_names_are_checked_in_every_format():
    wrong = Naming(blobs={"neck_head": {"cls": "a b"}})
    plan_export(options(naming=wrong))
    assert refused(naming=wrong, formats=("ncnn", "onnx")).startswith("neck_head: 'a b' is no name for cls in onnx")
    assert refused(naming=Naming(blobs={"update": {"zf": "x"}})).startswith("update: zf and x would both be called")


def test_file_names_that_meet_are_refused():
    assert refused(naming=Naming(files={"init": "a", "update": "A"})) == (
        "init and update would both be the file A; choose other file names"
    )
    assert refused(naming=Naming(files={"init": "a", "update": "a"})).endswith(
        "both be the file a; choose other file names"
    )
    naming = Naming(files={"init": "a_256", "update": "a"})
    plan_export(options(naming=naming))
    assert refused(naming=naming, search_sizes=(288, 256)).startswith(
        "init and update_256 would both be the file a_256"
    )
