"""What runs inside the emulated Python, run in this one: it loads, refuses and counts as it says. No ARM here."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from converter.checks.device.guest import read_message, write_message
from converter.checks.device.modes import MODES
from converter.checks.device.process import SCRIPT

PARAM = """7767517
5 5
Input x 0 1 x
Input unused 0 1 unused
Log log 1 1 x log
UnaryOp negative 1 1 log negative 0=1
UnaryOp root 1 1 negative out 0=5
"""


class Guest:
    def __init__(self, options):
        words = [sys.executable, "-s", str(SCRIPT), str(os.getpid()), json.dumps(options)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, call, arrays=None, **header):
        write_message(self.process.stdin, {"call": call, **header}, arrays)
        return read_message(self.process.stdout)

    def end(self):
        self.process.stdin.close()
        return self.process.wait(10)


@pytest.fixture
def guest():
    started = []

    def start(**options):
        started.append(Guest({**MODES["fp32"].options, **options}))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
        one.process.stdout.close()


@pytest.fixture
def files(tmp_path):
    (tmp_path / "a.param").write_text(PARAM)
    (tmp_path / "a.bin").write_bytes(b"")
    return {"name": "a", "param": str(tmp_path / "a.param"), "weights": str(tmp_path / "a.bin")}


def test_it_says_what_it_is(guest):
    one = guest()
    hello, arrays = one.ask("hello")
    assert hello["machine"] == os.uname().machine
    assert hello["python"] == ".".join(map(str, sys.version_info[:3]))
    assert hello["numpy"] == np.__version__
    assert hello["half_arithmetic"] is False
    assert arrays == {}
    assert one.end() == 0


def test_models_are_loaded_run_and_counted(guest, files):
    one = guest()
    found, _ = one.ask("load", **files)
    assert sorted(found["inputs"]) == ["unused", "x"]
    assert "out" in found["outputs"]
    x = np.float32([1, np.e, 0, -1, 1e-3, 0]).reshape(1, 1, 6)
    _, answer = one.ask("infer", {"x": x}, name="a", blobs=["out", "log"])
    assert list(answer) == ["out", "log"]
    assert answer["log"].dtype == np.float32
    np.testing.assert_allclose(answer["log"].ravel()[[0, 1]], [0, 1], atol=1e-6)
    assert np.isnan(answer["log"].ravel()[3])
    assert answer["log"].ravel()[2] == -np.inf
    counts, _ = one.ask("count", {"x": x}, name="a", blobs=["log", "out"])
    size, nan, infinite, largest = counts["counts"]["log"]
    assert (size, nan, infinite) == (6, 1, 2)
    assert largest == pytest.approx(-np.log(1e-3))
    assert list(counts["counts"]) == ["log", "out"]


def test_a_refusal_is_an_answer_and_the_next_call_works(guest, files, tmp_path):
    one = guest()
    for call, header, words in (
        (
            "load",
            {**files, "param": str(tmp_path / "none.param")},
            "ncnn does not load none.param: load_param returned -1",
        ),
        ("quack", {}, "unknown call 'quack'"),
    ):
        answer, _ = one.ask(call, **header)
        assert answer["error"] == words
    one.ask("load", **files)
    for arrays, blobs, words in (
        ({"nothing": np.zeros((1, 1), np.float32)}, ["out"], "input of blob 'nothing' returned -1, expected 0"),
        ({"x": np.zeros((1, 1), np.float32)}, ["nothing"], "extract of blob 'nothing' returned -1, expected 0"),
    ):
        assert one.ask("infer", arrays, name="a", blobs=blobs)[0]["error"] == words
    assert "error" not in one.ask("hello")[0]


def test_an_option_that_this_ncnn_lacks_is_refused(guest, files):
    answer, _ = guest(use_fp4_storage=True).ask("load", **files)
    assert answer["error"] == "this ncnn has no option use_fp4_storage"
