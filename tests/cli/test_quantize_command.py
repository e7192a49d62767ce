"""``lt-quantize``: int8 where the boxes allow it, with seeded networks and limits that such networks can keep."""

import json
import signal
import subprocess
import time

import numpy as np
import pytest
from clips import save_video
from loose_limits import STRICT, save_limits
from PIL import Image

from commands import QUANTIZE, command, environment, lt_quantize, lt_verify
from conftest import TINY

BOX = "30,20,16,12"
BOTH = ("--clip", "one.avi", "--clip", "two.avi", "--box", BOX, "--box", BOX)
FAST = ("--samples", 4, "--frames", 3)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two clips and configs, not to be changed."""
    folder = tmp_path_factory.mktemp("quantize")
    save_video(folder / "one.avi", 8)
    save_video(folder / "two.avi", 6)
    save_limits(folder / "loose.yaml")
    save_limits(folder / "strict.yaml", STRICT)
    return folder


def words(place, weights, config="loose.yaml"):
    clips = ("--clip", place / "one.avi", "--box", BOX, "--clip", place / "two.avi", "--box", BOX)
    return (weights, "--path-name", TINY, "--config", place / config, *clips, *FAST)


@pytest.fixture(scope="module")
def made(place, tiny, tmp_path_factory):
    """A folder that was published, and the answer; not to be changed."""
    folder = tmp_path_factory.mktemp("made") / "small"
    done = lt_quantize(*words(place, tiny), "-o", folder, "--json")
    assert done.code == 0, done.err
    return folder, json.loads(done.out)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_published_computes_in_int8_and_says_what_it_was_fitted_to(made, place):
    folder, answer = made
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest == answer["manifest"]
    assert (manifest["precision"], answer["verdict"]) == ("int8", "published")
    about = manifest["formats"]["ncnn"]["int8"]
    assert about["layers"]
    assert 0 < about["share"] <= 1
    assert about["judged"] == answer["judged"] == "each clip whole, in one step and free running"
    assert [clip["name"] for clip in about["clips"]] == ["one.avi", "two.avi"]
    assert [clip["frames"] for clip in about["clips"]] == [8, 6]
    figures = manifest["verification"]["clips"]
    assert {(each["clip"], each["calibrated_on"]) for each in figures} == {
        (clip, on) for clip in ("one.avi", "two.avi") for on in ("all clips", "the other clips")
    }
    assert all(each["passed"] for each in figures)
    assert manifest["verification"]["pictures"]
    table = (folder / "lighttrack_update.table").read_text().splitlines()
    assert len(table) == 2 * len(about["layers"])
    (chosen,) = (point for point in answer["points"] if point["name"] == answer["chosen"])
    models = [path for path in folder.iterdir() if path.suffix in (".param", ".bin")]
    assert chosen["bytes"] == sum(path.stat().st_size for path in models)
    by_name = {point["name"]: point for point in answer["points"]}
    assert {"fp32", "half", "w8"} <= by_name.keys()
    assert chosen["bytes"] < by_name["half"]["bytes"] < by_name["fp32"]["bytes"]
    assert all(point["update_ms"] > 0 for point in answer["points"])


def test_lt_verify_agrees(made, place, tiny):
    folder, answer = made
    clip = ("--clip", place / "one.avi", "--box", BOX)
    done = lt_verify(folder, "--resume", tiny, "--config", place / "loose.yaml", *clip, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    (candidate,) = found["clip"]["candidates"]
    (figures,) = (each for each in answer["manifest"]["verification"]["clips"]
                  if (each["clip"], each["calibrated_on"]) == ("one.avi", "all clips"))  # fmt: skip
    assert candidate["one_step"]["judged"]["iou_mean"] == pytest.approx(figures["one_step_mean"], abs=1e-9)
    assert candidate["iou"]["mean"] == pytest.approx(figures["free_running_mean"], abs=1e-9)
    done = lt_verify(folder, "--resume", tiny, "--config", place / "strict.yaml")
    assert done.code == 1, done.err


def test_onnx_models_are_searched_and_verified_likewise(place, tiny, tmp_path):
    done = lt_quantize(*words(place, tiny), "--format", "onnx", "-o", tmp_path / "small", "--json")
    assert done.code == 0, done.err
    answer = json.loads(done.out)
    assert answer["manifest"]["formats"]["onnx"]["int8"]["layers"]
    assert answer["manifest"]["formats"]["onnx"]["opset"] >= 13
    done = lt_verify(tmp_path / "small", "--resume", tiny, "--config", place / "loose.yaml")
    assert done.code == 0, done.err


def test_the_same_call_goes_on_from_what_was_measured(made, place, tiny):
    folder, answer = made
    before = files(folder)
    done = lt_quantize(*words(place, tiny), "-o", folder, "--json")
    assert done.code == 0, done.err
    again = json.loads(done.out)
    assert again["search"]["known"] == again["search"]["settings"] == answer["search"]["settings"]
    assert answer["search"]["known"] == 0
    assert files(folder) == before


def test_another_seed_is_another_search(made, place, tiny, tmp_path):
    folder, _ = made
    workplace = folder.with_name("small.search")
    (tmp_path / "small.search").mkdir()
    (tmp_path / "small.search/measured.jsonl").write_bytes((workplace / "measured.jsonl").read_bytes())
    done = lt_quantize(*words(place, tiny), "--seed", 3, "-o", tmp_path / "small", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["search"]["known"] == 0


def test_a_refusal_names_what_hurts_and_leaves_an_earlier_export(made, place, tiny, tmp_path):
    (tmp_path / "out").mkdir()
    for name, data in files(made[0]).items():
        (tmp_path / "out" / name).write_bytes(data)
    report = tmp_path / "page.html"
    done = lt_quantize(*words(place, tiny, "strict.yaml"), "-o", tmp_path / "out", "--json", "--report", report)
    assert done.code == 1
    assert "no int8 ncnn model of LightTrackM_Subnet tracks as the network does" in done.error_line
    answer = json.loads(done.out)
    assert answer["verdict"] == "refused"
    assert answer["hurting"]
    assert all(each["layers"] and each["mean_rises_by"] > 0 for each in answer["hurting"])
    assert answer["error"]["exit_code"] == 1
    assert files(tmp_path / "out") == files(made[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.search", "page.html"]
    assert "Refused" in report.read_text()


def test_a_search_that_is_killed_five_times_comes_to_the_same(made, place, tiny, tmp_path):
    journal = tmp_path / "small.search/measured.jsonl"
    settings = made[1]["search"]["settings"]
    call = command(*words(place, tiny), "-o", tmp_path / "small", "-q", module=QUANTIZE)
    for number in range(5):
        process = subprocess.Popen(call, env=environment(), stderr=subprocess.PIPE)
        wanted = 2 + number * max(0, settings - 2) // 5
        while process.poll() is None and (not journal.is_file() or journal.read_bytes().count(b"\n") < wanted):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert {path.name for path in tmp_path.iterdir()} <= {"small.search", "small"}
        if (tmp_path / "small").exists():
            break  # it was faster than its end
    done = lt_quantize(*words(place, tiny), "-o", tmp_path / "small", "--json")
    assert done.code == 0, done.err
    assert files(tmp_path / "small") == files(made[0])
    assert json.loads(done.out)["search"]["known"] > 0


def test_a_strangers_figures_loosen_no_verdict(made, place, tiny, tmp_path):
    """What the journal says is only where to look: whatever is published was judged whole."""
    (tmp_path / "out.search").mkdir()
    done = lt_quantize(*words(place, tiny, "strict.yaml"), "-o", tmp_path / "out")
    assert done.code == 1
    path = tmp_path / "out.search/measured.jsonl"
    first, *lines = path.read_text().splitlines()
    perfect = [json.dumps({**json.loads(line), "means": [1.0, 1.0], "smallests": [1.0, 1.0]}) for line in lines]
    path.write_text("\n".join([first, *perfect, ""]))
    done = lt_quantize(*words(place, tiny, "strict.yaml"), "-o", tmp_path / "out")
    assert done.code == 1, done.err
    assert not (tmp_path / "out").exists()


def test_a_clip_that_the_network_does_not_survive_is_left_out(place, tiny, tmp_path):
    """Black and white in turns: every frame is a cut."""
    (tmp_path / "cuts").mkdir()
    for index in range(6):
        Image.fromarray(np.full((90, 120, 3), 255 * (index % 2), np.uint8)).save(tmp_path / "cuts" / f"{index}.png")
    extra = ("--clip", tmp_path / "cuts", "--box", BOX)
    done = lt_quantize(*words(place, tiny), *extra, "-o", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert "cuts is left out: the network itself has lost the target in 5 of 5 frames" in " ".join(done.err.split())
    answer = json.loads(done.out)
    assert [each["clip"] for each in answer["dropped"]] == ["cuts"]
    assert len(answer["clips"]) == 2
    lone = (tiny, "--path-name", TINY, "--config", place / "loose.yaml", "--clip", place / "one.avi", "--box", BOX)
    done = lt_quantize(*lone, *extra, *FAST, "-o", tmp_path / "none")
    assert done.code == 2
    assert "1 clip of 2 can be used, expected 2 or more" in done.error_line
    assert not (tmp_path / "none").exists()
    assert not (tmp_path / "none.search").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "0 of --clip: expected 2 or more, for each is judged with models that were calibrated on the others"),
        (("--clip", "one.avi", "--box", BOX), "1 of --clip: expected 2 or more"),
        (("--clip", "one.avi", "--clip", "two.avi", "--box", BOX), "2 of --clip and 1 of --box: expected a --box"),
        (("--clip", "one.avi", "--clip", "no.avi", "--box", BOX, "--box", BOX), "no.avi: no such file or folder"),
        (("--clip", "one.avi", "--clip", "short", "--box", BOX, "--box", BOX), "one frame in it, expected two or more"),
        (("--clip", "one.avi", "--clip", "two.avi", "--box", BOX, "--box", "900,2,3,4"), "900"),
        (("--format", "onxn"), "--format onxn: expected one of ncnn, onnx, rknn; did you mean 'onnx'?"),
        ((*BOTH, "--format", "rknn"), "--format rknn: pass --target CHIP, one of rk2118, "),
        ((*BOTH, "--format", "rknn", "--target", "rv1106"), "--target rv1106: its NPU computes in int8 only"),
        (("--clip", "one.avi", "--clip", "two.avi", "--target", "rk3588"), "--target is about RKNN models"),
        (("--clip", "one.avi", "--clip", "two.avi", "--normalise", "inside"), "--normalise is about RKNN models; add"),
        ((*BOTH, "--format", "rknn", "--normalise", "both"), "--normalise both: expected inside or outside"),
        (("--samples", 0), "--samples 0: expected 1 to 1000"),
        (("--frames", 0), "--frames 0: expected 1 to 10000"),
        (("--plot", "front.pdf"), "--plot front.pdf: expected .png or .svg"),
        (("--report", "front.pdf"), "--report front.pdf: expected .html or .md"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_wrong_usage(place, tiny, tmp_path, more, message):
    (tmp_path / "one.avi").write_bytes((place / "one.avi").read_bytes())
    (tmp_path / "two.avi").write_bytes((place / "two.avi").read_bytes())
    (tmp_path / "short").mkdir()
    Image.new("RGB", (120, 90)).save(tmp_path / "short/0.png")
    before = sorted(tmp_path.iterdir())
    done = lt_quantize(tiny, "--path-name", TINY, *more, "-o", tmp_path / "out", cwd=tmp_path)
    assert (done.code, message in done.error_line) == (2, True), done.err
    assert sorted(tmp_path.iterdir()) == before


def test_a_workplace_with_something_else_in_it_stays(place, tiny, tmp_path):
    (tmp_path / "out.search").mkdir()
    (tmp_path / "out.search/mine.txt").write_text("mine")
    done = lt_quantize(*words(place, tiny), "-o", tmp_path / "out")
    assert done.code == 2
    assert "holds 'mine.txt', which lt-quantize did not write" in done.error_line
    assert lt_quantize(*words(place, tiny)).error_line.endswith(
        "--output is missing, the folder to publish; pass -o DIR"
    )
