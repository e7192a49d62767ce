"""A child process that is asked over its pipes: each answer within its time, and how the process ended in words."""

import contextlib
import os
import pickle
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Protocol, TypeVar

GRACE = 5.0  # seconds to end, for a process that has closed its pipe
LOG_TAIL = 8192  # bytes
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP)

Answer = TypeVar("Answer")


class Process(Protocol):
    """What is used of :class:`subprocess.Popen`."""

    @property
    def stdin(self) -> IO[bytes] | None: ...

    @property
    def stdout(self) -> IO[bytes] | None: ...

    def kill(self) -> None: ...

    def wait(self) -> int | None: ...


class ChildEnded(Exception):
    """A process did not answer.

    Attributes:
        late: whether it was ended because its time was over.
        how: it ended otherwise, with its last words: "crashed with SIGSEGV; it said: ...".
    """

    def __init__(self, late: bool, how: str) -> None:
        super().__init__(how)
        self.late, self.how = late, how


class Child:
    """A process and what it writes to stderr.

    Args:
        start: starts it, with pipes as stdin and stdout; told the file for stderr.
    """

    def __init__(self, start: Callable[[IO[bytes]], Process]) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 closed by stop()
        try:
            self.process = start(self._log)
        except BaseException:
            self._log.close()
            raise

    def ask(self, exchange: Callable[[IO[bytes], IO[bytes]], Answer], seconds: float) -> Answer:
        """One question and its answer.

        Args:
            exchange: writes to the process's stdin and reads from its stdout; OSError or EOFError when it has ended.
            seconds: after which the process is ended.

        Raises:
            ChildEnded: when it has.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with self._killed_after(seconds) as late, contextlib.suppress(OSError, EOFError):
            return exchange(self.process.stdin, self.process.stdout)
        raise ChildEnded(late.is_set(), self._end(late.is_set()))

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what it did not read any more
                    pipe.close()
        self.process.wait()
        self._log.close()

    @contextmanager
    def _killed_after(self, seconds: float) -> Iterator[threading.Event]:
        late = threading.Event()

        def kill() -> None:
            late.set()
            self.process.kill()

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            yield late
        finally:
            timer.cancel()

    def _end(self, killed: bool) -> str:
        """How it ended; ``killed`` says that we did that."""
        with self._killed_after(GRACE) as late:
            code = self.process.wait()
        if late.is_set():
            return "stopped answering"
        if code is None:
            ended = "ended, and so has the process that could say how"
        else:
            ended = _by_signal(signal.Signals(-code), killed) if code < 0 else f"ended with code {code}"
        said = last_words(tail(self._log), 2)
        return f"{ended}; it said: {said}" if said else ended


def _by_signal(number: signal.Signals, killed: bool) -> str:
    """What has happened to a process that a signal ended."""
    if number in CRASHES:
        return f"crashed with {number.name}"
    if number == signal.SIGKILL and not killed:
        return "was ended by SIGKILL, as the system does where memory runs out"
    return f"was ended by {number.name}"


def tail(log: IO[bytes]) -> str:
    """The last :data:`LOG_TAIL` bytes of a file, however long it is."""
    log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_TAIL))
    return log.read(LOG_TAIL).decode(errors="replace")


def last_words(text: str, lines: int) -> str:
    """The last lines of what a process said that are not blank, on one."""
    return " | ".join([line.strip() for line in text.split("\n") if line.strip()][-lines:])


def exchange(question: object, stdin: IO[bytes], stdout: IO[bytes]) -> Any:
    """For :meth:`Child.ask`, of a process of ours: question and answer are pickles."""
    pickle.dump(question, stdin)
    stdin.flush()
    try:
        return pickle.load(stdout)
    except pickle.UnpicklingError:  # half an answer
        raise EOFError from None
