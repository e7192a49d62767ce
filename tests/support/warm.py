"""Commands in processes of their own that have imported torch already: forks, for tests of what a signal does.

Forked before torch has computed anything, so that no thread of it is lost.
"""

import functools
import os
import pickle
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import pytest

from converter.formats.forks import Fork, ForkServer, Server

IMPORTS = (
    "torch",
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
        os.kill(self.pid, number)

    def wait(self, _seconds: float = 0) -> int:
        return self._fork.wait()

    def kill(self) -> None:
        self._fork.kill()


def start(module: str, arguments: Sequence[object], environment: Mapping[str, str]) -> Started:
    """Begin ``python -m module arguments``, in a session of its own."""
    stderr, theirs = os.pipe()
    with os.fdopen(theirs, "wb") as log:
        fork = _server().start(log)
    with fork.stdin:
        pickle.dump((module, [str(word) for word in arguments], dict(environment)), fork.stdin)
    return Started(fork, stderr)


@functools.cache
def _server() -> ForkServer:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        return ForkServer("warm")


def _work():
    module, arguments, environment = pickle.load(sys.stdin.buffer)
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    # those of before the fork remember what kind of file they were opened on
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    sys.argv = [module, *arguments]
    import_module(module).main()


if __name__ == "__main__":
    for name in IMPORTS:
        import_module(name)
    with socket.socket(fileno=os.dup(0)) as client:
        Server(client, _work).serve()
