"""lt-verify on an export folder: checksums, the proof again, and models that somebody has changed."""

import json
import re
import shutil

import pytest

from commands import lt_verify
from conftest import TINY, save_seeded

pytestmark = pytest.mark.quick


@pytest.fixture
def export(tiny_both, tmp_path):
    return shutil.copytree(tiny_both, tmp_path / "export")


def test_an_export_is_verified_as_it_was_when_it_was_made(tiny_both, tiny):
    done = lt_verify(tiny_both, "--resume", tiny, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    manifest = json.loads((tiny_both / "manifest.json").read_text())
    assert result["verdict"] == "passed"
    assert result["problems"] == []
    assert result["files"] == {"status": "passed", "problems": []}
    assert result["verification"]["status"] == "passed"
    assert result["verification"]["checks"] == manifest["verification"]["checks"]
    assert "error" not in result
    assert {"torch", "ncnn", "onnxruntime"} <= result["tools"].keys()


def test_the_summary_says_verified(tiny_both, tiny):
    done = lt_verify(tiny_both, "--resume", tiny, "--format", "onnx")
    assert done.code == 0, done.err
    assert "verified LightTrackM_Subnet" in done.out
    assert "onnx neck_head chained" in done.out
    assert "ncnn" not in done.out.replace("onnxruntime", "")


def test_every_model_file_is_checked(export, tiny):
    (export / "lighttrack_init.onnx").unlink()
    (export / "lighttrack_extra.bin").write_bytes(b"1234")
    (export / "notes.txt").write_text("not a model")
    weights = bytearray((export / "lighttrack_update.bin").read_bytes())
    weights[-8] ^= 1
    (export / "lighttrack_update.bin").write_bytes(weights)
    done = lt_verify(export, "--resume", tiny, "--json")
    assert done.code == 1
    result = json.loads(done.out)
    assert {problem["file"]: problem["problem"] for problem in result["files"]["problems"]} == {
        "lighttrack_init.onnx": "is missing",
        "lighttrack_update.bin": "has changed since the export",
        "lighttrack_extra.bin": "is no part of the export",
    }
    assert result["verdict"] == "failed"
    assert result["error"]["exit_code"] == 1
    for name in ("lighttrack_init.onnx", "lighttrack_update.bin", "lighttrack_extra.bin"):
        assert name in done.error_line


def change(export, old, new):
    path = export / "lighttrack_update.param"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("0=2 1=1 2=16.0", "0=2 1=1 2=8.0", "reg is off by"),
        ("0=2 1=1 2=0.1", "0=2 1=1 2=0.2", "cls is off by"),
        ("7767517", "7767518", "does not load lighttrack_update.param"),
        ("Swish ", "Nothing ", "does not load lighttrack_update.param"),
    ],
)
def test_a_changed_model_fails_the_proof_too(export, tiny, old, new, words):
    change(export, old, new)
    done = lt_verify(export, "--resume", tiny, "--format", "ncnn")
    assert done.code == 1
    assert "lighttrack_update.param has changed since the export" in done.error_line
    assert words in done.error_line
    assert "NOT VERIFIED" in done.out


def test_a_manifest_that_was_adapted_to_a_changed_model_does_not_help(export, tiny):
    import hashlib

    change(export, "0=2 1=1 2=16.0", "0=2 1=1 2=16.1")
    path = export / "lighttrack_update.param"
    manifest = json.loads((export / "manifest.json").read_text())
    for graph in manifest["graphs"]:
        for file in graph["files"]:
            if file["name"] == path.name:
                file["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (export / "manifest.json").write_text(json.dumps(manifest))
    done = lt_verify(export, "--resume", tiny, "--format", "ncnn")
    assert done.code == 1
    assert "changed" not in done.error_line
    assert "reg is off by" in done.error_line


def test_another_checkpoint_is_not_the_one_that_was_exported(tiny_both, tmp_path):
    import torch

    other = save_seeded(tmp_path / "other.pth", TINY)
    data = torch.load(other, weights_only=True)
    data["state_dict"]["head.cls_perd.cls_pred.weight"] *= 1.01
    torch.save(data, other)
    reports = tmp_path / "report.md", tmp_path / "report.html"
    done = lt_verify(tiny_both, "--resume", other, "--format", "ncnn", *(f"--report={path}" for path in reports))
    assert done.code == 1
    said = "other.pth is not the file that was exported (tiny.pth): its sha256 begins with"
    assert all(said in text for text in (" ".join(done.err.split()), *(path.read_text() for path in reports)))
    assert "cls is off by" in done.error_line


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "nothing to verify: pass an export folder, or --init and --update"),
        (["nowhere"], 2, "export nowhere: no such folder, expected a folder that lt-export wrote"),
        (["EXPORT"], 2, "nothing to compare with: pass --resume CHECKPOINT"),
        (["EXPORT", "--resume", "nowhere.pth"], 3, "checkpoint nowhere.pth: no such file"),
        (["EXPORT", "--search-size", "320"], 2, "--search-size 320: the export's manifest says 127/288"),
        (["EXPORT", "--init", "a.param"], 2, "--init beside an export folder"),
        (["EXPORT", "--rename", "a=b"], 2, "--rename is for models without a manifest"),
        (["--init", "EXPORT/lighttrack_init.param", "--format", "ncnn"], 2, "--format is for an export folder"),
        (["EXPORT", "--format", "tflite"], 2, "--format tflite: expected one of ncnn, onnx, rknn"),
        (["EXPORT", "--atol", "inf"], 2, "--atol inf: expected a finite number"),
        (["EXPORT", "-v", "-q"], 2, "--verbose and --quiet contradict each other"),
        (["EXPORT", "--frobnicate"], 2, "No such option"),
        (["EXPORT", "--arch", "Nope"], 2, "--arch Nope: the export's manifest says LightTrackM_Subnet"),
    ],
)
def test_wrong_usage_is_one_line(tiny_both, tmp_path, arguments, code, words):
    done = lt_verify(*[word.replace("EXPORT", str(tiny_both)) for word in arguments], cwd=tmp_path)
    assert done.code == code, done.err
    assert words in done.error_line
    assert done.out == ""


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("{", 1, "manifest.json is damaged"),
        ('{"name": "web app"}', 2, "manifest.json is none of lt-export's"),
    ],
)
def test_a_manifest_that_cannot_be_used(export, tiny, text, code, words):
    (export / "manifest.json").write_text(text)
    done = lt_verify(export, "--resume", tiny)
    assert done.code == code
    assert words in done.error_line


def test_a_folder_without_a_manifest_and_a_file(export, tiny):
    (export / "manifest.json").unlink()
    assert "for models without one pass --init and --update" in lt_verify(export, "--resume", tiny).error_line
    assert "is a file, expected a folder" in lt_verify(tiny, "--resume", tiny).error_line


def test_a_manifest_with_other_shapes_than_the_network(export, tiny):
    path = export / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["graphs"][0]["outputs"][0]["shape"][1] = 41
    path.write_text(json.dumps(manifest))
    done = lt_verify(export, "--resume", tiny)
    assert done.code == 1
    assert "manifest.json: ncnn init has zf as zf (1, 41, 16, 16), expected (1, 40, 16, 16)" in done.error_line


def test_errors_are_json_where_json_was_asked_for(tiny_both, tmp_path):
    done = lt_verify(tiny_both, "--resume", "nowhere.pth", "--json", cwd=tmp_path)
    assert json.loads(done.out)["error"]["exit_code"] == 3


@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_verdict_and_no_figure_is_lost_at_any_width(exported, seeded, width):
    done = lt_verify(exported[0], "--resume", seeded, COLUMNS=str(width))
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("Verdict"))
    rows = lines[first : first + 6]
    assert all(row.startswith("ok ") for row in rows[1:])
    assert all(len(row) <= width for row in rows)
    assert all(re.search(r" \d\.\de[-+]\d\d  +\d\.\de[-+]\d\d ", row) for row in rows[1:])
    assert "…" not in done.out
