"""Where cells are exported: forks of a process that has imported everything and read the checkpoints.

A fork answers one request and ends: its time and memory are limited, and it can die alone.
"""

import contextlib
import gc
import os
import pickle
import re
import resource
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import ConverterError, DependencyError, UsageError
from converter.exporting.check import checked_plan
from converter.formats.forks import Server
from converter.formats.format import format_of
from converter.matrix.cells import Asked, Cell, options_of
from converter.util.packages import importing
from converter.util.process import keep_garbage, send_nothing

if TYPE_CHECKING:
    from converter.network.checkpoint import Checkpoint

NO_MEMORY = re.compile(r"bad_alloc|can't allocate|not enough memory|Cannot allocate memory|DefaultCPUAllocator")
MEGABYTE = 1 << 20
WITH_PICKLE = "--allow-pickle"
Kept = Mapping[Path, "Checkpoint"]  # by absolute path: what was read for all forks


@dataclass(frozen=True)
class Look:
    """A request: what is wrong with cells, before any is exported; the answer is a DependencyError where a package that
    they need is missing or cannot be imported.

    Attributes:
        outputs: of each cell, where its export would go.
    """

    cells: Sequence[Cell]
    output: Path
    official: Path | None
    allow_pickle: bool

    def answer(self, kept: Kept) -> "Looked":
        from converter.families.supernet import supernet_of
        from converter.network.checkpoint import read_checkpoint, shapes_of
        from converter.network.recognise import arch_of

        needed: set[str] = set()
        archs: dict[Path, str | None] = {}
        sums: dict[Path, str] = {}
        supernets: dict[Path, str] = {}
        mistakes: list[str] = []
        for path in dict.fromkeys(cell.checkpoint for cell in self.cells):
            try:
                checkpoint = kept.get(path.absolute()) or read_checkpoint(path, self.allow_pickle)
                archs[path], sums[path] = arch_of(checkpoint.state), checkpoint.sha256
                if found := supernet_of(shapes_of(checkpoint.state)):
                    supernets[path] = found[1].arch
            except ConverterError as error:
                mistakes.append(str(error))
        asked = Asked(self.official, self.allow_pickle, archs)
        for cell in self.cells:
            if cell.checkpoint in archs:
                try:
                    options = options_of(cell, asked, self.output)
                    checked_plan(options)
                    if cell.path_name is None and (supernet := supernets.get(cell.checkpoint)):
                        raise UsageError(
                            f"checkpoint {cell.checkpoint.name} is a supernet, {supernet}; pass --paths or path_names"
                        )
                    needed |= {package for name in options.formats for package in format_of(name).needed(options)}
                except DependencyError:
                    raise
                except ConverterError as error:
                    mistakes.append(str(error))
        for package in sorted(needed):  # found they were; whether they can be imported is known when they are
            import_module(package)
        return Looked(archs, sums, tuple(dict.fromkeys(mistakes)))


@dataclass(frozen=True)
class Looked:
    """Arch and sha256 of every checkpoint, and what is wrong with the cells."""

    archs: Mapping[Path, str | None]
    sums: Mapping[Path, str]
    mistakes: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """A request: the export of a cell; the answer is what to record of it.

    Attributes:
        memory: bytes that it may take beyond what it shares with the others; None for no limit.
    """

    cell: Cell
    asked: Asked
    output: Path
    memory: int | None

    def answer(self, kept: Kept) -> dict[str, Any]:
        from converter.exporting.pipeline import export

        began = time.monotonic()
        if self.memory is not None:
            _limit_memory(self.memory)
        try:
            checkpoint = kept.get(self.cell.checkpoint.absolute())
            exported = export(options_of(self.cell, self.asked, self.output), checkpoint=checkpoint)
        except ConverterError as error:
            outcome = "failed" if error.exit_code == 1 else "unfinished"
            record = {"outcome": outcome, "exit_code": error.exit_code, "message": " ".join(str(error).split())[:500]}
            if NO_MEMORY.search(str(error)):
                record["message"] = self._no_memory()
        except (MemoryError, RuntimeError) as error:
            if not isinstance(error, MemoryError) and not NO_MEMORY.search(str(error)):
                raise
            record = {"outcome": "unfinished", "exit_code": 4, "message": self._no_memory()}
        else:
            manifest = exported.manifest
            files = [file for graph in manifest.graphs for file in graph.files]
            frame = [name for name in manifest.multiply_adds or {} if name != "init"]
            record = {
                "outcome": "verified",
                "exit_code": 0,
                "message": "",
                "error": exported.max_of_range,
                "bytes": sum({file.name: file.bytes for file in files}.values()),
                "parameters": manifest.parameters,
                "multiply_adds": sum((manifest.multiply_adds or {})[name] for name in frame),
            }
        return {**record, "seconds": round(time.monotonic() - began, 2)}

    def _no_memory(self) -> str:
        limit = f" than {self.memory // MEGABYTE} MB (--memory)" if self.memory else ""
        return f"needs more memory{limit}"


def _limit_memory(most: int) -> None:
    with contextlib.suppress(OSError, ValueError):
        status = Path("/proc/self/status").read_text()
        used = int(status.partition("VmData:")[2].split()[0]) * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (used + most, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def answer_once(kept: Kept, unusable: DependencyError | None = None) -> None:
    """One request from stdin, its answer to stdout; what libraries print goes to stderr.

    Args:
        kept: checkpoints that are read already.
        unusable: a package without which nothing can be answered.
    """
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    request = pickle.load(sys.stdin.buffer)
    try:
        with importing():
            answer = unusable or request.answer(kept)
    except DependencyError as error:
        answer = error
    pickle.dump(answer, answers)
    answers.flush()


def main() -> None:
    """``python -m converter.matrix.worker [--allow-pickle] CHECKPOINT…``, its client on stdin."""
    send_nothing()
    keep_garbage()
    kept: Kept = {}
    unusable = None
    try:
        with importing():
            kept = _prepare([Path(word) for word in sys.argv[1:] if word != WITH_PICKLE], WITH_PICKLE in sys.argv)
    except DependencyError as error:
        unusable = error
    gc.freeze()
    with socket.socket(fileno=os.dup(0)) as client:
        Server(client, partial(answer_once, kept, unusable)).serve()


def _prepare(checkpoints: Sequence[Path], allow_pickle: bool) -> Kept:
    """Import what every fork needs, and read the checkpoints; one that cannot be read is left to a fork to say."""
    import torch

    from converter.exporting import conversions, pipeline, proving  # noqa: F401
    from converter.network import load  # noqa: F401
    from converter.network.checkpoint import read_checkpoint

    torch.set_num_threads(1)
    for module in ("ncnn", "pnnx"):
        with contextlib.suppress(BaseException):  # a fork says better what is missing
            import_module(module)
    kept = {}
    for path in checkpoints:
        with contextlib.suppress(ConverterError):
            kept[path] = read_checkpoint(path, allow_pickle)
    return kept


if __name__ == "__main__":
    main()
