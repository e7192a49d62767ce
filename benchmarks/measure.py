"""One command, run to its end: wall time, CPU time, and peak memory with everything that it starts."""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

INTERVAL = 0.05  # seconds between two looks at the memory, at least
# the pause after a look is this many times the CPU time of the look, so that looking costs 1/10 of a core at most
PAUSE = 10
# Pss splits a page between the processes that share it; a plain sum of Rss counts it once for each of them
MEMORY = "PSS" if psutil.LINUX else "RSS"
MEGABYTE = 1e6


@dataclass(frozen=True)
class Run:
    """A command that ended.

    Attributes:
        seconds: wall time from its start to its end.
        cpu_seconds: user and system time of it and of the descendants that were waited for.
        peak_bytes: largest sum of the resident memory (see MEMORY) of it and its live descendants, as sampled.
        samples: how many times memory was looked at.
        code: exit code, negative for a signal.
        output: stdout and stderr.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    samples: int
    code: int
    output: str


def measured(command: Sequence[str], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end, whatever its exit code."""
    done = threading.Event()
    with tempfile.TemporaryFile() as output, ThreadPoolExecutor(1) as pool:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        watched = psutil.Process(process.pid)
        sampling = pool.submit(_peak, watched, done, memory_of(watched))
        try:
            # wait4, as no other way tells the CPU time of this command alone
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            done.set()
        peak, samples = sampling.result()
        output.seek(0)
        return Run(
            seconds=seconds,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            peak_bytes=peak,
            samples=samples,
            code=process.returncode,
            output=output.read().decode(errors="replace"),
        )


def _peak(process: psutil.Process, done: threading.Event, first: int) -> tuple[int, int]:
    """Largest memory of a process and its descendants, in bytes, and the number of samples, until ``done``.

    Args:
        first: what was seen when the process began; even the shortest has some.
    """
    peak, samples = first, 1
    while not done.is_set():
        start = time.thread_time()
        peak = max(peak, memory_with_descendants(process))
        samples += 1
        done.wait(max(INTERVAL, PAUSE * (time.thread_time() - start)))
    return peak, samples


def memory_of(process: psutil.Process) -> int:
    """Bytes of resident memory (see MEMORY) of one process; 0 when it has ended."""
    try:
        return process.memory_full_info().pss if MEMORY == "PSS" else process.memory_info().rss
    except psutil.Error:
        return 0


def memory_with_descendants(process: psutil.Process) -> int:
    """The same of a process and of its live descendants, summed."""
    try:
        started = process.children(recursive=True)
    except psutil.Error:
        started = []
    return sum(memory_of(each) for each in (process, *started))
