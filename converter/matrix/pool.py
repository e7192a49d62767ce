"""Several cells at a time, each in a fork that may die alone."""

import queue
import signal
import threading
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

from converter.errors import ConversionError, ConverterError, DependencyError
from converter.formats.forks import ForkServer
from converter.matrix.worker import WITH_PICKLE, Job, Look, Looked
from converter.util.child import Child, ChildEnded, exchange
from converter.util.packages import ends_its_process

CHECK_SECONDS = 600.0
ATTEMPTS = 2  # where the process that forks has died, which is none of the cell's doing


class Pool:
    """The process that has imported everything, and as many forks of it as there are workers.

    Args:
        workers: how many cells at a time.
        seconds: that a cell may take.
        checkpoints: to read once for all.
    """

    def __init__(self, workers: int, seconds: float, checkpoints: Iterable[Path], allow_pickle: bool) -> None:
        self.workers, self.seconds = workers, seconds
        self._words = [*([WITH_PICKLE] if allow_pickle else []), *(str(path.absolute()) for path in checkpoints)]
        self._one_start = threading.Lock()
        self._server = self._new_server()
        self._stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End all of it; a fork's own children end with it, as :mod:`converter.folder.shells` says."""
        self.stop()

    def stop(self) -> None:
        """Likewise, before the block ends."""
        self._stopped = True
        self._server.stop()

    def look(self, request: Look) -> Looked:
        """What is wrong with cells.

        Raises:
            DependencyError: when a package that the cells need is missing or cannot be imported.
            ConversionError: when nobody answers.
        """
        try:
            looked: Looked | DependencyError = self._ask(request, CHECK_SECONDS)
        except ChildEnded as ended:
            code = self._server.process.poll()
            if code not in (None, -signal.SIGKILL):  # killed it is where memory runs out
                raise ends_its_process("torch", code) from None
            raise ConversionError(f"the plan could not be checked: its process {ended.how}") from None
        if isinstance(looked, DependencyError):
            raise looked
        return looked

    def run(self, jobs: Iterable[tuple[str, Job]]) -> Iterator[tuple[str, dict[str, Any]]]:
        """(key, what to record of the cell) as they end.

        Raises:
            DependencyError: when a package turns out to be unusable, which it would be for every cell.
        """
        left = iter(list(jobs))
        results: queue.SimpleQueue[tuple[str, dict[str, Any]] | BaseException | None] = queue.SimpleQueue()
        one = threading.Lock()

        def work() -> None:
            try:
                while not self._stopped:
                    with one:
                        key, job = next(left, (None, None))
                    if key is None or job is None:
                        break
                    record = self.record(job)
                    if record["exit_code"] == DependencyError.exit_code:
                        raise DependencyError(record["message"])
                    results.put((key, record))
            except BaseException as error:
                results.put(error)
            results.put(None)

        for _ in range(self.workers):
            threading.Thread(target=work, daemon=True).start()
        working = self.workers
        while working:
            result = results.get()
            if isinstance(result, BaseException):
                raise result
            if result is None:
                working -= 1
            else:
                yield result

    def record(self, job: Job) -> dict[str, Any]:
        """What to record of one cell, whatever becomes of its fork."""
        try:
            answer: dict[str, Any] | DependencyError = self._ask(job, self.seconds)
        except ChildEnded as ended:
            how = f"took longer than {self.seconds:g} s (--timeout)" if ended.late else ended.how
            return {
                "outcome": "unfinished",
                "exit_code": ConverterError.exit_code,
                "message": f"the process of the cell {how}",
            }
        if isinstance(answer, DependencyError):
            return {"outcome": "unfinished", "exit_code": answer.exit_code, "message": str(answer)[:500]}
        return answer

    def _ask(self, request: Look | Job, seconds: float) -> Any:
        """Raises:
        ChildEnded: when the fork ends without an answer.
        """
        for attempt in range(ATTEMPTS):
            server = self._alive()
            child = Child(server.start)
            try:
                return child.ask(partial(exchange, request), seconds)
            except ChildEnded as ended:
                if ended.late or server.process.poll() is None or attempt == ATTEMPTS - 1 or self._stopped:
                    raise
            finally:
                child.stop()
        raise AssertionError

    def _alive(self) -> ForkServer:
        with self._one_start:
            if self._server.process.poll() is not None and not self._stopped:
                self._server = self._new_server()
            return self._server

    def _new_server(self) -> ForkServer:
        return ForkServer("converter.matrix.worker", *self._words)
