"""One emulated process: started, asked, and ended whatever it does."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from converter.checks.arm import guest
from converter.checks.arm.root import ArmRoot
from converter.errors import ConversionError, UsageError

TIMEOUT = 300.0
SCRIPT = Path(guest.__file__)
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
        self._process: subprocess.Popen | None = None
        self._failure: str | None = None
        self._one_call = threading.Lock()

    def start(self) -> dict[str, Any]:
        """Start it; what it says of itself.

        Raises:
            ConversionError: when it does not run, or is no aarch64.
            UsageError: when qemu does not know the cpu.
        """
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 closed by stop()
        try:
            self._process = _starter.submit(self._popen).result()
        except OSError as error:
            self._log.close()
            raise ConversionError(f"{self.what}: {self.root.qemu} does not start: {error.strerror}") from None
        with contextlib.suppress(OSError):  # qemu would leave a core file for every program that crashes in it
            resource.prlimit(self._process.pid, resource.RLIMIT_CORE, (0, 0))
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

    def call(
        self, call: str, arrays: Mapping[str, np.ndarray] | None = None, /, **header: Any
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What the other side answers: a header and arrays by name.

        Raises:
            ConversionError: when it refuses, crashes, hangs, or says something that is no answer.
        """
        with self._one_call:
            if self._failure or self._process is None:
                raise ConversionError(self._failure or f"{self.what}: the process was not started")
            answer, found = self._ask(call, arrays, header)
        if "error" in answer:
            raise ConversionError(f"{self.what}: {answer['error']}")
        return answer, found

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
            self._log.close()

    def _popen(self):
        return subprocess.Popen(
            self.root.command(SCRIPT, *self._words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=self.root.environment(self.cpu),
            cwd=self.root.folder,
        )

    def _ask(self, call, arrays, header):
        process, late = self._process, threading.Event()
        timer = threading.Timer(self.timeout, lambda: (late.set(), process.kill()))
        timer.daemon = True
        timer.start()
        try:
            guest.write_message(process.stdin, {"call": call, **header}, arrays)
            return guest.read_message(process.stdout)
        except (OSError, EOFError):
            raise self._failed(self._end(call, late.is_set())) from None
        except (ValueError, KeyError, TypeError, RecursionError, MemoryError) as error:
            process.kill()
            raise self._failed(f"answered {call} with garbage: {str(error)[:120]}") from None
        finally:
            timer.cancel()

    def _end(self, call, late):
        """How the process ended, in words."""
        if late:
            return f"{call} took longer than {self.timeout:g} s and was ended"
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:  # it closed its end and goes on
            self._process.kill()
            return f"{call}: the emulated process stopped answering"
        ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        self._log.seek(0)
        said = [line.strip() for line in self._log.read()[-8192:].decode(errors="replace").splitlines()]
        last = " | ".join([line for line in said if line][-2:])
        return f"{call}: the emulated process {ended}" + (f"; it said: {last}" if last else "")

    def _failed(self, how):
        self._failure = f"{self.what}: {how}"
        self.stop()
        return ConversionError(self._failure)
