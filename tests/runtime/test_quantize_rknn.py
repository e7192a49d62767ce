"""lt-quantize for an NPU: searched in onnxruntime, judged in Rockchip's simulator on the frames that were looked at."""

import json

import pytest
from clips import save_video
from loose_limits import STRICT, save_limits

from commands import lt_quantize, lt_verify
from conftest import TINY

BOX = "30,20,16,12"
JUDGED = "in the simulator, in one step on 3 frames of each clip; free running was not judged"


@pytest.fixture(scope="module")
def place(rknn_toolkit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("quantize")
    save_video(folder / "one.avi", 8)
    save_video(folder / "two.avi", 6)
    save_limits(folder / "loose.yaml")
    save_limits(folder / "strict.yaml", STRICT)
    return folder


def words(place, tiny, config):
    clips = ("--clip", place / "one.avi", "--box", BOX, "--clip", place / "two.avi", "--box", BOX)
    rknn = ("--format", "rknn", "--target", "rk3588", "--normalise", "inside", "--samples", 4, "--frames", 3)
    return (tiny, "--path-name", TINY, "--config", place / config, *clips, *rknn)


@pytest.fixture(scope="module")
def made(place, tiny):
    done = lt_quantize(
        *words(place, tiny, "loose.yaml"), "-o", place / "small", "--report", place / "page.md", "--json"
    )
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_what_is_published_says_what_it_was_judged_on(made, place):
    manifest = made["manifest"]
    assert (made["verdict"], made["judged"], manifest["precision"]) == ("published", JUDGED, "int8")
    entry = manifest["formats"]["rknn"]
    assert (entry["target"], entry["normalise"], entry["int8"]["judged"]) == ("rk3588", "inside", JUDGED)
    assert sum(graph["layers_in_int8"] for graph in entry["graphs"]) >= len(entry["int8"]["layers"]) > 0
    figures = manifest["verification"]["clips"]
    assert [each["clip"] for each in figures] == ["one.avi", "two.avi"] * 2
    for each in figures:
        assert (each["frames"], each["free_running_mean"], each["floor"], each["passed"]) == (3, None, None, True)
        assert 0 < each["one_step_mean"] <= 1
    assert manifest["verification"]["pictures"]
    page = (place / "page.md").read_text()
    assert page.count(JUDGED) >= 2


def test_beside_it_are_half_models_and_nothing_of_time(made, place):
    points = {point["name"]: point for point in made["points"]}
    assert points.keys() - {made["chosen"], "int8 1", "int8 2"} == {"half"}
    chosen = points[made["chosen"]]
    assert chosen["bytes"] == sum(path.stat().st_size for path in (place / "small").glob("*.rknn"))
    assert chosen["bytes"] < points["half"]["bytes"]
    assert all(point["update_ms"] is None for point in made["points"])
    assert points["half"]["clips"][0]["one_step_mean"] > 0.99


def test_lt_verify_agrees(made, place, tiny):
    clip = ("--clip", place / "two.avi", "--box", BOX)
    done = lt_verify(place / "small", "--resume", tiny, "--config", place / "loose.yaml", *clip, "--json")
    assert done.code == 0, done.err
    pictures = json.loads(done.out)["pictures"][0]
    assert pictures["iou_mean"] == pytest.approx(made["manifest"]["verification"]["pictures"][0]["iou_mean"], abs=1e-9)
    done = lt_verify(place / "small", "--resume", tiny, "--config", place / "strict.yaml")
    assert done.code == 1, done.err


def test_a_refusal_publishes_nothing(made, place, tiny, tmp_path):
    done = lt_quantize(*words(place, tiny, "strict.yaml"), "-o", tmp_path / "small", "--json")
    assert done.code == 1, done.err
    answer = json.loads(done.out)
    assert (answer["verdict"], answer["judged"]) == ("refused", JUDGED)
    assert "no int8 rknn model" in done.error_line
    assert not (tmp_path / "small").exists()
