"""A runtime that crashes, hangs or talks does so in its own process."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from commands import ROOT
from converter.errors import ConversionError, DependencyError
from converter.formats.isolated import IsolatedRunner
from converter.spec.tensors import GraphSpec, TensorSpec

TENSOR = TensorSpec(name="z", meaning="z", about="", shape=(1, 2))
GRAPH = GraphSpec(name="init", family="lighttrack", mode="template", inputs=(TENSOR,), outputs=(TENSOR,))
FEED = {"z": np.ones((1, 2), np.float32)}

WORKER = """
import os, signal, sys, time
from dataclasses import replace
from converter.formats import ncnn
from converter.errors import ConversionError

class Runner:
    def infer(self, feed):
        what = open({path!r}).read()
        if what == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if what == "exit":
            print("last words", file=sys.stderr, flush=True)
            os._exit(3)
        if what == "hang":
            time.sleep(60)
        if what == "refuse":
            raise ConversionError("not this feed")
        print("noise on stdout", flush=True)
        os.write(1, b"more noise")
        return {{"z": feed["z"] * 2}}

    def blobs(self, feed, names):
        return {{name: feed["z"] for name in names}}

ncnn.FORMAT = replace(ncnn.FORMAT, load=lambda files, graph: Runner())
"""


@pytest.fixture
def say(tmp_path, monkeypatch):
    """Tells the runner in the other process what to do."""
    path = tmp_path / "what"
    (tmp_path / "sitecustomize.py").write_text(WORKER.format(path=str(path)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return path.write_text


@pytest.fixture
def runner(say):
    runner = IsolatedRunner("ncnn", (Path("model.param"),), GRAPH, timeout=5.0)
    yield runner
    runner.stop()


def test_answers_come_back_whatever_the_runtime_prints(runner, say):
    say("answer")
    for _ in range(2):
        assert runner.infer(FEED)["z"].tolist() == [[2.0, 2.0]]
    assert list(runner.blobs(FEED, ["a", "b"])) == ["a", "b"]


def test_an_error_of_the_runtime_is_an_error_here(runner, say):
    say("refuse")
    with pytest.raises(ConversionError, match=r"^not this feed$"):
        runner.infer(FEED)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("crash", r"running the model, the runtime crashed with SIGSEGV"),
        ("exit", r"running the model, the runtime ended with code 3; it said: last words"),
        ("hang", r"running the model took longer than 1 s and was ended"),
    ],
)
def test_a_process_that_dies_is_an_error_and_is_replaced(runner, say, what, words):
    say("answer")
    runner.load()
    runner.timeout = 1.0 if what == "hang" else 5.0
    say(what)
    with pytest.raises(ConversionError, match=rf"ncnn init \(model\.param\): {words}"):
        runner.infer(FEED)
    say("answer")
    runner.timeout = 5.0
    assert runner.infer(FEED)["z"].tolist() == [[2.0, 2.0]]


def test_no_process_is_left(runner, say):
    say("answer")
    runner.infer(FEED)
    number = runner._child.process.pid
    assert alive(number)
    runner.stop()
    assert not alive(number)
    runner.stop()


def alive(number):
    """Whether there is such a process; one that has ended and waits to be buried is none."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(condition):
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_a_worker_does_not_outlive_its_client(say, tmp_path):
    say("answer")
    code = (
        "from test_isolated import *\n"
        "runner = IsolatedRunner('ncnn', (Path('model.param'),), GRAPH)\n"
        "runner.load()\n"
        "print(runner._child.process._server.process.pid, runner._child.process.pid, flush=True)\n"
        "import time; time.sleep(60)\n"
    )
    path = os.pathsep.join([str(Path(__file__).parent), str(tmp_path), str(ROOT), str(ROOT / "tests/support")])
    client = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True
    )
    numbers = [int(number) for number in client.stdout.readline().split()]
    assert len(numbers) == 2
    assert all(map(alive, numbers))
    client.kill()
    client.communicate()
    assert until(lambda: not any(map(alive, numbers)))


def test_a_server_that_was_killed_is_replaced(runner, say):
    say("answer")
    runner.load()
    server = runner._child.process._server.process
    server.kill()
    server.wait()
    assert runner.infer(FEED)["z"].tolist() == [[2.0, 2.0]]  # the worker goes on without it
    runner.stop()
    assert runner.infer(FEED)["z"].tolist() == [[2.0, 2.0]]
    assert runner._child.process._server.process is not server


def test_a_worker_that_crashes_without_its_server(runner, say):
    say("answer")
    runner.load()
    server = runner._child.process._server.process
    server.kill()
    server.wait()
    say("crash")
    with pytest.raises(ConversionError, match=r"the runtime ended, and so has the process that could say how$"):
        runner.infer(FEED)


def test_a_crash_while_the_runtime_is_imported_has_its_signal(tmp_path, monkeypatch):
    (tmp_path / "ncnn.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    runner = IsolatedRunner("ncnn", (tmp_path / "a.param",), GRAPH)
    for _ in range(2):
        with pytest.raises(DependencyError, match=r"cannot be imported here \(the import ended .* signal SIGSEGV\)"):
            runner.load()


def test_files_that_do_not_load_are_refused_by_the_runtime_itself(tmp_path, monkeypatch):
    param = tmp_path / "a.param"
    param.write_text("not a model\n")
    (tmp_path / "a.bin").write_bytes(b"")
    runner = IsolatedRunner("ncnn", (param, tmp_path / "a.bin"), GRAPH)
    for _ in range(2):
        with pytest.raises(ConversionError, match=r"ncnn does not load a\.param"):
            runner.load()
    assert runner._child is None
