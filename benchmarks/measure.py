"""One command, run to its end: wall time, CPU time, and peak memory with everything that it starts.

Linux only: memory is read from /proc.
"""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
INTERVAL = 0.05  # seconds between two looks at the memory, at least
# the pause after a look is this many times the CPU time of the look, so that looking costs 1/10 of a core at most
PAUSE = 10
# Pss splits a page between the processes that share it; a plain sum of Rss counts it once for each of them
MEMORY = "PSS" if (PROC / "self" / "smaps_rollup").exists() else "RSS"
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
        sampling = pool.submit(_peak, process.pid, done, memory_of(process.pid))
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


def _peak(pid, done, first):
    """Largest memory of a process and its descendants, in bytes, and the number of samples, until ``done``.

    Args:
        first: what was seen when the process began; even the shortest has some.
    """
    peak, samples = first, 1
    while not done.is_set():
        start = time.thread_time()
        peak = max(peak, sum(memory_of(each) for each in (pid, *descendants(pid))))
        samples += 1
        done.wait(max(INTERVAL, PAUSE * (time.thread_time() - start)))
    return peak, samples


def descendants(pid: int) -> list[int]:
    """Children of a process, their children, and so on; without those whose parent has ended."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir(PROC):
        if entry.name.isdigit():
            try:
                stat = (PROC / entry.name / "stat").read_text(errors="replace")
            except OSError:  # it has just ended
                continue
            # pid (name) state parent ...; a name may hold blanks and brackets
            parent = int(stat.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    found, pending = [], [pid]
    while pending:
        own = children.get(pending.pop(), [])
        found += own
        pending += own
    return found


def memory_of(pid: int) -> int:
    """Bytes of resident memory (see MEMORY) of one process; 0 when it has ended."""
    folder = PROC / str(pid)
    try:
        if MEMORY == "RSS":
            return int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        lines = (folder / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
