"""``lt-matrix``: parse, call converter.api.matrix, print."""

from functools import partial
from typing import TYPE_CHECKING

import typer

from converter.cli.command import Command, Session, log_to_stderr
from converter.cli.options import matrix, network, output
from converter.cli.progress import StageLines
from converter.cli.terminal import put_json, summary_console
from converter.errors import ConversionError, VerificationError

if TYPE_CHECKING:
    from converter.matrix.run import MatrixResult

ABOUT = (
    "Export and prove many networks: every combination of a plan's lists.\n\n"
    "The plan is checked whole before the first cell starts. Each cell is an lt-export in a process that may die "
    "alone; results are kept as they come, and a run that was ended in whatever way goes on where it was. At the end a "
    "table ranks the cells."
)
EPILOG = (
    "Exit codes: 0 all verified, 1 a cell is not the network that was trained, 2 wrong usage or a mistake in the plan, "
    "4 a cell or the run could not be finished, 5 missing or unusable dependency, 70 a bug of ours. "
    "LT_DEBUG=1 adds the traceback."
)
SHOWN = 20  # cells, in the terminal

command = Command("lt-matrix", ABOUT, EPILOG, undone="what was finished is kept; the same call goes on from there")


@command.entry
def matrix_command(
    context: typer.Context,
    plan: matrix.Plan,
    paths: matrix.Paths = None,
    format: matrix.Formats = None,
    sizes: matrix.Sizes = None,
    preset: matrix.Presets = None,
    precision: matrix.Precisions = None,
    folder: matrix.Folder = None,
    workers: matrix.Workers = 2,
    timeout: matrix.Timeout = 600.0,
    memory: matrix.Memory = None,
    shard: matrix.Shard = None,
    keep: matrix.Keep = "all",
    sort: matrix.Sort = None,
    bench: matrix.Bench = False,
    bench_seconds: matrix.BenchSeconds = 10.0,
    again: matrix.Again = False,
    executor: matrix.Executor = None,
    official: network.Official = None,
    allow_pickle: network.AllowPickle = False,
    junit: output.Junit = None,
    as_json: output.Json = False,
    verbose: output.Verbose = False,
    quiet: output.Quiet = False,
    version: output.Version = False,
) -> None:
    """Entry of the command; what it does is in ABOUT, what each option means beside it."""
    log_to_stderr(verbose, quiet)
    from converter.matrix.api import matrix as run

    context.obj.ci.file = plan
    work = partial(
        run,
        plan,
        folder,
        paths=paths,
        formats=format or (),
        sizes=sizes or (),
        presets=preset or (),
        precisions=precision or (),
        workers=workers,
        timeout=timeout,
        memory=memory,
        shard=shard,
        keep=keep,
        sort=sort,
        bench=bench,
        bench_seconds=bench_seconds,
        again=again,
        executor=executor,
        official=official,
        allow_pickle=allow_pickle,
    )
    _run(work, context.obj, verbose, quiet)


def _run(work: "partial[MatrixResult]", session: Session, verbose: bool, quiet: bool) -> None:
    from converter.matrix.page import section_of, sentence
    from converter.matrix.run import LAST_STAGE
    from converter.report.terminal import print_section

    with StageLines(session.interruption, quiet, last=LAST_STAGE) as progress:
        result = work(progress=progress)
    session.ci.result = result
    if not (quiet or session.as_json):
        print_section(summary_console(False), section_of(result, None if verbose else SHOWN), verbose)
    if not result:
        failed = result.count("failed") > 0
        error = (VerificationError if failed else ConversionError)(f"{sentence(result)}; see {result.options.folder}")
        error.result = result
        raise error
    if session.as_json:
        put_json(result.as_dict())


call, main = command.call, command.main

if __name__ == "__main__":
    main()
