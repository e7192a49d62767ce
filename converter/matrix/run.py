"""matrix(options): plan -> forks -> journal -> table, and whatever a run before had finished is not done again."""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.bench.api import bench
from converter.errors import ConversionError, UsageError
from converter.folder.manifest import MANIFEST
from converter.matrix import MODELS, RESULTS
from converter.matrix.cells import Asked, Cell
from converter.matrix.engine import Engine
from converter.matrix.journal import Journal, read_records
from converter.matrix.plan import Plan, refused
from converter.matrix.pool import Pool
from converter.matrix.table import Row, Sort, ranked
from converter.matrix.worker import MEGABYTE, Job, Look, Looked
from converter.util.atomic import make_folder, obstacle
from converter.util.paths import why_no_folder
from converter.util.stages import Stages

LAST_STAGE = "table"
SPARE = 32 * MEGABYTE  # bytes; where a cell failed on a disk with less, the disk is to blame
RESULT_FILE = re.compile(r"results(-[0-9]+-of-[0-9]+)?\.jsonl")
TABLE_FILE = re.compile(r"table\.(csv|json|html)")
DRAFT = re.compile(r"\.table\.[0-9a-f]{8}\.(csv|json|html)")  # of a run that is at its end, or ended there


@dataclass(frozen=True)
class Keep:
    """Which models stay on the disk: all where ``best`` is None, else so many of the best."""

    best: int | None = None


@dataclass(frozen=True)
class MatrixOptions:
    """Everything one ``lt-matrix`` depends on.

    Attributes:
        folder: for results, models and table.
        workers: cells at a time.
        seconds: that a cell may take.
        memory: bytes that a cell may take; None for no limit.
        shard: (i, n): every n-th cell, from the i-th on.
        keep: which models to keep, by ``sort``.
        sort: what the table is ranked by.
        bench_seconds: what measuring a cell may take; None where nothing is measured.
        scheduler: of Dask, whose workers take the cells; None for this machine.
        again: whether cells that failed before are done again.
    """

    plan: Plan
    folder: Path
    workers: int
    seconds: float
    memory: int | None
    shard: tuple[int, int]
    keep: Keep
    sort: Sort
    bench_seconds: float | None
    scheduler: str | None
    official: Path | None
    allow_pickle: bool
    again: bool

    @property
    def results(self) -> Path:
        index, number = self.shard
        return self.folder / (RESULTS if number == 1 else f"results-{index}-of-{number}.jsonl")


@dataclass(frozen=True)
class MatrixResult:
    """What became of every cell of a run; true when all are verified.

    Attributes:
        rows: by rank.
        done: how many this run exported itself.
    """

    options: MatrixOptions
    rows: tuple[Row, ...]
    done: int

    def __bool__(self) -> bool:
        return all(row.verified for row in self.rows)

    def count(self, outcome: str) -> int:
        return sum(row.outcome == outcome for row in self.rows)

    def as_dict(self) -> dict[str, Any]:
        outcomes = {name: self.count(name) for name in ("verified", "failed", "unfinished", "missing")}
        index, number = self.options.shard
        return {
            "folder": str(self.options.folder),
            "sort": self.options.sort,
            "shard": f"{index}/{number}",
            "exported_now": self.done,
            **outcomes,
            "cells": [row.as_dict() for row in self.rows],
        }


def check_folder(folder: Path) -> None:
    """Raises:
    UsageError: for a folder with files that are not lt-matrix's, or a place where none can be.
    """
    if os.path.lexists(folder):
        if reason := why_no_folder(folder):
            raise UsageError(f"--output {folder}: {reason}, expected a folder to create or one of lt-matrix")
        if foreign := _foreign(folder):
            raise UsageError(
                f"--output {folder}: holds {foreign}, which lt-matrix did not write; choose another folder"
            )
    if reason := obstacle(folder, parents=True):
        raise UsageError(f"--output {folder}: {reason}")


def _foreign(folder: Path) -> str | None:
    """The first name in a folder that is not of lt-matrix; None where all are.

    Links are none of its, for what they lead to is elsewhere, and neither are models and tables without any results.
    """
    names = sorted(name for name in os.listdir(folder) if not DRAFT.fullmatch(name))
    begun = any(RESULT_FILE.fullmatch(name) for name in names)
    for name in names:
        path = folder / name
        if name == MODELS:
            ours = path.is_dir() and (begun or not os.listdir(path))
        else:
            known = RESULT_FILE.fullmatch(name) or (begun and TABLE_FILE.fullmatch(name))
            ours = bool(known) and path.is_file()
        if path.is_symlink() or not ours:
            return repr(name)
    return None


def run(options: MatrixOptions, stages: Stages) -> MatrixResult:
    """Export every cell that is not finished, and measure where asked.

    Raises:
        UsageError: with all mistakes of the plan, before the first cell starts.
        ConverterError: another of its kinds, when the run cannot go on; what is finished is kept.
    """
    plan = options.plan
    check_folder(options.folder)
    with stages("import") as notes:
        checkpoints = dict.fromkeys(cell.checkpoint for cell in plan.cells)
        pool = Pool(options.workers, options.seconds, checkpoints, options.allow_pickle)
        notes.append("torch, checkpoints")
    with pool:
        with stages("check") as notes:
            looked = pool.look(
                Look(plan.cells, options.folder / MODELS / "new", options.official, options.allow_pickle)
            )
            refused(plan, looked.mistakes)
            index, number = options.shard
            cells = {cell.key(looked.sums[cell.checkpoint]): cell for cell in plan.cells[index - 1 :: number]}
            notes.append(f"{len(cells)} of {len(plan.cells)} cells" if number > 1 else f"{len(cells)} cells")
        make_folder(options.folder / MODELS)
        with Journal(options.results) as journal:
            work = _Work(options, cells, journal, other_shards(options), stages)
            if options.scheduler is None:
                done = work.export(looked, pool)
                pool.stop()
            else:
                pool.stop()
                wanted = options.keep.best != 0 or options.bench_seconds is not None
                done = work.export(looked, Engine(options.scheduler, looked.sums, options.seconds, wanted))
            if options.bench_seconds is not None:
                work.measure(options.bench_seconds)
            with stages(LAST_STAGE):
                work.prune()
                rows = work.rows()
    return MatrixResult(options, tuple(rows), done)


@dataclass(frozen=True)
class _Work:
    """The cells of a run, and what is known of them.

    Attributes:
        others: what other shards know of cells, by key.
    """

    options: MatrixOptions
    cells: Mapping[str, Cell]
    journal: Journal
    others: Mapping[str, Mapping[str, Any]]
    stages: Stages

    def record(self, key: str) -> Mapping[str, Any]:
        return {**self.others.get(key, {}), **self.journal.records.get(key, {})}

    def place(self, key: str) -> Path:
        """Where a cell's models are."""
        return self.options.folder / MODELS / key

    def export(self, looked: Looked, pool: Pool | Engine) -> int:
        """Export what is not finished; how many cells that were.

        Args:
            pool: where.

        Raises:
            ConversionError: when the disk is full; what is finished is kept.
        """
        options, cells = self.options, self.cells
        asked = Asked(options.official, options.allow_pickle, looked.archs)
        left = [key for key in cells if not self._finished(key)]
        before = len(cells) - len(left)
        for key in left:
            shutil.rmtree(self.place(key), ignore_errors=True)  # of a run that was ended in between
        done = 0
        with self.stages("export") as notes:
            jobs = [(key, Job(cells[key], asked, self.place(key), options.memory)) for key in left]
            for key, record in pool.run(jobs):
                if record["outcome"] == "unfinished" and shutil.disk_usage(options.folder).free < SPARE:
                    raise ConversionError(
                        f"{options.folder}: the disk is full; what is finished is kept: free some space and start again"
                    )
                self.journal.add(key, {**cells[key].about(), **record})
                done += 1
                if options.bench_seconds is None:
                    self.prune()
                self.stages.progress.step(before + done, len(cells))
            notes.append(f"{done} cells" + (f", {before} were done before" if before else ""))
        return done

    def _finished(self, key: str) -> bool:
        """Whether a cell is not to be exported again; its models may be gone only where nobody wants them any more."""
        record, options = self.record(key), self.options
        if record.get("outcome") != "verified":
            return "outcome" in record and not options.again
        unmeasured = options.bench_seconds is not None and "latency" not in record
        wanted = options.keep.best is None or unmeasured
        return not wanted or (self.place(key) / MANIFEST).is_file()

    def measure(self, seconds: float) -> None:
        """Cells one after the other and alone on the cores, as ``lt-bench`` measures an export."""
        records = {key: self.record(key) for key in self.cells}
        left = [key for key, each in records.items() if each.get("outcome") == "verified" and "latency" not in each]
        with self.stages("bench") as notes:
            for number, key in enumerate(left, 1):
                result = bench(self.place(key), threads=1, precisions="fp32", seconds=seconds)
                times = {part: round(result.of(part)[0].whole.median, 4) for part in ("update", "init")}
                self.journal.add(key, {"latency": times["update"], "init_latency": times["init"]})
                self.stages.progress.step(number, len(left))
            notes.append(f"{len(left)} cells, one after the other, one thread")

    def rows(self) -> list[Row]:
        """The cells by rank."""
        overlaps = self.options.plan.overlaps
        rows = []
        for key, cell in self.cells.items():
            kept = (self.place(key) / MANIFEST).is_file()
            rows.append(Row.of(key, cell, self.record(key), overlaps.get(cell.path_name or ""), kept))
        return ranked(rows, self.options.sort)

    def prune(self) -> None:
        """Remove the models that are not kept."""
        best = self.options.keep.best
        for row in [] if best is None else [row for row in self.rows() if row.verified][best:]:
            if row.kept:
                shutil.rmtree(self.place(row.key), ignore_errors=True)


def other_shards(options: MatrixOptions) -> dict[str, dict[str, Any]]:
    """What other shards have left in the folder, by key of the cell."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(options.folder.glob("results*.jsonl")):
        if path != options.results:
            found |= read_records(path)[0]
    return found
