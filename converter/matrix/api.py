"""matrix() of :mod:`converter.api`: from arguments to a plan and options, the run, and the table."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import UsageError
from converter.matrix.plan import plan_of, read_plan, refused
from converter.matrix.table import SORTS
from converter.spec.arguments import AnyPath, expanded, names_of, path_of
from converter.spec.choices import one_of
from converter.util.stages import Listener, Stages

if TYPE_CHECKING:
    from converter.matrix.run import Keep, MatrixResult

WORKERS, SECONDS, BENCH_SECONDS = 2, 600.0, 10.0
PLANS = (".yaml", ".yml")
MOST_WORKERS, MOST_SECONDS, MOST_MEGABYTES = 256, 1_000_000, 1 << 30


def matrix(
    plan: AnyPath,
    output: AnyPath | None = None,
    *,
    paths: AnyPath | None = None,
    formats: str | Sequence[str] = (),
    sizes: str | Sequence[str] = (),
    presets: str | Sequence[str] = (),
    precisions: str | Sequence[str] = (),
    workers: int = WORKERS,
    timeout: float = SECONDS,
    memory: int | None = None,
    shard: str | None = None,
    keep: str = "all",
    sort: str | None = None,
    bench: bool = False,
    bench_seconds: float = BENCH_SECONDS,
    again: bool = False,
    executor: str | None = None,
    official: AnyPath | None = None,
    allow_pickle: bool = False,
    progress: Listener | None = None,
) -> "MatrixResult":
    """Export and prove every cell of checkpoints x path names x formats x sizes x presets x precisions.

    Args:
        plan: a YAML file with these lists, or a checkpoint.
        output: folder for results, models and table (default: ``matrix/<name of the plan>``). What a run before has
            finished there is not done again.
        paths: a file with a path name a line, beside a checkpoint; so are ``formats``, ``sizes`` ("127/288"),
            ``presets`` and ``precisions``.
        workers: cells at a time.
        timeout: seconds that a cell may take.
        memory: MB that a cell may take beyond what all share.
        shard: "i/n": every n-th cell, from the i-th on.
        keep: which models stay on the disk: "all", "none", "best:N".
        sort: what the table is ranked by: "latency", "bytes", "error", "ao" (default: "latency" where it is measured).
        bench, bench_seconds: measure the models afterwards; what a cell may take.
        again: do cells again that failed.
        executor: "dask://host:port": the workers of that scheduler take the cells, instead of this machine.
        official, allow_pickle, progress: as for :func:`export`.

    Returns:
        true when every cell was verified; ``rows`` has them by rank.

    Raises:
        UsageError: with everything that is wrong with the plan, before the first cell.
        ConverterError: another of its kinds, when the run cannot go on.
    """
    from converter.matrix.engine import check_address
    from converter.matrix.page import write_table
    from converter.matrix.run import MatrixOptions, run
    from converter.matrix.worker import MEGABYTE

    file = expanded(plan)
    given = {"formats": formats, "sizes": sizes, "presets": presets, "precisions": precisions}
    lists: dict[str, Any] = {key: list(names_of(value)) for key, value in given.items() if value}
    wanted = {**({"paths": str(expanded(paths))} if paths else {}), **lists}
    if file.suffix.lower() in PLANS:
        if wanted:
            raise UsageError(f"--{next(iter(wanted)).removesuffix('s')} beside the plan {file}: write it into the plan")
        made = read_plan(file)
    else:
        made = plan_of(str(file), {"checkpoints": [str(file)], **wanted})
    measured = bench or made.bench
    chosen = one_of("--sort", sort, SORTS) or ("latency" if measured else "error")
    for option, value, least, most in (
        ("--workers", workers, 1, MOST_WORKERS),
        ("--timeout", timeout, 1, MOST_SECONDS),
        ("--memory", 1 if memory is None else memory, 1, MOST_MEGABYTES),
        ("--bench-seconds", bench_seconds, 0.1, MOST_SECONDS),
    ):
        if not least <= value <= most:  # so for NaN, too
            raise UsageError(f"{option} {value}: expected {least} to {most}")
    options = MatrixOptions(
        plan=made,
        folder=path_of(output) or Path("matrix") / file.stem,
        workers=workers,
        seconds=timeout,
        memory=None if memory is None else memory * MEGABYTE,
        shard=_shard(shard),
        keep=_keep(keep),
        sort=chosen,
        bench_seconds=bench_seconds if measured else None,
        scheduler=check_address(executor),
        official=path_of(official),
        allow_pickle=allow_pickle,
        again=again,
    )
    if not made.cells:
        refused(made)
    result = run(options, Stages(progress))
    write_table(result)
    return result


def _shard(text: str | None) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", text or "1/1")
    index, number = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= index <= number:
        raise UsageError(f"--shard {text}: expected i/n with i from 1 to n, such as 2/4")
    return index, number


def _keep(text: str) -> "Keep":
    from converter.matrix.run import Keep

    match = re.fullmatch(r"best:([0-9]{1,6})", text)
    if not match and text not in ("all", "none"):
        raise UsageError(f"--keep {text}: expected all, none or best:N")
    return Keep(int(match[1]) if match else None if text == "all" else 0)
