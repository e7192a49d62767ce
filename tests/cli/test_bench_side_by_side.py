"""lt-bench of several exports of one network; no test looks at how long something takes."""

import json
import os
import pickle
import shutil

import numpy as np
import pytest

from commands import lt_bench
from conftest import TINY, export_into
from converter.bench.timed import timed_graphs
from converter.folder.manifest import read_manifest
from converter.folder.subject import subject_of
from converter.formats.format import format_of
from converter.spec.config import network_for
from converter.spec.options import VerifyOptions

SHORT = ("--threads", 1, "--rounds", 2, "--runs", 1)
QDQ = "session.disable_quant_qdq"


@pytest.fixture(scope="module")
def half(tiny, once):
    """An export of the smallest network with half weights."""
    return once("halved", lambda folder: export_into(folder, tiny, "--path-name", TINY, "--half"))


@pytest.fixture(scope="module")
def larger(tiny, once):
    """One for another search size."""
    words = (tiny, "--path-name", TINY, "--search-size", 256)
    return once("tiny256", lambda folder: export_into(folder, *words))


def files_of(folder, *suffixes):
    return sum(path.stat().st_size for path in folder.iterdir() if path.suffix in suffixes)


def test_float_and_half_stand_side_by_side(tiny_both, half, tiny, tmp_path):
    page, text = tmp_path / "page.html", tmp_path / "page.md"
    words = (*SHORT, "--resume", tiny, "--json", "--report", page, "--report", text)
    done = lt_bench(tiny_both, half, *words)
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert [(each["name"], each["weights"]) for each in result["exports"]] == [("both", "fp32"), ("halved", "half")]
    updates = [each for each in result["results"] if each["part"] == "update"]
    assert [(each["candidate"], each["weights"]) for each in updates] == [
        ("torch fp32, 1 thread", None),
        ("ncnn fp32, 1 thread (both)", "fp32"),
        ("ncnn fp32, 1 thread (halved)", "half"),
        ("ncnn half, 1 thread (both)", "fp32"),
        ("ncnn half, 1 thread (halved)", "half"),
        ("onnxruntime fp32, 1 thread (both)", "fp32"),
    ]
    sizes = {(each["folder"], each["format"]): each["bytes"] for each in updates}
    assert sizes == {
        (None, None): None,
        (str(tiny_both), "ncnn"): files_of(tiny_both, ".param", ".bin"),
        (str(tiny_both), "onnx"): files_of(tiny_both, ".onnx"),
        (str(half), "ncnn"): files_of(half, ".param", ".bin"),
    }
    assert result["folder"] == str(tiny_both)
    assert "half weights are widened when a model is loaded: they save bytes on the disk" in " ".join(result["notes"])
    for written in (page.read_text(), text.read_text()):
        assert "halved" in written
        assert "lt-bench" in written


def test_the_table_says_how_weights_are_stored(tiny_export, half):
    done = lt_bench(tiny_export, half, *SHORT, "--precision", "fp32")
    assert done.code == 0, done.err
    rows = [line.split()[:5] for line in done.out.splitlines() if " ncnn " in line[:30]]
    assert rows == [["tiny", "ncnn", "fp32", "fp32", "1"], ["halved", "ncnn", "half", "fp32", "1"]]


def test_an_export_that_is_given_twice_is_measured_once(tiny_export, tmp_path):
    (link := tmp_path / "link").symlink_to(tiny_export)
    done = lt_bench(tiny_export, f"{tiny_export}/.", link, *SHORT, "--precision", "fp32", "--json")
    assert done.code == 0, done.err
    assert {each["candidate"] for each in json.loads(done.out)["results"]} == {"ncnn fp32, 1 thread"}
    assert json.loads(done.out)["folder"] == str(tiny_export)


def test_exports_of_two_networks_are_refused_before_anything_is_measured(tiny_export, larger):
    done = lt_bench(tiny_export, larger, *SHORT)
    assert (done.code, done.out) == (2, "")
    assert f"export {larger}: template and search size 127/256, expected 127/288 as in {tiny_export}" in done.error_line
    assert done.err == done.error_line + "\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "export nowhere: no such folder"),
        (
            ("{both}", "{half}", "--format", "onnx"),
            "--format onnx: export {half} has ncnn only; leave one of the two out",
        ),
        (("{both}", "--report", "a.pdf"), "--report a.pdf: expected .html or .md"),
        (("{both}", "{half}", "{tiny}"), "{tiny} is a file, and lt-bench measures folders that lt-export wrote"),
        ((), "Missing argument 'EXPORT'; lt-bench measures folders that lt-export wrote"),
    ],
)
def test_what_cannot_stand_beside_an_export_is_refused(tiny_both, half, tiny, words, said):
    places = {"both": tiny_both, "half": half, "tiny": tiny}
    done = lt_bench(*(word.format(**places) for word in words))
    assert (done.code, done.out) == (2, "")
    assert said.format(**places) in done.error_line


def test_a_changed_file_of_any_export_ends_with_1(tiny_export, half, tmp_path):
    copied = shutil.copytree(half, tmp_path / "copied")
    path = copied / "lighttrack_update.bin"
    path.write_bytes(path.read_bytes()[:-4] + bytes(4))
    done = lt_bench(tiny_export, copied, *SHORT, "--precision", "fp32", "--json")
    assert done.code == 1, done.err
    assert f"{copied}: lighttrack_update.bin has changed since the export: what was measured" in done.error_line
    [problem] = json.loads(done.out)["files"]["problems"]
    assert problem["folder"] == str(copied)


def test_what_a_manifest_sets_of_onnxruntime_is_measured_beside_its_defaults(tiny_both, tmp_path):
    copied = shutil.copytree(tiny_both, tmp_path / "copied")
    manifest = json.loads((copied / "manifest.json").read_text())
    written = tmp_path / "profile"
    manifest["formats"]["onnx"]["session_options"] = {QDQ: "1", "session.profile_output_dir": str(written)}
    (copied / "manifest.json").write_text(json.dumps(manifest))
    words = (*SHORT, "--precision", "fp32", "--format", "onnx")
    result = json.loads(lt_bench(copied, *words, "--json").out)
    measured = {each["candidate"]: each["session_options"] for each in result["results"]}
    assert measured == {
        "onnxruntime fp32, 1 thread": {},
        f"onnxruntime fp32, 1 thread, {QDQ}=1": {QDQ: "1"},
    }
    assert not written.exists()
    done = lt_bench(copied, *words)
    assert any(line.startswith("onnxruntime* ") for line in done.out.splitlines())
    assert f"* with {QDQ}=1, as the manifest of the export says; without the mark by default" in done.out


def test_every_candidate_runs_the_models_of_its_own_export(tiny_export, half, monkeypatch):
    """What their pipes are given."""
    calls, dump = [], pickle.dump
    monkeypatch.setattr(pickle, "dump", lambda call, *more: (calls.append(call), dump(call, *more))[1])
    done = lt_bench(tiny_export, half, *SHORT, "--precision", "fp32", "--json")
    assert done.code == 0, done.err
    assert [arguments[0] for name, arguments in calls if name == "load_graphs"] == [tiny_export, half]


def test_a_candidate_with_settings_has_them_in_its_process(tiny_both):
    subject = subject_in(tiny_both)
    crops = [(np.zeros(tensor.shape, np.float32),) for tensor in subject.tracker.images]
    for settings in ({}, {QDQ: "1"}):
        model = timed_graphs(tiny_both, subject.tracker.models, 1, False, settings, *crops)
        for timed in model.runners.values():
            options = timed.runner.session.get_session_options()
            assert entry_of(options) == settings.get(QDQ)


def entry_of(options):
    try:
        return options.get_session_config_entry(QDQ)
    except RuntimeError:  # there is none
        return None


def subject_in(folder):
    """Of its ONNX models."""
    manifest = read_manifest(folder)
    arch, network = network_for(manifest.arch, None, manifest.config())
    return subject_of(VerifyOptions(arch=arch, network=network, checkpoint=None, folder=folder, formats=("onnx",)))


def test_settings_reach_the_session(tiny_both):
    for model in subject_in(tiny_both).tracker.models:
        runner = format_of("onnx").configured(model.paths(tiny_both), model.graph, 2, {QDQ: "1"})
        options = runner.session.get_session_options()
        assert (entry_of(options), options.intra_op_num_threads) == ("1", 2)


def test_relative_and_nested_names_tell_exports_apart(tiny_export, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(tiny_export, tmp_path / name / "tiny")
    words = (*SHORT, "--precision", "fp32", "--json")
    done = lt_bench(os.path.join("one", "tiny"), os.path.join("two", "tiny"), *words, cwd=tmp_path)
    assert done.code == 0, done.err
    assert {each["candidate"] for each in json.loads(done.out)["results"]} == {
        "ncnn fp32, 1 thread (one/tiny)",
        "ncnn fp32, 1 thread (two/tiny)",
    }
