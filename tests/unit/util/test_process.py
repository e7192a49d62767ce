"""How old the process is, and its quick end; in processes of their own."""

import os
import subprocess
import sys
import time

import pytest

from converter.util import process


def run(code, **options):
    return subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, timeout=60, **options)


def test_age_counts_from_the_start_of_the_process():
    code = "import time; time.sleep(0.3); from converter.util import process; print(process.age())"
    start = time.perf_counter()
    age = float(run(code, stdout=subprocess.PIPE).stdout)
    assert 0.3 < age < time.perf_counter() - start + 0.02  # the system counts in hundredths


def test_age_is_the_cpu_time_where_the_system_does_not_tell(monkeypatch):
    monkeypatch.delattr(os, "sysconf")
    before = time.process_time()
    assert before <= process.age() <= time.process_time()


@pytest.mark.parametrize("code", [0, 3])
def test_leaving_prints_all_and_ends_with_the_code_at_once(code):
    done = run(
        "import atexit, logging, sys; from converter.util import process\n"
        "atexit.register(print, 'orderly')\n"
        "print('out', end=''); print('err', end='', file=sys.stderr)\n"
        f"process.leave({code})",
        stdout=subprocess.PIPE,
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "out", "err")


def test_output_that_cannot_be_written_is_not_a_success():
    with open("/dev/full", "w") as full:
        done = run("from converter.util import process; print('out'); process.leave(0)", stdout=full)
    assert done.returncode != 0
    assert "No space left" in done.stderr


def test_a_profiler_sees_the_end():
    done = run(
        "import atexit, sys; from converter.util import process\n"
        "atexit.register(print, 'orderly')\n"
        "sys.setprofile(lambda *_: None)\n"
        "process.leave(3)",
        stdout=subprocess.PIPE,
    )
    assert (done.returncode, done.stdout) == (3, "orderly\n")
