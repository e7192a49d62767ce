"""Commands in processes of their own that have imported torch already: forks, for tests of what a signal does or of
what cannot be imported.

Forked before torch has computed anything, so that no thread of it is lost.
"""

import functools
import os
import pickle
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest

from commands import SUPPORT, Finished, environment
from converter.formats.forks import Fork, ForkServer, Server

TORCH = ("torch",)  # and with it numpy
IMPORTS = (
    *TORCH,
    "numpy",
    "ncnn",
    "onnx",
    "onnxruntime",
    "converter.exporting.pipeline",
    "converter.network.load",
    "converter.network.trace",
)


class Started:
    """A command under way; what tests use of :class:`subprocess.Popen`, with stderr as text."""

    def __init__(self, fork: Fork, stderr: int):
        self._fork, self.pid, self.stderr = fork, fork.pid, os.fdopen(stderr)

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):  # it came too late, as Popen passes over, too
            os.kill(self.pid, number)

    def wait(self, _seconds: float = 0) -> int:
        return self._fork.wait()

    def kill(self) -> None:
        self._fork.kill()


def start(module: str, arguments: Sequence[object], surroundings: Mapping[str, str]) -> Started:
    """Begin ``python -m module arguments``, in a session of its own."""
    stderr, theirs = os.pipe()
    with os.fdopen(theirs, "wb") as log:
        fork = _begun(IMPORTS, log, module, arguments, surroundings)
    return Started(fork, stderr)


def run_behind(folder: str, module: str, *arguments: object) -> Finished:
    """``python -m module arguments`` with a folder at the beginning of its search path, as PYTHONPATH has it there.

    Its ``sitecustomize`` is run and its packages go before those that are installed, but for what torch needs.
    """
    with tempfile.TemporaryFile() as log:
        fork = _begun(TORCH, log, module, arguments, environment(PYTHONPATH=folder))
        with fork.stdout:
            out = fork.stdout.read().decode()
        code = fork.wait()
        log.seek(0)
        return Finished(code, out, log.read().decode())


def _begun(imports, log, module, arguments, surroundings):
    fork = _server(imports).start(log)
    with fork.stdin:
        pickle.dump((module, [str(word) for word in arguments], dict(surroundings)), fork.stdin)
    return fork


@functools.cache
def _server(imports: tuple[str, ...]) -> ForkServer:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, (SUPPORT, SUPPORT.parent))))
        return ForkServer("warm", *imports)


def _work():
    module, arguments, surroundings = pickle.load(sys.stdin.buffer)
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(surroundings)
    folders = surroundings["PYTHONPATH"].split(os.pathsep)
    sys.path[:0] = folders
    if (Path(folders[0]) / "sitecustomize.py").exists():
        sys.modules.pop("sitecustomize", None)
        import_module("sitecustomize")
    # those of before the fork remember what kind of file they were opened on
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    sys.argv = [module, *arguments]
    import_module(module).main()


if __name__ == "__main__":
    for name in sys.argv[1:]:
        import_module(name)
    with socket.socket(fileno=os.dup(0)) as client:
        Server(client, _work).serve()
