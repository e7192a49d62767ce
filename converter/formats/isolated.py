"""A runtime in a process of its own: a model that crashes it or hangs in it becomes an error.

ncnn checks little of what it is told; a damaged ``.param`` can end the process that loads it.
"""

import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from converter.errors import ConversionError
from converter.formats.forks import start_fork
from converter.formats.format import format_of
from converter.spec.tensors import GraphSpec
from converter.util.child import Child, ChildEnded, Process, exchange
from converter.util.content import File
from converter.util.process import python_environment, python_module


class WorkerProcess:
    """A process that answers calls, one at a time; it starts with the first call and again after a crash.

    Args:
        module: its main module, which calls :func:`converter.formats.worker.answer_calls`.
        what: it works on, for error messages.
        timeout: seconds that one call may take.
        opening: the call with which every life of the process begins, as (name, arguments).
        environment: added to this process's.
    """

    def __init__(
        self,
        module: str,
        what: str,
        timeout: float,
        opening: tuple[str, tuple[object, ...]],
        environment: Mapping[str, str] | None = None,
    ):
        self.module, self.what, self.timeout, self.opening = module, what, timeout, opening
        self.environment = environment or {}
        self._child: Child | None = None
        self._one_call = threading.Lock()  # feeds are compared two at once

    def load(self) -> None:
        """Start the process and make the first call, if that has not been done.

        Raises:
            ConverterError: from the call.
            ConversionError: when the process crashes or hangs.
        """
        self._opened()

    def call(self, name: str, *arguments: object) -> Any:
        """What the other side answers; raises as :meth:`load`."""
        with self._one_call:
            return self._ask(self._opened(), name, arguments)

    def stop(self) -> None:
        """End the process."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def _opened(self) -> Child:
        if self._child is None:
            self._child = Child(self._new_process)
            self._ask(self._child, *self.opening)
        return self._child

    def _new_process(self, log: IO[bytes]) -> Process:
        return subprocess.Popen(
            python_module(self.module),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**python_environment(), **self.environment},
        )

    def _ask(self, child: Child, call: str, arguments: tuple[object, ...]) -> Any:
        try:
            answer = child.ask(partial(exchange, (call, arguments)), self.timeout)
        except ChildEnded as ended:
            self.stop()
            doing = "loading the model" if call == self.opening[0] else "running the model"
            if ended.late:
                how = f"{doing} took longer than {self.timeout:g} s and was ended"
            else:
                how = f"{doing}, the runtime {ended.how}"
            raise ConversionError(f"{self.what}: {how}") from None
        if isinstance(answer, Exception):
            if call == self.opening[0]:
                self.stop()
            raise answer
        return answer


def _from_anywhere(file: File) -> File:
    """The process has another working folder."""
    return file.absolute() if isinstance(file, Path) else file


class IsolatedRunner(WorkerProcess):
    """A runner that lives elsewhere; the process starts with the first call and again after a crash.

    Args:
        format: name of the files' format.
        files: of the model; of one that was read already, the process is given what was read.
        graph: names and shapes of its inputs and outputs.
        timeout: seconds that one call may take; None for what the format says.
        inner: load it only for :meth:`blobs`, which works for many a damaged graph too.
    """

    def __init__(
        self, format: str, files: Sequence[File], graph: GraphSpec, timeout: float | None = None, inner: bool = False
    ):
        self.format, self.files, self.graph = format, files, graph
        what = f"{format} {graph.name} ({', '.join(path.name for path in files)})"
        opening = "load_inner" if inner else "load", (format, tuple(map(_from_anywhere, files)), graph)
        super().__init__("converter.formats.worker", what, timeout or format_of(format).seconds, opening)

    def _new_process(self, log: IO[bytes]) -> Process:
        return start_fork(self.format, log) if sys.platform == "linux" else super()._new_process(log)

    def infer(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As of the runner itself.

        Raises:
            ConversionError: as from the runner, and when its process crashes or hangs.
        """
        outputs: dict[str, np.ndarray] = self.call("infer", dict(feed))
        return outputs

    def blobs(self, feed: Mapping[str, np.ndarray], names: Iterable[str]) -> dict[str, np.ndarray]:
        """Any blobs of the graph, inner ones too; raises as :meth:`infer`."""
        arrays: dict[str, np.ndarray] = self.call("blobs", dict(feed), list(names))
        return arrays
