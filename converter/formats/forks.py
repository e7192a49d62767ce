"""Workers as forks of a process that has imported what they need: they start in milliseconds, not in half a second.

Client and server share a socket. A request is a letter and a number: ``f`` with four file descriptors (stdin, stdout,
stderr, status) forks a worker, ``k`` kills the worker with that number. Down the status pipe come the worker's number
and, when it has ended, its exit code. When the client ends, the socket does, and with it every worker.
"""

import contextlib
import functools
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from typing import IO, NoReturn

from converter.formats import worker
from converter.formats.format import format_of
from converter.util.child import GRACE
from converter.util.packages import ends_its_process
from converter.util.process import python_environment, python_module, send_nothing

REQUEST, STATUS = struct.Struct("=cI"), struct.Struct("=i")


class Fork:
    """A worker; what is used of :class:`subprocess.Popen`, with the same meaning."""

    def __init__(self, server: "ForkServer", stdin: int, stdout: int, status: int):
        self.stdin, self.stdout = os.fdopen(stdin, "wb"), os.fdopen(stdout, "rb")
        self._server, self._status = server, os.fdopen(status, "rb")
        self.pid = self._read()
        self._code: int | None = None

    def kill(self) -> None:
        if not self._status.closed and self.pid is not None and not self._server.send(b"k", self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int | None:
        """Its exit code, negative for a signal; None where nobody knows, for the server has ended."""
        if not self._status.closed:
            self._code = self._read()
            self._status.close()
        return self._code

    def _read(self) -> int | None:
        data = self._status.read(STATUS.size)
        return int(*STATUS.unpack(data)) if len(data) == STATUS.size else None


class ForkServer:
    """The process that workers are forked from.

    Args:
        module, words: its command line; it runs a :class:`Server` with the other end of its stdin.
    """

    def __init__(self, module: str, *words: str):
        self._socket, theirs = socket.socketpair()
        self._one_request = threading.Lock()
        with theirs:
            self.process = subprocess.Popen(
                python_module(module, *words),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=python_environment(),
                process_group=0,  # a terminal's Ctrl-C is for its client, which ends it and says why
            )

    def start(self, log: IO[bytes]) -> Fork:
        """A new worker.

        Args:
            log: its stderr.
        """
        (stdin, to_worker), (from_worker, stdout), (status, to_status) = os.pipe(), os.pipe(), os.pipe()
        theirs = (stdin, stdout, log.fileno(), to_status)
        self.send(b"f", 0, theirs)
        for descriptor in (stdin, stdout, to_status):
            os.close(descriptor)
        return Fork(self, to_worker, from_worker, status)

    def stop(self) -> None:
        """End it, and with it every worker, which it ends when its client does."""
        self._socket.close()
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def send(self, letter: bytes, number: int, descriptors: tuple[int, ...] = ()) -> bool:
        """A request; false where the server has died."""
        with self._one_request:
            try:
                return bool(socket.send_fds(self._socket, [REQUEST.pack(letter, number)], descriptors))
            except OSError:
                return False


@functools.cache
def _server(format: str, search_path: str) -> ForkServer:
    return ForkServer("converter.formats.forks", format)


def start_fork(format: str, log: IO[bytes]) -> Fork:
    """A worker for models of a format; :func:`converter.formats.worker.main` in a process of its own.

    Raises:
        DependencyError: when importing the format's runtime ends a process.
    """
    for _ in range(2):
        server = _server(format, python_environment()["PYTHONPATH"])
        if server.process.poll() is None:
            fork = server.start(log)
            if fork.pid is not None:
                return fork
            fork.wait()
        _server.cache_clear()
    raise ends_its_process(format_of(format).packages[-1], server.process.wait())


class Server:
    """The other side: forks, kills and buries until its client ends.

    Args:
        work: of a worker, with its own stdin, stdout and stderr.
    """

    def __init__(self, client: socket.socket, work: Callable[[], None]):
        self.client, self.work = client, work
        self.statuses: dict[int, int] = {}
        self.wakened, self.wake = os.pipe()
        os.set_blocking(self.wake, False)
        signal.set_wakeup_fd(self.wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        while True:
            ready, _, _ = select.select([self.client.fileno(), self.wakened], [], [])
            if self.wakened in ready:
                os.read(self.wakened, 4096)
                self._bury()
            if self.client.fileno() in ready:
                data, descriptors, _, _ = socket.recv_fds(self.client, REQUEST.size, 4)
                if not data:
                    break
                letter, number = REQUEST.unpack(data)
                if letter == b"f":
                    self._fork(*descriptors)
                elif number in self.statuses:
                    os.kill(number, signal.SIGKILL)
        for number in self.statuses:
            os.kill(number, signal.SIGKILL)

    def _fork(self, stdin: int, stdout: int, stderr: int, status: int) -> None:
        number = os.fork()
        if number == 0:
            self._become_worker(stdin, stdout, stderr, status)
        self.statuses[number] = status
        with contextlib.suppress(BrokenPipeError):  # its client has ended meanwhile
            os.write(status, STATUS.pack(number))
        for descriptor in (stdin, stdout, stderr):
            os.close(descriptor)

    def _become_worker(self, stdin: int, stdout: int, stderr: int, status: int) -> NoReturn:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for standard, descriptor in enumerate((stdin, stdout, stderr)):
            os.dup2(descriptor, standard)
        ours = (self.client.fileno(), self.wakened, self.wake, *self.statuses.values())
        for descriptor in (stdin, stdout, stderr, status, *ours):
            os.close(descriptor)
        code = 1
        try:
            self.work()
            code = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _bury(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                status = self.statuses.pop(ended[0])
                with contextlib.suppress(OSError):
                    os.write(status, STATUS.pack(os.waitstatus_to_exitcode(ended[1])))
                os.close(status)


def main() -> None:
    """``python -m converter.formats.forks FORMAT``, its client on stdin."""
    send_nothing()
    with contextlib.suppress(BaseException):  # a worker says better what is missing or why it cannot be imported
        import_module(format_of(sys.argv[1]).packages[-1])
    with socket.socket(fileno=os.dup(0)) as client:
        Server(client, worker.main).serve()


if __name__ == "__main__":
    main()
