"""``lt-bench``: parse, build BenchOptions, call, print."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import typer

from converter.cli.command import Command, Session, format_names, log_to_stderr, official_root, summary_console
from converter.cli.options import checks, models, output
from converter.cli.options import network as network_options
from converter.cli.progress import StageLines
from converter.errors import UsageError

if TYPE_CHECKING:
    from converter.bench.options import BenchOptions

T = TypeVar("T")

ABOUT = (
    "Measure how fast an export is on this machine.\n\n"
    "Runs its models as an application would, ncnn and onnxruntime and with --resume the network in torch itself, "
    "each in a process of its own and in turns, so that a machine that becomes slower does so for all."
)
EPILOG = (
    "Exit codes: 0 measured, 1 the export's manifest is damaged, 2 wrong usage, 3 checkpoint, "
    "4 something could not be run or written, 5 missing or unusable dependency, 70 a bug of ours. "
    "LT_DEBUG=1 adds the traceback."
)

MEASURED = "lt-bench measures folders that lt-export wrote; lt-export CHECKPOINT makes one"

command = Command("lt-bench", ABOUT, EPILOG, {"EXPORT": MEASURED})


@command.entry
def bench_command(
    context: typer.Context,
    export: models.Export,
    resume: network_options.Resume = None,
    format: models.Formats = None,
    threads: checks.Threads = None,
    precision: checks.Precisions = None,
    official: network_options.Official = None,
    config: network_options.Config = None,
    allow_pickle: network_options.AllowPickle = False,
    rounds: checks.Rounds = None,
    runs: checks.Runs = None,
    seconds: checks.Seconds = None,
    seed: checks.OrderSeed = 0,
    plot: output.Plot = None,
    per_graph: output.PerGraph = False,
    as_json: output.Json = False,
    verbose: output.Verbose = False,
    quiet: output.Quiet = False,
    version: output.Version = False,
) -> None:
    """Entry of the command; what it does is in ABOUT, what each option means beside it."""
    log_to_stderr(verbose, quiet)
    from converter.bench.options import PRECISIONS, ROUNDS, RUNS, SECONDS, THREADS, BenchOptions
    from converter.bench.plot import check_plot
    from converter.folder.manifest import read_manifest
    from converter.spec.config import network_for
    from converter.spec.options import VerifyOptions

    formats = format_names(format)
    if export.is_file():
        raise UsageError(f"{export} is a file, and {MEASURED}")
    manifest = read_manifest(export, MEASURED)
    arch, network = network_for(manifest.arch, config, manifest.config())
    subject = VerifyOptions(
        arch=arch,
        network=network,
        checkpoint=resume,
        official=official_root(official, network),
        allow_pickle=allow_pickle,
        folder=export,
        formats=formats,
    )
    options = BenchOptions(
        subject=subject,
        threads=_each_once(threads, THREADS),
        precisions=_each_once(precision, PRECISIONS),
        rounds=ROUNDS if rounds is None else rounds,
        runs=RUNS if runs is None else runs,
        seconds=SECONDS if seconds is None else seconds,
        seed=seed,
        plot=plot,
    )
    if plot:
        check_plot(plot)
    _run(options, context.obj, per_graph, verbose, quiet)


def _each_once(given: Sequence[T] | None, otherwise: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(given or otherwise))


def _run(options: "BenchOptions", session: Session, per_graph: bool, verbose: bool, quiet: bool) -> None:
    from converter.bench.plot import draw
    from converter.bench.run import LAST_STAGE, bench
    from converter.report.terminal import print_section

    with StageLines(session.interruption, quiet, last=LAST_STAGE) as progress:
        result = bench(options, progress)
    if options.plot:
        draw(options.plot, result)
    if session.as_json:
        print(json.dumps(result.as_dict(), indent=2))
    elif not quiet:
        print_section(summary_console(session.as_json), result.section(per_graph), verbose)


call, main = command.call, command.main

if __name__ == "__main__":
    main()
