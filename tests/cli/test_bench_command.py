"""lt-bench on real models; no test looks at how long something takes."""

import json
import shutil
import subprocess
import sys

import pytest
from default_inputs import noise_feed

import warm
from commands import BENCH, command, environment, lt_bench
from conftest import hide
from converter.formats.ncnn.runner import NcnnRunner
from converter.formats.onnx.runner import OnnxRunner
from converter.spec.config import network_for

SHORT = ("--threads", 1, "--rounds", 2, "--runs", 2)


@pytest.fixture
def copied(tiny_both, tmp_path):
    return shutil.copytree(tiny_both, tmp_path / "copied")


def by_candidate(result):
    return {(entry["candidate"], entry["part"]): entry for entry in result["results"]}


def test_torch_ncnn_and_onnxruntime_are_measured_in_one_run(tiny_both, tiny, tmp_path):
    picture = tmp_path / "a.svg"
    done = lt_bench(tiny_both, "--resume", tiny, *SHORT, "--json", "--plot", picture)
    assert done.code == 0, done.err
    result = json.loads(done.out)
    entries = by_candidate(result)
    assert set(entries) == {
        (f"{name}, 1 thread", part)
        for name in ("torch fp32", "ncnn fp32", "ncnn half", "onnxruntime fp32")
        for part in ("init", "update")
    }
    for entry in entries.values():
        assert 0 < entry["min_ms"] <= entry["p10_ms"] <= entry["median_ms"] <= entry["p90_ms"]
        assert entry["runs"] == 4
        assert len(entry["rounds_ms"]) == 2
        # a part is at least as long as the graphs in it
        assert sum(graph["min_ms"] for graph in entry["per_graph"]) <= entry["p90_ms"]
    assert entries["onnxruntime fp32, 1 thread", "update"]["graphs"] == ["backbone", "neck_head"]
    assert entries["ncnn half, 1 thread", "update"]["graphs"] == ["update"]
    assert entries["ncnn fp32, 1 thread", "init"]["graphs"] == ["init"]
    assert result["files"] == {"status": "passed", "problems": []}
    assert {"python", "torch", "ncnn", "onnxruntime"} <= result["versions"].keys()
    assert [entry["candidate"] for entry in result["left_out"]] == ["onnxruntime half, 1 thread"]
    assert b"<svg" in picture.read_bytes()


def test_without_a_checkpoint_torch_is_left_out(tiny_both):
    done = lt_bench(tiny_both, "--threads", 1, "--threads", 2, "--rounds", 1, "--runs", 1, "--per-graph", "-v")
    assert done.code == 0, done.err
    assert "torch is left out: pass --resume CHECKPOINT" in done.out
    rows = [line.split() for line in done.out.splitlines()]
    assert {tuple(row[:4]) for row in rows if row and row[0] in ("torch", "ncnn", "onnxruntime")} >= {
        (name, weights, precision, threads)
        for name, weights, precision in (
            *(("ncnn", "fp32", "fp32"), ("ncnn", "fp32", "half")),
            *(("onnxruntime", "fp32", "fp32"), ("onnxruntime", "–", "half")),
        )
        for threads in "12"
    }
    assert any("neck_head" in row for row in rows)


def test_format_and_precision_choose(tiny_both):
    done = lt_bench(tiny_both, *SHORT, "--format", "ncnn", "--precision", "half", "--json")
    assert done.code == 0, done.err
    assert set(by_candidate(json.loads(done.out))) == {("ncnn half, 1 thread", part) for part in ("init", "update")}


def test_what_is_asked_for_reaches_the_processes(tiny_both, monkeypatch):
    """What their pipes are given, and what shuffles the turns."""
    import pickle
    import random

    import numpy as np

    calls, seeds, dump = [], [], pickle.dump

    class Noted(random.Random):
        def __init__(self, seed=None):
            seeds.append(seed)
            super().__init__(seed)

    monkeypatch.setattr(pickle, "dump", lambda call, *more: (calls.append(call), dump(call, *more))[1])
    monkeypatch.setattr(random, "Random", Noted)
    words = ("--threads", 2, "--threads", 2, "--precision", "half", "--rounds", 2, "--runs", 1, "--seed", 71)
    done = lt_bench(tiny_both, *words, "--format", "ncnn", "--json")
    assert done.code == 0, done.err
    opened = [arguments for name, arguments in calls if name == "load_graphs"]
    assert [({model.format for model in models}, *more) for _, models, *more, _, _ in opened] == [
        ({"ncnn"}, 2, True, {})
    ]
    for _, models, _, _, _, (z,), (x,) in opened:
        images = [tensor for model in models for tensor in model.graph.inputs if tensor.meaning in ("z", "x")]
        noise = noise_feed(71, images, network_for(None)[1].preprocess).tensors
        np.testing.assert_array_equal(z, noise["z"])
        np.testing.assert_array_equal(x, noise["x"])
    shares = [arguments[1] for name, arguments in calls if name == "turn"]
    assert 0 < shares[0] <= 120
    assert [arguments for name, arguments in calls if name == "turn"] == [
        (1, seconds) for seconds in (shares[0], float("inf"))
    ]
    assert 71 in seeds
    settings = json.loads(done.out)["settings"]
    assert (settings["threads"], settings["precisions"]) == ([2], ["half"])
    assert (settings["rounds"], settings["runs"], settings["seed"], settings["torch"]) == (2, 1, 71, False)


def test_time_that_is_up_ends_the_rounds(tiny_both):
    done = lt_bench(
        *(tiny_both, "--threads", 1, "--rounds", 50, "--runs", 1, "--seconds", "0.001", "--json"),
        *("--format", "ncnn", "--precision", "fp32"),
    )
    assert done.code == 0, done.err
    settings = json.loads(done.out)["settings"]
    assert (settings["rounds"], settings["rounds_asked"], settings["seconds"]) == (1, 50, 0.001)


def test_who_is_not_loaded_when_half_the_time_is_over_is_left_out(tiny_both):
    done = lt_bench(tiny_both, "--threads", 1, "--threads", 2, "--rounds", 2, "--seconds", "0.001", "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert {entry["candidate"] for entry in result["results"]} == {"ncnn fp32, 1 thread"}
    assert len(result["late"]) == 5
    assert result["notes"][0].startswith("0.001 s were too short to load ncnn fp32, 2 threads, ")


def test_threads_and_half_reach_the_runtimes(tiny_both):
    from converter.folder.manifest import read_manifest
    from converter.folder.subject import subject_of
    from converter.spec.config import network_for
    from converter.spec.options import VerifyOptions

    manifest = read_manifest(tiny_both)
    arch, network = network_for(manifest.arch, None, manifest.config())
    options = VerifyOptions(arch=arch, network=network, checkpoint=None, folder=tiny_both)
    models = {str(model): model for model in subject_of(options).tracker.models}
    ncnn, onnx = models["ncnn init"], models["onnx init"]
    for threads, half in ((1, False), (2, True)):
        option = NcnnRunner(*ncnn.paths(tiny_both), ncnn.graph, threads=threads, half=half).net.opt
        assert option.num_threads == threads
        assert {option.use_fp16_packed, option.use_fp16_storage, option.use_fp16_arithmetic} == {half}
        session = OnnxRunner(*onnx.paths(tiny_both), onnx.graph, threads=threads).session
        assert session.get_session_options().intra_op_num_threads == threads


def test_a_changed_model_is_measured_and_ends_with_1(copied):
    path = copied / "lighttrack_update.bin"
    path.write_bytes(path.read_bytes()[:-4] + bytes(4))
    done = lt_bench(copied, *SHORT, "--format", "ncnn", "--json")
    assert done.code == 1, done.err
    line = (
        "lighttrack_update.bin has changed since the export: what was measured is not what was verified; export again"
    )
    assert done.err.splitlines()[-1] == f"lt-bench: error: {line}"
    assert json.loads(done.out)["error"]["message"] == line
    assert json.loads(done.out)["results"]
    files = json.loads(done.out)["files"]
    assert files["status"] == "failed"
    [problem] = files["problems"]
    assert (problem["file"], problem["problem"]) == ("lighttrack_update.bin", "has changed since the export")


def test_another_checkpoint_than_the_exported_one_is_measured_with_a_warning(tiny_both, tiny, tmp_path):
    import torch

    other = tmp_path / "other.pth"
    torch.save({**torch.load(tiny), "epoch": 99}, other)
    done = lt_bench(tiny_both, "--resume", other, *SHORT, "--precision", "fp32", "--format", "ncnn", "--json")
    assert done.code == 0, done.err
    assert "is not the file that was exported" in " ".join(done.err.split())


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--resume", "nowhere.pth"], 3, "checkpoint nowhere.pth: no such file"),
        (["--resume", "{export}/manifest.json"], 3, "is part of an export, expected the file that training wrote"),
        (["--threads", 0], 2, "--threads 0: expected 1 to"),
        (["--precision", "int8"], 2, "--precision int8: expected one of fp32, half"),
        (["--format", "onnx", "--precision", "half"], 2, "only ncnn has a half mode"),
        (["--format", "tflite"], 2, "--format tflite: expected one of"),
        (["--rounds", 0], 2, "--rounds 0: expected 1 or more"),
        (["--seconds", "nan"], 2, "--seconds nan: expected a finite number"),
        (["--plot", "a.jpg"], 2, "--plot a.jpg: expected .png or .svg"),
        (["--fast"], 2, "--fast"),
    ],
)
def test_what_cannot_be_measured_is_refused(tiny_both, arguments, code, words):
    done = lt_bench(tiny_both, *(str(each).format(export=tiny_both) for each in arguments))
    assert (done.code, done.out) == (code, "")
    assert words in done.error_line


def test_a_folder_that_is_no_export_is_refused(tmp_path):
    done = lt_bench(tmp_path)
    assert done.code == 2
    assert "manifest.json" in done.error_line


def test_a_missing_model_is_refused(copied):
    (copied / "lighttrack_neck_head.onnx").unlink()
    done = lt_bench(copied, *SHORT)
    assert done.code == 2
    assert "lighttrack_neck_head.onnx is missing" in done.error_line


def test_a_model_that_does_not_load_is_an_error(copied):
    (copied / "lighttrack_neck_head.onnx").write_bytes(b"nothing")
    done = lt_bench(copied, *SHORT, "--format", "onnx", "--json")
    assert done.code == 4
    assert "onnxruntime does not load lighttrack_neck_head.onnx" in done.error_line
    assert json.loads(done.out)["error"]["exit_code"] == 4


@pytest.mark.parametrize(
    ("package", "arguments", "words"),
    [
        ("onnxruntime", [], "onnxruntime, not installed"),
        ("matplotlib", ["--plot", "a.png"], "matplotlib, not installed"),
    ],
)
def test_a_missing_package_is_named_before_anything_is_measured(tiny_both, tmp_path, package, arguments, words):
    done = warm.run_behind(hide(tmp_path, package), BENCH, tiny_both, *SHORT, *arguments)
    assert done.code == 5
    assert words in done.error_line
    assert "load  " not in done.err


def test_no_process_is_left_behind_by_an_interruption(tiny_both):
    process = subprocess.Popen(
        command(tiny_both, "--threads", 1, "--rounds", 100000, "--seconds", 300, module="converter.cli.bench"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if line.startswith("load"):
            break
    workers = subprocess.run(
        [sys.executable, "-c", CHILDREN, str(process.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(workers) == 3
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + 15
    assert "interrupted by SIGTERM" in said
    assert "Traceback" not in said
    alive = subprocess.run([sys.executable, "-c", ALIVE, *workers], capture_output=True, text=True, check=True)
    assert alive.stdout.split() == []


CHILDREN = """
import pathlib, sys
for stat in pathlib.Path('/proc').glob('[0-9]*/stat'):
    try:
        if stat.read_text().rpartition(')')[2].split()[1] == sys.argv[1]:
            print(stat.parent.name)
    except OSError:
        pass
"""
ALIVE = "import os, sys; print(*[pid for pid in sys.argv[1:] if os.path.exists(f'/proc/{pid}')])"
