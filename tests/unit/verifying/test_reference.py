"""Which answers are right where models serve several sizes, and which of them become golden vectors."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from comparisons import tracker_of
from golden_folder import HEADER, INIT, SHAPES, TOLERANCES, UPDATE, graph, inner, picture_feed, run, tensor, tensor_of

from converter.errors import UsageError, VerificationError
from converter.folder.golden import read_golden
from converter.folder.golden_writer import GoldenCase, write_golden
from converter.proof.feeds import Feed
from converter.spec.config import network_for
from converter.spec.model import Model, with_other_graphs
from converter.spec.options import VerifyOptions
from converter.verifying.golden import golden_at, golden_of
from converter.verifying.reference import GoldenReference, compared_with_golden

IMAGES = (tensor("z"), tensor("x"))
LARGER = (1, 3, 24, 24)


def larger(spec):
    """The same graph at a larger search size."""
    shapes = {"x": LARGER, "xf": (1, 8, 12, 12), "cls": (1, 1, 12, 12), "reg": (1, 4, 12, 12)}
    changed = [
        tuple(one.model_copy(update={"shape": shapes.get(one.meaning, one.shape)}) for one in tensors)
        for tensors in (spec.inputs, spec.outputs)
    ]
    return spec.model_copy(update={"inputs": changed[0], "outputs": changed[1]})


UPDATE_STRANGE = graph("update", ["x"], ["cls"]).model_copy(
    update={"inputs": (tensor("x").model_copy(update={"shape": (1, 3, 8, 8)}),)}
)
UPDATE_LARGER = larger(UPDATE).model_copy(update={"name": "update_24"})


def large_feed(title, seed):
    random = np.random.default_rng(seed)
    return Feed(
        title, {"z": random.standard_normal(SHAPES["z"], "f4"), "x": random.standard_normal(LARGER).astype("f4")}
    )


@pytest.fixture
def golden(tmp_path):
    """Vectors of two sizes; init is in both, update has a model for each."""
    folder = tmp_path / "golden"
    folder.mkdir()
    cases = []
    for graphs, feed in (
        ((INIT, UPDATE), picture_feed("noise, fine", 1)),
        ((INIT, UPDATE), picture_feed("bag.png", 2)),
        ((INIT, UPDATE_LARGER), large_feed("noise, fine at 10/24", 3)),
    ):
        answer = run(feed.tensors)
        cases.append(GoldenCase(graphs, feed, answer, inner(answer)))
    write_golden(folder, HEADER, cases)
    return read_golden(folder)


def larger_images():
    return IMAGES[0], IMAGES[1].model_copy(update={"shape": LARGER})


def test_cases_have_their_own_graphs(golden):
    assert [case.name for case in golden.cases] == ["noise_fine", "bag_png", "noise_fine_at_10_24"]
    assert [(entry["name"], entry["intermediates"]) for entry in golden.index.model_dump()["graphs"]] == [
        ("init", ["features.blocks.1"]),
        ("update", ["features.blocks.1", "head.cls_tower.0"]),
        ("update_24", []),
    ]
    found = {(entry.case, entry.graph) for entry in golden.index.tensors}
    assert found == {
        *((case, name) for case in ("noise_fine", "bag_png") for name in ("init", "update")),
        ("noise_fine_at_10_24", "init"),
        ("noise_fine_at_10_24", "update_24"),
    }
    assert tensor_of(golden, "noise_fine_at_10_24", "update_24", "cls").shape == (1, 1, 12, 12)


def test_noise_is_called_so_whatever_its_size(golden):
    abouts = [case["about"] for case in golden.index.model_dump()["cases"]]
    noise = "seeded noise of 8-bit pixels, normalised as preprocess says"
    assert abouts == [noise, "crops of bag.png, normalised as preprocess says", noise]


@pytest.mark.parametrize(
    "title", ["noise", "noise, fine.png", "noise, fine at 10", "my noise, fine", "noise, fine at 10/24.png"]
)
def test_a_picture_is_not_called_noise(tmp_path, title):
    tmp_path.joinpath("golden").mkdir()
    feed = picture_feed(title, 1)
    index = write_golden(tmp_path / "golden", HEADER, [GoldenCase((INIT,), feed, run(feed.tensors), {})])
    assert index.cases[0].about == f"crops of {title}, normalised as preprocess says"


def test_vectors_of_one_size_leave_the_others(golden):
    small, large = golden.of_size(IMAGES), golden.of_size(larger_images())
    assert [case.name for case in small.cases] == ["noise_fine", "bag_png"]
    assert [case.name for case in large.cases] == ["noise_fine_at_10_24"]
    assert [feed.tensors["x"].shape for feed in small.feeds()] == [SHAPES["x"]] * 2
    (feed,), (answer,) = large.feeds(), large.answers()
    assert (feed.name, feed.tensors.keys(), feed.tensors["x"].shape) == ("noise, fine at 10/24", {"z", "x"}, LARGER)
    assert answer["cls"].shape == (1, 1, 12, 12)
    np.testing.assert_array_equal(feed.tensors["z"], large_feed("", 3).tensors["z"])
    assert {entry.case for entry in large.index.tensors} == {"noise_fine_at_10_24"}
    assert len(golden.cases) == 3
    small.check_files()
    assert small.index.files == golden.index.files
    assert small.of_size(larger_images()).cases == []


def test_vectors_of_no_size_that_is_there(golden):
    other = (IMAGES[0].model_copy(update={"shape": (1, 3, 12, 12)}), IMAGES[1])
    assert golden.of_size(other).cases == []
    assert golden.of_size(IMAGES[1:]).cases == golden.cases[:2]
    assert golden.of_size(()).cases == golden.cases


def options(golden, **changes):
    network = network_for(None)[1]
    return VerifyOptions(arch="A", network=network, checkpoint=None, golden=golden.folder, **changes)


def tracker(images):
    network = network_for(None)[1].model_copy(update={"path_name": HEADER.path_name})
    return SimpleNamespace(images=images, network=network, models=[Model(INIT, "ncnn", ("a.param",))])


def subject(*images):
    trackers = tuple(map(tracker, images))
    return SimpleNamespace(
        trackers=trackers,
        tracker=trackers[0],
        manifest=None,
        precision="fp32",
        judged_as="fp32",
        tolerances=lambda options: TOLERANCES,
    )


def strange():
    return IMAGES[0], IMAGES[1].model_copy(update={"shape": (1, 3, 8, 8)})


def test_vectors_are_taken_at_the_size_looked_at_or_whole(golden):
    everything = golden_of(options(golden), subject(IMAGES))
    assert len(everything.cases) == 3
    assert [case.name for case in golden_at(everything, tracker(larger_images())).cases] == ["noise_fine_at_10_24"]
    assert len(golden_at(everything, tracker(IMAGES)).cases) == 2
    assert len(golden_at(everything, tracker(strange())).cases) == 3
    none = options(golden).model_copy(update={"golden": None})
    assert golden_of(none, subject(IMAGES)) is None


def test_golden_vectors_are_the_reference_at_the_sizes_that_they_are_of(golden, caplog):
    given = subject(IMAGES, larger_images(), strange())
    small, large = compared_with_golden(options(golden), given, golden)
    assert (small.tracker, large.tracker) == given.trackers[:2]
    assert [feed.name for feed in large.feeds] == ["noise, fine at 10/24"]
    assert large.outputs[0]["reg"].shape == (1, 4, 12, 12)
    assert "not verified at 127/288: there are no golden vectors of it" in caplog.text
    reference = GoldenReference(golden, None)
    assert reference.checkpoint.file == "a.pth"
    assert "a made-up tracker" in reference.about


def test_golden_vectors_of_no_size_that_is_there_are_refused(golden):
    given = subject(strange())
    given.tracker.models.append(Model(UPDATE_STRANGE, "ncnn", ("b.param",)))
    with pytest.raises(UsageError, match=r"have x as .* ncnn update has it as"):
        compared_with_golden(options(golden), given, golden)


def test_golden_vectors_at_another_size_have_every_tensor(golden):
    path = golden.folder / "index.json"
    index = json.loads(path.read_text())
    left = [
        entry
        for entry in index["tensors"]
        if (entry["case"], entry["meaning"], entry["role"]) != ("noise_fine_at_10_24", "zf", "output")
    ]
    path.write_text(json.dumps({**index, "tensors": left}))
    given = subject(IMAGES, larger_images())
    with pytest.raises(VerificationError, match="case 'noise, fine at 10/24' has no zf, which ncnn init is compared"):
        compared_with_golden(options(golden), given, golden_of(options(golden), given))


def group(*graphs):
    return tracker_of(graphs)


def graphs_of(group):
    return group.all_graphs()


def test_vectors_are_written_where_there_is_another_graph():
    first, shared, other = group(INIT, UPDATE), group(INIT, UPDATE), group(INIT, UPDATE_LARGER)
    found = with_other_graphs([first, shared, other, shared, other], graphs_of)
    assert found == [first, other]
    assert found[0] is first
    alone = group(graph("xf", ["x"], ["xf"]))
    assert with_other_graphs([first, alone, alone], graphs_of) == [first, alone]
    assert with_other_graphs([], graphs_of) == []
