"""The life of this process: since when it runs, how it starts others, and how it ends without delay."""

import contextlib
import gc
import logging
import os
import shutil
import sys
import time
from pathlib import Path

import converter

# where a process works that is given no path in the working folder, so that it takes nothing there for its own
AWAY = os.sep


def age() -> float:
    """Seconds since the process was started, the interpreter's own start included.

    Linux tells it, to 0.01 s; elsewhere it is the CPU time so far, which is what a start mostly consists of.
    """
    try:
        with open("/proc/self/stat", "rb") as stat:
            # pid (name) state ...; the 22nd field, in ticks since the system was started
            ticks = int(stat.read().rpartition(b")")[2].split()[19])
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, AttributeError, ValueError, IndexError):
        return time.process_time()


def open_standard_streams() -> None:
    """What the shell has closed (``2>&-``) is open and goes nowhere.

    Otherwise the next file that is opened would get its number, and ncnn, pnnx and Python itself would print into that.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free


def keep_garbage() -> None:
    """No garbage collection from now on: in a short run it looks at torch's million objects and frees none of them."""
    gc.disable()


def send_nothing() -> None:
    """No telemetry from onnxruntime, unless somebody has asked for it; to be called before it is imported.

    Since 1.29 it tells its maker the names and hashes of models, and leaves files in the temporary folder and at home.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def python_module(module: str, *words: str) -> list[str]:
    """The command that runs a module in a Python of its own, without the working folder on its path (``-P``).

    What is downloaded brings ``numpy.py`` as easily as a model, and the working folder may be a downloaded export.
    """
    return python_program("-m", module, *words)


def python_program(*words: str) -> list[str]:
    """The same for a file, or for anything else that Python itself is told."""
    return [sys.executable, "-P", *words]


def program(name: str) -> str | None:
    """A program on the PATH, in a folder that does not depend on the working folder; None where there is none."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return shutil.which(name, path=os.pathsep.join(folder for folder in folders if os.path.isabs(folder)))


def python_environment() -> dict[str, str]:
    """The environment for :func:`python_module`: our packages can be imported, nothing relative to a folder can."""
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    own = str(Path(converter.__file__).absolute().parent.parent)
    folders = [own, *(folder for folder in paths if os.path.isabs(folder))]
    said = {"PYTHONIOENCODING": "utf-8"}  # what it prints is read here
    return {**os.environ, **said, "PYTHONPATH": os.pathsep.join(folders)}


def leave(code: int) -> None:
    """End the process at once, with everything that was printed.

    An orderly end would take torch apart piece by piece, which takes 0.5 s and helps nobody. It is left to Python
    where somebody is watching (a debugger, a profiler), or where what was printed cannot be written.

    Raises:
        SystemExit: with the code, for an orderly end.
    """
    if sys.gettrace() or sys.getprofile():
        sys.exit(code)
    try:
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):  # whoever read it has read enough
                    stream.flush()
    except (OSError, ValueError):
        sys.exit(code)
    os._exit(code)
