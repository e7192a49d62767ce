"""One emulated process: started, asked, and ended whatever it does."""

import contextlib
import json
import os
import resource
import subprocess
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import numpy as np

from converter.checks.arm import guest
from converter.checks.arm.root import ArmRoot
from converter.errors import ConversionError, UsageError
from converter.util.child import Child, ChildEnded

TIMEOUT = 300.0
SCRIPT = Path(guest.__file__)
Message = tuple[dict[str, Any], dict[str, np.ndarray]]
_UNKNOWN_CPU = "unable to find CPU model"
# The kernel ends the emulated process with the thread that started it, so one is kept that lives as long as we do.
_starter = ThreadPoolExecutor(1, "arm")


class ArmProcess:
    """An emulated Python with ncnn in it. It answers calls, one at a time; once it has failed, it stays so.

    Args:
        root: what it consists of.
        cpu: that qemu is to be.
        options: of ncnn.
        what: it is, for error messages.
        timeout: seconds that one call may take.
    """

    def __init__(self, root: ArmRoot, cpu: str, options: Mapping[str, Any], what: str, timeout: float = TIMEOUT):
        self.root, self.cpu, self.what, self.timeout = root, cpu, what, timeout
        self._words = str(os.getpid()), json.dumps(dict(options))
        self._child: Child | None = None
        self._failure: str | None = None
        self._one_call = threading.Lock()

    def start(self) -> dict[str, Any]:
        """Start it; what it says of itself.

        Raises:
            ConversionError: when it does not run, or is no aarch64.
            UsageError: when qemu does not know the cpu.
        """
        try:
            self._child = _starter.submit(Child, self._popen).result()
        except OSError as error:
            raise ConversionError(f"{self.what}: {self.root.qemu} does not start: {error.strerror}") from None
        try:
            hello, _ = self.call("hello")
        except ConversionError as error:
            if _UNKNOWN_CPU in str(error):
                raise UsageError(f"--arm-cpu {self.cpu}: qemu knows no such cpu; try max or cortex-a76") from None
            raise
        if hello.get("machine") != "aarch64":
            self.stop()
            raise ConversionError(f"{self.what}: it runs on {hello.get('machine')!r}, expected 'aarch64'")
        return hello

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
            self.root.command(SCRIPT, *self._words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=self.root.environment(self.cpu),
            cwd=self.root.folder,
        )
        with contextlib.suppress(OSError):  # qemu would leave a core file for every program that crashes in it
            resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))
        return process

    def _ask(
        self, child: Child, call: str, arrays: Mapping[str, np.ndarray] | None, header: Mapping[str, Any]
    ) -> Message:
        def exchange(stdin: IO[bytes], stdout: IO[bytes]) -> Message:
            guest.write_message(stdin, {"call": call, **header}, arrays)
            return guest.read_message(stdout)

        try:
            return child.ask(exchange, self.timeout)
        except ChildEnded as ended:
            if ended.late:
                how = f"{call} took longer than {self.timeout:g} s and was ended"
            else:
                how = f"{call}: the emulated process {ended.how}"
            raise self._failed(how) from None
        except (ValueError, KeyError, TypeError, RecursionError, MemoryError) as error:
            raise self._failed(f"answered {call} with garbage: {str(error)[:120]}") from None

    def _failed(self, how: str) -> ConversionError:
        self._failure = f"{self.what}: {how}"
        self.stop()
        return ConversionError(self._failure)
