"""``lt-bench``: parse, build BenchOptions, call, print."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from converter.cli.command import (
    HELP_OPTIONS,
    format_names,
    invoke,
    log_to_stderr,
    new_app,
    official_root,
    option,
    run,
    summary_console,
    version_of,
)
from converter.cli.progress import StageLines

PROGRAM = "lt-bench"

app = new_app()

ABOUT = (
    "Measure how fast an export is on this machine.\n\n"
    "Runs its models as an application would, ncnn and onnxruntime and with --resume the network in torch itself, "
    "each in a process of its own and in turns, so that a machine that becomes slower does so for all."
)
EPILOG = (
    "Exit codes: 0 measured, 1 the export's manifest is damaged, 2 wrong usage, 3 checkpoint or architecture, "
    "4 something could not be run or written, 5 missing or unusable dependency, 70 a bug of ours. "
    "LT_DEBUG=1 adds the traceback."
)
WHAT, HOW, OUTPUT = "What to measure", "How", "Output"


@app.command(help=ABOUT, epilog=EPILOG, context_settings=HELP_OPTIONS)
def bench_command(
    export: Annotated[Path, typer.Argument(metavar="EXPORT", help="Folder that lt-export wrote.", show_default=False)],
    resume: Annotated[
        Path | None,
        option(*("--resume", "-r"), panel=WHAT, metavar="FILE", help="Its checkpoint; without it, torch is left out."),
    ] = None,
    format: Annotated[
        list[str] | None, option(panel=WHAT, metavar="NAME", help="Only ncnn, or only onnx, of an export with both.")
    ] = None,
    threads: Annotated[
        list[int] | None, option(panel=WHAT, metavar="N", help="How many; repeatable (default: 1 and 2).")
    ] = None,
    precision: Annotated[
        list[str] | None, option(panel=WHAT, metavar="NAME", help="fp32 or half; repeatable (default: both).")
    ] = None,
    official: Annotated[
        Path | None,
        option(
            panel=WHAT,
            metavar="DIR",
            help="Build the network from this official checkout instead of our own definition "
            "(default: what LIGHTTRACK_ROOT or, for STARK-Lightning, STARK_ROOT names).",
        ),
    ] = None,
    config: Annotated[Path | None, option(panel=WHAT, metavar="FILE", help="As for lt-export.")] = None,
    allow_pickle: Annotated[
        bool, option("--allow-pickle", panel=WHAT, help="Read checkpoints that run code while they load.")
    ] = False,
    rounds: Annotated[
        int | None, option(panel=HOW, metavar="N", help="In each, everybody has one turn (default: 20).")
    ] = None,
    runs: Annotated[
        int | None, option(panel=HOW, metavar="N", help="Of init and of update that are timed in a turn (default: 3).")
    ] = None,
    seconds: Annotated[
        float | None,
        option(panel=HOW, metavar="X", help="Begin no round that would end later than this (default: 120)."),
    ] = None,
    seed: Annotated[int, option(panel=HOW, metavar="N", min=0, help="Of the order of the turns, and the input.")] = 0,
    plot: Annotated[
        Path | None, option(panel=OUTPUT, metavar="FILE", help="Draw the figures, as .png or .svg.")
    ] = None,
    per_graph: Annotated[
        bool, option("--per-graph", panel=OUTPUT, help="List the times of single graphs too.")
    ] = False,
    as_json: Annotated[
        bool, option("--json", panel=OUTPUT, help="Print the result to stdout as JSON and nothing else.")
    ] = False,
    verbose: Annotated[
        bool,
        option("--verbose", "-v", panel=OUTPUT, help="Single graphs, every doubtful order, and debug messages."),
    ] = False,
    quiet: Annotated[bool, option("--quiet", "-q", panel=OUTPUT, help="Print errors and warnings only.")] = False,
    version: Annotated[
        bool,
        option(
            "--version", panel=OUTPUT, callback=version_of(PROGRAM), is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Entry of the command; what it does is in ABOUT, what each option means beside it."""
    log_to_stderr(verbose, quiet)
    from converter.bench.options import BenchOptions
    from converter.bench.plot import check_plot
    from converter.folder.manifest import read_manifest
    from converter.spec.config import network_for
    from converter.spec.options import VerifyOptions

    formats = format_names(format)
    manifest = read_manifest(export)
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
    given = {"rounds": rounds, "runs": runs, "seconds": seconds}
    given |= {"threads": _each_once(threads), "precisions": _each_once(precision)}
    given = {name: value for name, value in given.items() if value is not None}
    options = BenchOptions(subject=subject, seed=seed, plot=plot, **given)
    if plot:
        check_plot(plot)
    _run(options, as_json, per_graph or verbose, verbose, quiet)


def _each_once(values):
    return tuple(dict.fromkeys(values)) if values else None


def _run(options, as_json, per_graph, verbose, quiet):
    from converter.bench.plot import draw
    from converter.bench.run import LAST_STAGE, bench
    from converter.bench.table import print_bench

    with StageLines(quiet, last=LAST_STAGE) as stages:
        result = bench(options, stages)
    if options.plot:
        draw(options.plot, result)
    if as_json:
        print(json.dumps(result, indent=2))
    elif not quiet:
        print_bench(summary_console(as_json), result, per_graph, verbose)


def call(arguments: Sequence[str]) -> int:
    """``lt-bench`` with these words; its exit code."""
    return invoke(app, PROGRAM, arguments)


def main() -> None:
    """Entry point of ``lt-bench``."""
    run(call)


if __name__ == "__main__":
    main()
