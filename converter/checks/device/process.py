"""A process with ncnn in it, on another device: started, asked, and ended whatever it does."""

import contextlib
import resource
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from converter.checks.device import guest
from converter.errors import ConversionError
from converter.util.child import Child, ChildEnded

TIMEOUT = 300.0
SCRIPT = Path(guest.__file__)
Message = tuple[dict[str, Any], dict[str, np.ndarray]]
# The kernel ends such a process with the thread that started it, so one is kept that lives as long as we do.
_starter = ThreadPoolExecutor(1, "device")


@dataclass(frozen=True)
class Start:
    """How a process is started.

    Attributes:
        command, environment, folder: of the process, which runs :mod:`converter.checks.device.guest`.
        called: what it is, where it fails.
        memory: bytes of data that it may have; None for no limit.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    called: str
    memory: int | None = None


class GuestProcess:
    """A Python with ncnn in it. It answers calls, one at a time; once it has failed, it stays so.

    Args:
        start: how.
        what: it is, for error messages.
        timeout: seconds that one call may take.
    """

    def __init__(self, start: Start, what: str, timeout: float = TIMEOUT):
        self.how, self.what, self.timeout = start, what, timeout
        self._child: Child | None = None
        self._failure: str | None = None
        self._one_call = threading.Lock()

    def start(self) -> dict[str, Any]:
        """Start it; what it says of itself.

        Raises:
            ConversionError: when it does not run.
        """
        try:
            self._child = _starter.submit(Child, self._popen).result()
        except OSError as error:
            raise ConversionError(f"{self.what}: {self.how.command[0]} does not start: {error.strerror}") from None
        return self.call("hello")[0]

    def call(self, call: str, arrays: Mapping[str, np.ndarray] | None = None, /, **header: Any) -> Message:
        """What the other side answers: a header and arrays by name.

        Raises:
            ConversionError: when it refuses, crashes, hangs, or says something that is no answer.
        """
        with self._one_call:
            if self._failure or self._child is None:
                raise ConversionError(self._failure or f"{self.what}: the process was not started")
            answer, tensors = self._ask(self._child, call, arrays, header)
        if "error" in answer:
            raise ConversionError(f"{self.what}: {answer['error']}")
        return answer, tensors

    def stop(self) -> None:
        """End it."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def _popen(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self.how.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=self.how.environment,
            cwd=self.how.folder,
        )
        with contextlib.suppress(OSError):  # qemu would leave a core file for every program that crashes in it
            resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))
            if self.how.memory:
                resource.prlimit(process.pid, resource.RLIMIT_DATA, (self.how.memory, self.how.memory))
        return process

    def _ask(
        self, child: Child, call: str, arrays: Mapping[str, np.ndarray] | None, header: Mapping[str, Any]
    ) -> Message:
        def exchange(stdin: IO[bytes], stdout: IO[bytes]) -> Message:
            guest.write_message(stdin, {"call": call, **header}, arrays)
            return guest.read_message(stdout)

        doing = f"{call} of {header['graph']}" if "graph" in header else call
        try:
            return child.ask(exchange, self.timeout)
        except ChildEnded as ended:
            if ended.late:
                how = f"{doing} took longer than {self.timeout:g} s and was ended"
            else:
                how = f"{doing}: the {self.how.called} {ended.how}"
            raise self._failed(how) from None
        except (ValueError, KeyError, TypeError, RecursionError, MemoryError) as error:
            raise self._failed(f"answered {call} with garbage: {str(error)[:120]}") from None

    def _failed(self, how: str) -> ConversionError:
        self._failure = f"{self.what}: {how}"
        self.stop()
        return ConversionError(self._failure)
