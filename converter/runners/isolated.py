"""A runtime in a process of its own: a model that crashes it or hangs in it becomes an error.

ncnn checks little of what it is told; a damaged ``.param`` can end the process that loads it.
"""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import converter
from converter.errors import ConversionError
from converter.spec import GraphSpec

TIMEOUT = 60.0


class IsolatedRunner:
    """A runner that lives elsewhere; the process starts with the first call and again after a crash.

    Args:
        format: name of the files' format.
        files: of the model.
        graph: names and shapes of its inputs and outputs.
        timeout: seconds that one call may take.
        inner: load it only for :meth:`blobs`, which works for many a damaged graph too.
    """

    def __init__(
        self, format: str, files: tuple[Path, ...], graph: GraphSpec, timeout: float = TIMEOUT, inner: bool = False
    ):
        self._load_call = "load_inner" if inner else "load"
        self.format, self.files, self.graph, self.timeout = format, files, graph, timeout
        self._process: subprocess.Popen | None = None
        self._one_call = threading.Lock()  # feeds are compared two at once

    def load(self) -> None:
        """Start the process and load the model, if that has not been done.

        Raises:
            ConversionError: when the runtime does not load the files, crashes or hangs.
        """
        if self._process is None:
            self._start()
            self._ask(self._load_call, self.format, tuple(path.absolute() for path in self.files), self.graph)

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As of the runner itself.

        Raises:
            ConversionError: as from the runner, and when its process crashes or hangs.
        """
        return self._call("infer", dict(feed))

    def blobs(self, feed: Mapping[str, np.ndarray], names: Iterable[str]) -> dict[str, np.ndarray]:
        """As of the runner itself; raises as :meth:`infer`."""
        return self._call("blobs", dict(feed), list(names))

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
            self._log.close()

    def _call(self, call, *arguments):
        with self._one_call:
            self.load()
            return self._ask(call, *arguments)

    def _start(self):
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 closed by stop()
        path = os.pathsep.join(
            filter(None, [str(Path(converter.__file__).parent.parent), os.environ.get("PYTHONPATH")])
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", "converter.runners.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": path},
        )

    def _ask(self, call: str, *arguments: Any) -> Any:
        process, late = self._process, threading.Event()
        timer = threading.Timer(self.timeout, lambda: (late.set(), process.kill()))
        timer.start()
        try:
            pickle.dump((call, arguments), process.stdin)
            process.stdin.flush()
            answer = pickle.load(process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            raise self._died(call, late.is_set()) from None
        finally:
            timer.cancel()
        if isinstance(answer, Exception):
            if call == self._load_call:
                self.stop()
            raise answer
        return answer

    def _died(self, call, late):
        code = self._process.wait()
        self._log.seek(0)
        said = self._log.read().decode(errors="replace").split("\n")
        self.stop()
        doing = "loading the model" if call == self._load_call else "running the model"
        what = f"{self.format} {self.graph.name} ({', '.join(path.name for path in self.files)})"
        if late:
            return ConversionError(f"{what}: {doing} took longer than {self.timeout:g} s and was ended")
        ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        last = " | ".join([line.strip() for line in said if line.strip()][-2:])
        return ConversionError(f"{what}: the process {doing} {ended}" + (f"; it said: {last}" if last else ""))
