"""``lt-bench``: parse, call converter.api.bench, print."""

from functools import partial
from typing import TYPE_CHECKING

import typer

from converter.bench import MEASURED
from converter.checks.vulkan import RUNTIME
from converter.cli.command import Command, Session, log_to_stderr
from converter.cli.options import checks, models, output, vulkan
from converter.cli.options import network as network_options
from converter.cli.options.runtimes import runtimes_of
from converter.cli.progress import StageLines
from converter.cli.terminal import put_json, summary_console

if TYPE_CHECKING:
    from converter.bench.result import BenchResult

ABOUT = (
    "Measure how fast an export is on this machine, or several of one network side by side.\n\n"
    "Runs its models as an application would, ncnn and onnxruntime and with --resume the network in torch itself, "
    "each in a process of its own and in turns, so that a machine that becomes slower does so for all."
)
EPILOG = (
    "Exit codes: 0 measured, 1 the export is damaged or was changed, 2 wrong usage, 3 checkpoint, "
    "4 something could not be run or written, 5 missing or unusable dependency, 70 a bug of ours. "
    "LT_DEBUG=1 adds the traceback."
)

command = Command("lt-bench", ABOUT, EPILOG, {"EXPORT": MEASURED}, undone="nothing was measured")


@command.entry
def bench_command(
    context: typer.Context,
    exports: models.ExportsOfOne,
    resume: network_options.Resume = None,
    format: models.Formats = None,
    runtime: vulkan.Runtimes = None,
    vulkan_device: vulkan.Device = None,
    vulkan_root: vulkan.Root = None,
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
    report: output.Pages = None,
    per_graph: output.PerGraph = False,
    as_json: output.Json = False,
    verbose: output.Verbose = False,
    quiet: output.Quiet = False,
    version: output.Version = False,
) -> None:
    """Entry of the command; what it does is in ABOUT, what each option means beside it."""
    log_to_stderr(verbose, quiet)
    from converter.api import bench

    network_options.check_checkpoint(resume)
    runtimes = runtimes_of(runtime, (RUNTIME,), "; ncnn and onnxruntime are measured anyway")
    work = partial(
        bench,
        exports,
        resume,
        formats=format or (),
        threads=threads,
        precisions=precision or (),
        official=official,
        config=config,
        allow_pickle=allow_pickle,
        rounds=rounds,
        runs=runs,
        seconds=seconds,
        seed=seed,
        plot=plot,
        reports=report or (),
        command_line=context.obj.command_line,
        vulkan=vulkan.vulkan_of(runtimes, vulkan.VulkanWanted(device=vulkan_device, root=vulkan_root)),
    )
    _run(work, context.obj, per_graph, verbose, quiet)


def _run(work: "partial[BenchResult]", session: Session, per_graph: bool, verbose: bool, quiet: bool) -> None:
    from converter.bench.run import LAST_STAGE
    from converter.report.terminal import print_section

    with StageLines(session.interruption, quiet, last=LAST_STAGE) as progress:
        result = work(progress=progress, spent=session.seconds)
    if not (quiet or session.as_json):
        print_section(summary_console(session.as_json), result.section(per_graph), verbose)
    result.raise_if_changed()
    if session.as_json:
        put_json(result.as_dict())


call, main = command.call, command.main

if __name__ == "__main__":
    main()
