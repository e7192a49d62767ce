"""What lt-verify does beside the proof, through the command line: each option once, together and with bad input."""

import csv
import html
import json
import re
import shlex
import shutil
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from default_inputs import CASES, INPUTS

from commands import lt_export, lt_verify
from conftest import TINY

BOX = "30,20,16,12"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Six pictures of a bright rectangle that moves."""
    import cv2

    folder = tmp_path_factory.mktemp("clip") / "frames"
    folder.mkdir()
    for index in range(6):
        frame = np.random.default_rng(index).integers(60, 90, (90, 120, 3), np.uint8)
        frame[20 + index : 32 + index, 30 + index : 46 + index] = 250
        assert cv2.imwrite(str(folder / f"{index}.png"), frame)
    return folder


@pytest.fixture(scope="module")
def golden_export(tiny, tmp_path_factory):
    """An export with golden vectors in it; not to be changed."""
    folder = tmp_path_factory.mktemp("golden") / "export"
    done = lt_export("--resume", tiny, "--path-name", TINY, "-o", folder, "--golden", folder / "golden", "-q")
    assert done.code == 0, done.err
    return folder


def result_of(done):
    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return json.loads(done.out, parse_constant=refuse)


def test_everything_at_once_on_a_good_export(tiny_both, tiny, clip, tmp_path):
    words = (
        *(tiny_both, "--resume", tiny, "--layers", "--clip", clip, "--box", BOX),
        *("--annotate", tmp_path / "drawn", "--tracks", tmp_path / "tracks.csv"),
        *("--report", tmp_path / "page.html", "--report", tmp_path / "page.md", "--json"),
    )
    done = lt_verify(*words)
    assert done.code == 0, done.err
    result = result_of(done)
    assert result["verdict"] == "passed"
    assert len(result["layers"]) == 5
    assert all(walk["passed"] and walk["matched"] == walk["total"] > 20 for walk in result["layers"])
    assert result["clip"]["passed"]
    assert {name for frame in result["clip"]["frames"] for name in frame["candidates"]} == {"ncnn", "onnx"}
    figures = {"iou": 0.9999, "score": 1e-4, "other_cells": 0.0}
    assert result["clip"]["limits"] == figures | {"smallest": 0.0, "below_floor": None}
    for candidate in result["clip"]["candidates"]:
        steps = candidate["one_step"]
        assert steps["judged"]["iou_mean"] > 0.9999
        assert steps["judged"]["other_cells"] == 0
        assert steps["held"]["frames"] + steps["lost"]["frames"] == 5
    assert result["clip"]["floor"]["seeds"] == 3
    assert 0 < result["clip"]["floor"]["iou_mean"] < 1
    assert result["verification"]["feeds"] == [*INPUTS, "frames frames 0 and 1"]
    assert len(list((tmp_path / "drawn").glob("*.png"))) == 6
    rows = list(csv.DictReader((tmp_path / "tracks.csv").open()))
    values = ("x", "y", "w", "h", "score")
    assert list(rows[0]) == [
        "frame",
        *(f"reference_{value}" for value in values),
        *(f"{format}_{value}" for format in ("ncnn", "onnx") for value in (*values, "iou", "one_step_iou")),
        "lost",
    ]
    assert [row["frame"] for row in rows] == [str(index) for index in range(6)]
    assert [float(rows[0][f"{name}_{side}"]) for name in ("reference", "ncnn", "onnx") for side in "xywh"] == [
        *(30, 20, 16, 12) * 3,
    ]
    assert len({row["ncnn_x"] for row in rows}) > 1
    page = (tmp_path / "page.html").read_text()
    assert "Verified" in page
    assert "data:image/jpeg" in page
    assert "://" not in page.replace("http://www.w3.org/2000/svg", "")
    drawing = page[page.index("<svg") : page.index("</svg>") + len("</svg>")]
    ElementTree.fromstring(drawing)
    text = (tmp_path / "page.md").read_text()
    assert "| " in text
    call = shlex.join(map(str, ("lt-verify", *words)))
    assert call in html.unescape(re.sub(r"<[^>]+>", "", page)).replace("\u2060", "")
    assert text.endswith(f"UTC by\n\n```text\n{call}\n```\n")
    assert len(re.findall(r"<title id=\"l\d+g-w-t\">", page)) == len(result["layers"])
    assert text.count("a sign per layer") == len(result["layers"])


def test_half_precision_is_reported_and_a_sum_that_could_overflow_fails(tiny_both, tiny, loud, tmp_path):
    done = lt_verify(tiny_both, "--resume", tiny, "--fp16-report", "--json")
    assert done.code == 0, done.err
    assert result_of(done)["fp16"]["passed"]
    words = ("--resume", loud, "--path-name", TINY, "--search-size", 128, "-q", "-o", tmp_path / "loud")
    assert lt_export(*words).code == 0
    done = lt_verify(tmp_path / "loud", "--resume", loud, "--fp16-report", "--json")
    assert done.code == 1
    assert result_of(done)["verification"]["status"] == "passed"
    assert result_of(done)["fp16"]["protect"] == {"update": ["convrelu_0", "conv_37"]}
    assert "sums in half can pass 65504 inside 2 layers" in done.error_line


@pytest.mark.parametrize("format", ["ncnn", "onnx"])
def test_a_damaged_layer_is_named(tiny_both, tiny, tmp_path, format):
    export = shutil.copytree(tiny_both, tmp_path / "export")
    if format == "ncnn":
        path = export / "lighttrack_update.param"
        line = [line for line in path.read_text().splitlines() if line.startswith("Swish")][2]
        name = line.split()[1]
        path.write_text(path.read_text().replace(line, line.replace("Swish", "Noop ")))
    else:
        import onnx

        path = export / "lighttrack_neck_head.onnx"
        model = onnx.load(path)
        node = next(node for node in model.graph.node if node.op_type == "Relu")
        node.op_type, name = "Identity", node.name
        onnx.save(model, path)
    done = lt_verify(export, "--resume", tiny, "--format", format, "--layers", "--json")
    assert done.code == 1
    bad = [walk["first_bad"] for walk in result_of(done)["layers"] if walk["first_bad"]]
    assert [found["layer"] for found in bad] == [name]
    assert f"first wrong layer is {name} " in done.error_line


def test_without_a_checkpoint_the_golden_vectors_decide(golden_export):
    done = lt_verify(golden_export, "--json")
    assert done.code == 0, done.err
    assert "golden vectors in" in result_of(done)["reference"]


def test_without_a_checkpoint_a_damaged_model_fails(golden_export, tmp_path):
    export = shutil.copytree(golden_export, tmp_path / "export")
    path = export / "lighttrack_update.param"
    path.write_text(path.read_text().replace("0=2 1=1 2=16.0", "0=2 1=1 2=8.0"))
    done = lt_verify(export)
    assert done.code == 1
    assert "reg is off by" in done.error_line


def test_golden_vectors_of_another_checkpoint_are_refused(golden_export, tmp_path):
    export = shutil.copytree(golden_export, tmp_path / "export")
    path = export / "golden" / "index.json"
    path.write_text(path.read_text().replace(json.loads(path.read_text())["checkpoint"]["sha256"], "0" * 64))
    done = lt_verify(export)
    assert done.code == 1
    assert "another sha256" in done.error_line


@pytest.mark.parametrize("name", ["zf.bin", "zf.nhwc.npy"])
def test_a_changed_golden_vector_is_named(golden_export, tmp_path, name):
    export = shutil.copytree(golden_export, tmp_path / "export")
    path = export / "golden" / "noise_smooth" / "init" / name
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\0")
    done = lt_verify(export)
    assert done.code == 1
    assert f"noise_smooth/init/{name} was changed" in done.error_line


@pytest.mark.parametrize("bare", [True, False])
def test_golden_vectors_are_written_later_too(tiny_export, tiny, tmp_path, bare):
    export = shutil.copytree(tiny_export, tmp_path / "export")
    target = [] if bare else ["--golden", tmp_path / "vectors"]
    done = lt_verify(export, "--resume", tiny, "--write-golden", *target, "-q")
    assert done.code == 0, done.err
    folder = export / "golden" if bare else tmp_path / "vectors"
    index = json.loads((folder / "index.json").read_text())
    assert [case["name"] for case in index["cases"]] == list(CASES)
    where = [] if bare else ["--golden", folder]
    done = lt_verify(export, *where, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["reference"].startswith(f"golden vectors in {folder}: ")
    assert result["verification"]["feeds"] == list(INPUTS)
    again = lt_export("--resume", tiny, "--path-name", TINY, "-o", export, "-q")
    assert again.code == 0, again.err
    assert sorted(path.name for path in export.iterdir()) == sorted(path.name for path in tiny_export.iterdir())
    assert folder.is_dir() is not bare


def test_golden_vectors_beside_an_export_are_found_by_its_manifest(tiny, tmp_path):
    done = lt_export("--resume", tiny, "--path-name", TINY, "-o", "out", "--golden", "vectors", "-q", cwd=tmp_path)
    assert done.code == 0, done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "vectors"]
    assert lt_verify(tmp_path / "out", "-q").code == 0


def test_a_failed_export_leaves_older_golden_vectors_alone(tiny, tmp_path):
    arguments = ("--resume", tiny, "--path-name", TINY, "-o", "out", "--golden", "vectors", "-q")
    assert lt_export(*arguments, cwd=tmp_path).code == 0
    before = (tmp_path / "vectors" / "index.json").read_bytes()
    done = lt_export(*arguments, "--rtol", "1e-12", cwd=tmp_path)
    assert done.code == 1
    assert "nothing was published" in done.error_line
    assert (tmp_path / "vectors" / "index.json").read_bytes() == before


@pytest.mark.parametrize(
    ("golden", "words"),
    [
        ("out", "is the export folder itself"),
        ("out/deep/down", "lies deep in the export"),
        ("precious", "holds 'notes.txt', which no export wrote"),
    ],
)
def test_a_place_for_golden_vectors_that_cannot_be(tiny, tmp_path, golden, words):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "notes.txt").write_text("precious")
    done = lt_export("--resume", tiny, "--path-name", TINY, "-o", "out", "--golden", golden, cwd=tmp_path)
    assert done.code == 2
    assert words in done.error_line
    assert not (tmp_path / "out").exists()


def test_a_dump_is_compared_and_its_mistake_named(golden_export, tmp_path):
    reg = np.load(golden_export / "golden" / "noise_fine" / "update" / "reg.npy")
    (reg / 16).astype("<f4").transpose(0, 2, 3, 1).tofile(tmp_path / "reg.bin")
    done = lt_verify(golden_export, "--dumps", tmp_path, "--json")
    assert done.code == 1
    result = result_of(done)
    assert result["verification"]["status"] == "passed"
    assert "stride_missing" in done.error_line
    reg.tofile(tmp_path / "reg.bin")
    assert lt_verify(golden_export, "--dumps", tmp_path, "-q").code == 0


def test_half_precision_of_onnx_models_is_wrong_usage(tiny_both, tiny):
    done = lt_verify(tiny_both, "--resume", tiny, "--format", "onnx", "--fp16-report")
    assert done.code == 2
    assert "there is no ncnn model here" in done.error_line


def test_a_limit_that_no_model_keeps_fails_the_clip(tiny_export, tiny, clip):
    """The largest that can be asked for: rounding alone is beyond it."""
    done = lt_verify(tiny_export, "--resume", tiny, "--clip", clip, "--box", BOX, "--min-iou", "1", "--json")
    assert done.code == 1
    result = result_of(done)
    assert result["verification"]["status"] == "passed"
    assert not result["clip"]["passed"]
    assert result["clip"]["min_iou"] == 1
    assert "ncnn: mean overlap 0.9" in done.error_line
    assert "in one step over" in done.error_line


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--layers"], 2, "--layers walks through the network: pass --resume"),
        (["--clip", "CLIP", "--box", BOX], 2, "pass --resume CHECKPOINT"),
        (["-r", "TINY", "--clip", "CLIP"], 2, "pass --box x,y,w,h"),
        (["-r", "TINY", "--box", BOX], 2, "--box is about a clip: pass --clip too"),
        (["-r", "TINY", "--clip", "nowhere.avi", "--box", BOX], 2, "--clip nowhere.avi: no such file"),
        (["-r", "TINY", "--clip", "CLIP", "--box", "1,2,3"], 2, "--box 1,2,3"),
        (["-r", "TINY", "--clip", "CLIP", "--box", "500,500,10,10"], 2, "--box"),
        (["-r", "TINY", "--dumps", "."], 2, "--dumps wants the golden vectors"),
        (["-r", "TINY", "--dumps", ".", "--golden", "."], 2, "golden vectors .: no index.json in it"),
        (["-r", "TINY", "--report", "out.pdf"], 2, "expected .html or .md"),
        (["-r", "TINY", "--report", "nowhere/out.html"], 2, "--report nowhere/out.html"),
        (["-r", "TINY", "--min-iou", "2"], 2, "--min-iou"),
        (["--write-golden"], 2, "--write-golden wants the network's answers"),
    ],
)
def test_wrong_usage_is_one_line(tiny_export, tiny, clip, tmp_path, arguments, code, words):
    names = {"CLIP": clip, "TINY": tiny}
    done = lt_verify(tiny_export, *[names.get(word, word) for word in arguments], cwd=tmp_path)
    assert done.code == code, done.err
    assert words in done.error_line
    assert done.out == ""
    assert list(tmp_path.iterdir()) == []
