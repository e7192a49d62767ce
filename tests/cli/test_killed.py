"""A run that is ended at any moment: the target is the old export or the new one, and nothing is left over."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

import warm
from commands import EXPORT, command, environment, lt_export
from conftest import TINY, contents

BEFORE_TORCH = ("start", "check", "import")
STAGES = ("network", "trace", "reference", "convert", "verify")
BOTH = ("--format", "ncnn", "--format", "onnx")


@pytest.fixture
def started(tiny, tiny_export, tmp_path, request):
    """An export of other sizes over an earlier one, under way, with a temporary folder of its own.

    A parameter is (more of the command line, whether the process starts with a Python of its own).
    """
    more, fresh = getattr(request, "param", ((), False))
    target, work = tmp_path / "exports/out", tmp_path / "work"
    shutil.copytree(tiny_export, target)
    work.mkdir()
    words = ("--resume", tiny, "--path-name", TINY, "-o", target, "--search-size", 256, *more)
    surroundings = environment(TMPDIR=str(work))
    if fresh:
        process = subprocess.Popen(
            command(*words),
            env=surroundings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    else:
        process = warm.start(EXPORT, words, surroundings)
    yield process, target, work
    process.kill()
    process.wait()


def children(pid):
    listed = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()[1:]]
    return {child for child, parent in pairs if parent == pid}


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def settles(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("started", "stage"),
    [
        *(((("-v",), True), stage) for stage in BEFORE_TORCH),
        *(((("-v",), False), stage) for stage in STAGES),
        ((BOTH, False), "trace"),
        ((BOTH, False), "reference"),
    ],
    indirect=["started"],
)
def test_killed_behind_a_stage(started, tiny_export, number, stage):
    process, target, work = started
    before = contents(tiny_export)
    for line in process.stderr:
        if line.startswith(stage):
            break
    offspring = children(process.pid)
    process.send_signal(number)
    code = process.wait(30)
    published = code == 0 or contents(target) != before
    assert settles(lambda: not list(work.iterdir()))
    assert settles(lambda: [path.name for path in target.parent.iterdir()] == ["out"])
    assert settles(lambda: not any(alive(pid) for pid in offspring))
    if published:  # it came too late: the new export is there, whole
        assert stage in ("convert", "verify")
        assert sorted(contents(target)) == sorted(before)
    else:
        assert code == (-number if number == signal.SIGKILL else 128 + number)


def test_killing_the_whole_process_group_leaves_nothing_either(started, tiny_export):
    process, target, work = started
    for line in process.stderr:
        if line.startswith("trace"):
            break
    offspring = children(process.pid)
    assert len(offspring) == 4  # the two shells and two pnnx
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)
    assert settles(lambda: not list(work.iterdir()))
    assert settles(lambda: not any(alive(pid) for pid in offspring))
    assert contents(target) == contents(tiny_export)


def test_exports_at_once_into_one_folder(tiny, tiny_export, tmp_path):
    target, work = tmp_path / "exports/out", tmp_path / "work"
    work.mkdir()
    words = ("--resume", tiny, "--path-name", TINY, "-o", target, "-q")
    processes = [warm.start(EXPORT, words, environment(TMPDIR=str(work))) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert [path.name for path in target.parent.iterdir()] == ["out"]
    assert contents(target) == contents(tiny_export)
    assert not list(work.iterdir())


def test_an_interrupted_run_says_that_nothing_was_published(started):
    process, _, _ = started
    for line in process.stderr:
        if line.startswith("network"):
            break
    process.send_signal(signal.SIGTERM)
    rest = process.stderr.read()
    assert process.wait(30) == 143
    assert rest.splitlines()[-1] == "lt-export: interrupted by SIGTERM; nothing was published"


DROPPED = """
import os, signal, sys
from converter.cli import export, progress

class Dropping:
    def __del__(self):  # an exception in it goes nowhere, as in the callbacks of extension modules
        os.kill(os.getpid(), signal.SIGTERM)

begin = progress.StageLines.begin
progress.StageLines.begin = lambda lines, name: (name == "trace" and Dropping(), begin(lines, name))
export.main()
"""


def test_an_interruption_that_an_extension_drops_shows_no_traceback(tiny, tmp_path):
    words = ("--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out")
    done = subprocess.run(
        [sys.executable, "-c", DROPPED, *map(str, words)], env=environment(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 143
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr
    assert done.stderr.splitlines()[-1] == "lt-export: interrupted by SIGTERM; nothing was published"
    assert not (tmp_path / "out").exists()


def test_help_is_quick_to_read_and_imports_no_torch():
    done = lt_export("--help")
    assert done.code == 0
    for option in ("--arch", "--resume", "--official", "--path-name", "--output", "--no-verify", "--json"):
        assert option in done.out
    assert "127 for LightTrack" in " ".join(done.out.split())
