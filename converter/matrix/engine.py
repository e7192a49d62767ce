"""Cells on other machines, by dask.distributed: each is a fork there, too, of a process that has imported everything.

What a worker of Dask runs is :func:`work`. It needs this package in the same release, and the checkpoint, which it
reads from a shared folder where it sees the same file there, and gets from the engine otherwise. Models come back by
the engine.
"""

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import ConversionError, DependencyError, UsageError
from converter.matrix.pool import Pool
from converter.matrix.worker import Job
from converter.util.atomic import replacing, scratch, sha256
from converter.util.packages import check_installed
from converter.util.version import version

if TYPE_CHECKING:
    from distributed import Client, Future

SCHEME = "dask://"
CONNECT_SECONDS = 20.0
ROUNDS = 3  # without a cell that ended, after which the scheduler is given up
Files = Mapping[str, bytes]
Record = dict[str, Any]


def check_address(executor: str | None) -> str | None:
    """The scheduler's address of ``--executor``; None for this machine.

    Raises:
        UsageError: for another engine.
        DependencyError: without dask.distributed.
    """
    if executor is None:
        return None
    address = executor.removeprefix(SCHEME)
    if address == executor or not address:
        raise UsageError(f"--executor {executor}: expected {SCHEME}host:port of a scheduler")
    check_installed(["distributed"], "--executor")
    return address if "://" in address else f"tcp://{address}"


class Engine:
    """A scheduler, and the cells that its workers are given.

    Args:
        address: of the scheduler.
        sums: checkpoint to sha256.
        seconds: that a cell may take.
        models: whether the models are wanted back.
    """

    def __init__(self, address: str, sums: Mapping[Path, str], seconds: float, models: bool) -> None:
        self.address, self.sums, self.seconds, self.models = address, sums, seconds, models

    def run(self, jobs: Iterable[tuple[str, Job]]) -> Iterator[tuple[str, Record]]:
        """(key, what to record of the cell) as they end; a scheduler that ends is waited for, and given again what
        it had.

        Raises:
            ConversionError: when there is no scheduler; what has ended was given out.
            DependencyError: when no worker has this release.
        """
        left, idle = dict(jobs), 0
        while left:
            before = len(left)
            for key, record in self._round(left):
                del left[key]
                yield key, record
            idle = 0 if len(left) < before else idle + 1
            if left and idle >= ROUNDS:
                raise ConversionError(
                    f"--executor {self.address}: the scheduler ended {ROUNDS} times with {len(left)} cells left; "
                    "what is finished is kept: start again"
                )

    def _round(self, left: Mapping[str, Job]) -> Iterator[tuple[str, Record]]:
        """What ends while the scheduler lives."""
        from distributed import as_completed

        jobs = dict(left)
        with self._client() as client:
            _check_workers(client)
            sent = {
                path: self._sent(client, path) for path in dict.fromkeys(job.cell.checkpoint for job in jobs.values())
            }
            keys = {
                client.submit(
                    *(work, job, self.sums[job.cell.checkpoint], sent[job.cell.checkpoint], self.seconds, self.models),
                    key=f"lt-matrix-{key}-{os.urandom(4).hex()}",
                    pure=False,
                ): key
                for key, job in jobs.items()
            }
            for future in as_completed(keys):
                key = keys[future]
                if future.status in ("cancelled", "lost"):
                    continue
                yield key, self._record(future, jobs[key])

    def _record(self, future: "Future", job: Job) -> Record:
        if future.status == "error":
            error = future.exception()
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:400]
            return {"outcome": "unfinished", "exit_code": 4, "message": f"its worker died or failed: {reason}"}
        record: Record
        record, files = future.result()
        future.release()
        if files:
            _publish(job.output, files)
        return record

    def _client(self) -> "Client":
        from distributed import Client

        try:
            return Client(self.address, timeout=CONNECT_SECONDS)
        except OSError as error:
            reason = str(error).partition("\n")[0]
            raise ConversionError(f"--executor {self.address}: no scheduler answers ({reason})") from None

    def _sent(self, client: "Client", path: Path) -> Any:
        """A checkpoint's bytes with the workers, where not all see the file; None where they do."""
        if all(client.run(sees, path.absolute(), self.sums[path]).values()):
            return None
        return client.scatter(path.read_bytes(), broadcast=True, hash=False)


def _check_workers(client: "Client") -> None:
    """Raises:
    DependencyError: naming the first worker with another release, or without any.
    """
    client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    for worker, found in client.run(version, on_error="return").items():
        if found != version():
            what = f"has lighttrack-export {found}" if isinstance(found, str) else f"cannot import it ({found})"
            raise DependencyError(f"worker {worker} {what}, expected lighttrack-export {version()}; install it there")


def _publish(folder: Path, files: Files) -> None:
    """The models of a cell, whole or not at all."""
    with replacing(folder) as draft:
        draft.mkdir()
        for name, data in files.items():
            (draft / name).write_bytes(data)


def sees(path: Path, digest: str) -> bool:
    """Whether a worker has the checkpoint at the same path."""
    try:
        return sha256(path) == digest
    except OSError:
        return False


@functools.cache
def _pool(checkpoint: Path, allow_pickle: bool, seconds: float) -> Pool:
    """The process that a worker forks from."""
    return Pool(1, seconds, [checkpoint], allow_pickle)


def work(job: Job, digest: str, sent: bytes | None, seconds: float, models: bool) -> tuple[Record, Files]:
    """On a worker: a cell in a fork; what to record of it, and its files."""
    path = job.cell.checkpoint.absolute() if sent is None else _received(job.cell.checkpoint.name, sent, digest)
    cell, archs = replace(job.cell, checkpoint=path), {path: job.asked.archs[job.cell.checkpoint]}
    with scratch("lt-matrix-") as folder:
        here = replace(job, cell=cell, asked=replace(job.asked, archs=archs), output=folder / "models")
        record = _pool(path, job.asked.allow_pickle, seconds).record(here)
        files = sorted(here.output.iterdir()) if models and here.output.is_dir() else []
        return record, {file.name: file.read_bytes() for file in files}


@functools.cache
def _folder() -> Path:
    """Of this process, for what the engine sends; gone when it ends in order."""
    folder = Path(tempfile.mkdtemp(prefix="lt-matrix-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _received(name: str, data: bytes, digest: str) -> Path:
    """A file with what the engine sent, made once."""
    path = _folder() / digest / name
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as draft:
            draft.write_bytes(data)
    return path
