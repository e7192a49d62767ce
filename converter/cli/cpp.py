"""``lt-cpp``: parse, call converter.api.cpp, print."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from converter.cli.command import Command, Session, log_to_stderr
from converter.cli.options import models, network, output
from converter.cli.options.declare import option
from converter.cli.progress import StageLines
from converter.cli.terminal import put_json, summary_console

if TYPE_CHECKING:
    from converter.track.cpp.api import CppFolder

ABOUT = (
    "Write a C++ tracker for an export's ncnn models.\n\n"
    "A folder that builds with CMake: the official procedure of the network's family as one header of C++17, ncnn "
    "behind two calls, a program that tracks through videos or raw frames, and a test of what the procedure in Python "
    "does. lt-setup cpp builds ncnn for it."
)
EPILOG = (
    "Exit codes: 0 written, 1 files or manifest were changed, or an answer cannot be used, 2 wrong usage, 4 something "
    "could not be run or written, 5 missing or unusable dependency, 70 a bug of ours. LT_DEBUG=1 adds the traceback to "
    "an error."
)
ADVICE = {"EXPORT": "lt-cpp takes a folder that lt-export wrote; lt-export CHECKPOINT makes one"}

Folder = Annotated[
    Path,
    option(
        "--output -o DIR",
        "Folder to write: a new one, or an earlier one with nothing else in it.",
        "Output",
    ),
]

command = Command("lt-cpp", ABOUT, EPILOG, ADVICE)


@command.entry
def cpp_command(
    context: typer.Context,
    export: models.Export,
    folder: Folder,
    search_size: network.SearchSize = None,
    config: network.Config = None,
    as_json: output.Json = False,
    verbose: output.Verbose = False,
    quiet: output.Quiet = False,
    version: output.Version = False,
) -> None:
    """Entry of the command; what it does is in ABOUT, what each option means beside it."""
    log_to_stderr(verbose, quiet)
    from converter.api import cpp

    _run(partial(cpp, export, folder, search_size=search_size, config=config), context.obj, quiet)


def _run(work: "partial[CppFolder]", session: Session, quiet: bool) -> None:
    from rich.text import Text

    from converter.track.cpp.api import LAST_STAGE

    with StageLines(session.interruption, quiet, last=LAST_STAGE) as progress:
        result = work(progress=progress)
    if session.as_json:
        put_json(result.as_dict())
    elif not quiet:
        console = summary_console(False)
        console.print(Text("written", "bold green"), Text(str(result.folder)), soft_wrap=True)
        build = f"cmake -B {result.folder}/build {result.folder} && cmake --build {result.folder}/build"
        console.print(Text(f"build it: {build}", "dim"), soft_wrap=True)


call, main = command.call, command.main

if __name__ == "__main__":
    main()
