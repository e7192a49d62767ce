"""lt-matrix on a scheduler of Dask with workers as processes of their own, any of which may be killed."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from commands import MATRIX, command, environment, lt_matrix
from conftest import TINY, hide

pytest.importorskip("distributed")
SIZES = ("127/256", "127/272", "127/288")


@pytest.fixture
def cluster(tmp_path):
    """(address, start of the scheduler, start of a worker); what was started ends with the test."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    address = f"127.0.0.1:{port}"
    with contextlib.ExitStack() as running:

        def started(*words, **extra):
            process = subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=tmp_path,
                env=environment(**extra),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            running.callback(process.wait)
            running.callback(process.kill)
            return process

        def scheduler():
            words = ("--host", "127.0.0.1", "--port", port, "--no-dashboard")
            return started("distributed.cli.dask_scheduler", *map(str, words))

        def worker(**extra):
            words = (f"tcp://{address}", "--no-nanny", "--nthreads", "1", "--no-dashboard", "--memory-limit", "0")
            return started("distributed.cli.dask_worker", *words, **extra)

        yield address, scheduler, worker


@pytest.fixture
def plan(tiny, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(json.dumps({"checkpoints": [str(tiny)], "path_names": [TINY], "sizes": list(SIZES)}))
    return path


def begun(plan, folder, address):
    words = command(plan, "-o", folder, "--executor", f"dask://{address}", "--json", module=MATRIX)
    return subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def after_first_result(process, folder):
    results, end = folder / "results.jsonl", time.monotonic() + 400
    while not (results.exists() and results.read_text().count("\n") >= 2):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.2)


def all_verified(process, folder):
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    table = json.loads(out)
    assert [cell["outcome"] for cell in table["cells"]] == ["verified"] * 3
    keys = [json.loads(line)["cell"] for line in (folder / "results.jsonl").read_text().splitlines()[1:]]
    assert len(set(keys)) == len(keys) == 3
    for cell in table["cells"]:
        manifest = json.loads((folder / cell["manifest"]).read_text())
        assert manifest["checkpoint"]["file"] == cell["checkpoint"]
        for graph in manifest["graphs"]:
            for file in graph["files"]:
                assert (folder / "models" / cell["cell"] / file["name"]).stat().st_size == file["bytes"]


def test_a_worker_that_is_killed_loses_no_cell(cluster, plan, tmp_path):
    address, scheduler, worker = cluster
    scheduler()
    first, _ = worker(), worker()
    process = begun(plan, tmp_path / "out", address)
    after_first_result(process, tmp_path / "out")
    os.kill(first.pid, signal.SIGKILL)
    all_verified(process, tmp_path / "out")


def test_a_scheduler_that_is_killed_and_started_again_loses_no_cell(cluster, plan, tmp_path):
    address, scheduler, worker = cluster
    one = scheduler()
    worker()
    process = begun(plan, tmp_path / "out", address)
    after_first_result(process, tmp_path / "out")
    os.kill(one.pid, signal.SIGKILL)
    one.wait()
    scheduler()
    worker()
    all_verified(process, tmp_path / "out")


def test_a_node_without_pnnx_and_a_file_that_it_does_not_see(cluster, plan, tmp_path):
    address, scheduler, worker = cluster
    scheduler()
    (tmp_path / "hidden").mkdir()
    worker(PYTHONPATH=hide(tmp_path / "hidden", "pnnx"))
    done = lt_matrix(plan, "-o", tmp_path / "out", "--executor", f"dask://{address}", "--json")
    assert done.code == 4
    cells = json.loads(done.out)["cells"]
    assert [(cell["outcome"], cell["exit_code"]) for cell in cells] == [("unfinished", 5)] * 3
    assert "pnnx" in cells[0]["message"]


@pytest.mark.parametrize(
    ("executor", "code", "line"),
    [
        ("slurm://head:1", 2, "--executor slurm://head:1: expected dask://host:port"),
        ("dask://127.0.0.1:1", 4, "no scheduler answers"),
    ],
)
def test_an_address_where_no_scheduler_is(plan, tmp_path, monkeypatch, executor, code, line):
    monkeypatch.setattr("converter.matrix.engine.CONNECT_SECONDS", 2.0)
    done = lt_matrix(plan, "-o", tmp_path / "out", "--executor", executor)
    assert done.code == code
    assert line in done.error_line
